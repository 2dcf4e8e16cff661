"""Refuses tokens, sessions and subjects that were revoked, at the price of two clocks and some look-ups in memory."""

from narthex_plugins.revocation.plugin import Revocation

__all__ = ["Revocation"]
