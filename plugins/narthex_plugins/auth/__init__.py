"""Says who asks: signed tokens, sessions and passwords; a request with a known token costs one hash and one look-up."""

from narthex_plugins.auth.plugin import Auth

__all__ = ["Auth"]
