"""Refuses who may not, by rules on paths, roles and permissions; a request costs a few look-ups and no I/O."""

from narthex_plugins.access.plugin import Access

__all__ = ["Access"]
