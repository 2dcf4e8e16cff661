"""A plugin that is imported with its neighbour, although it is off."""

from tests.contract.planted import Sound


class Heavy(Sound):
    """Needs half of the package index."""
