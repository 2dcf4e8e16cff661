"""Saying who asks, in a test.

An identifier that believes the test takes the place of a real one; the test says who asks by a block. It belongs in
tests alone: whoever can run code in the process could say anything anyway, a request cannot.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final

from narthex.app import Narthex
from narthex.config.settings import Settings
from narthex.exchange import Exchange
from narthex.hooks import hookimpl
from narthex.house import House
from narthex.identity import Identity

_asking: ContextVar[Identity | None] = ContextVar("narthex.testing.asking", default=None)


class AskingSettings(Settings):
    """Nothing to set."""


class Asking:
    """An identifier that knows what `as_identity` says, and nobody outside of it. For tests."""

    name = "asking"
    Settings = AskingSettings

    def __init__(self, settings: AskingSettings, house: House) -> None:
        """Nothing is kept."""

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | None:  # noqa: ARG002  nothing of the exchange counts
        """Give what the block says."""
        return _asking.get()


ASKING: Final = MappingProxyType({"use": "narthex.testing.identity:Asking"})
"""The plugin table that switches the identifier on: `config(who=ASKING, curfew={})`."""


@contextmanager
def as_identity(
    subject: str | Identity, *, roles: Iterable[str] = (), permissions: Iterable[str] = (), **more: Any
) -> Generator[Identity]:
    """Ask as somebody, within the block; blocks may be nested. The house needs the identifier `ASKING`.

    Args:
        subject: who, or a whole Identity, which goes with nothing else.
        roles: role names.
        permissions: words such as "orders:write".
        more: any other field of `Identity`: `token_id`, `session_id`, `expires_at`, `claims` ...
    """
    if isinstance(subject, Identity):
        if roles or permissions or more:
            raise TypeError("as_identity takes an Identity as it is; give its fields to the Identity")
        identity = subject
    else:
        identity = Identity(subject=subject, roles=frozenset(roles), permissions=frozenset(permissions), **more)
    token = _asking.set(identity)
    try:
        yield identity
    finally:
        _asking.reset(token)


def must_be_asked(app: object) -> None:
    """Refuse to drive a house that would not notice who asks: its test would test an anonymous caller.

    Raises:
        LookupError: inside `as_identity`, and no plugin of the house is `Asking`.
    """
    identity = _asking.get()
    if identity is None or not isinstance(app, Narthex):
        return
    if not any(isinstance(guest.plugin, Asking) for guest in app.guests):
        raise LookupError(
            f"nobody in this house asks for {identity.subject!r} of as_identity: switch its identifier on, "
            "before the plugins that want to know: config(who=ASKING, ...)"
        )
