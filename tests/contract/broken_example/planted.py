"""A plugin whose example has a typo."""

from tests.contract.planted import Sound


class Typo(Sound):
    """Its example sets a key that it does not have."""
