"""A light plugin that brings its heavy neighbour with it, used or not."""

from tests.contract.planted import Sound
from tests.contract.planted_heavy import Heavy

__all__ = ["Heavy", "Light"]


class Light(Sound):
    """Needs next to nothing."""
