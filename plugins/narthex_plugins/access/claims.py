"""Conditions on what a token says."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, cast

from narthex.identity import Identity

Scalar = str | bool | int | float
Wanted = Scalar | tuple[Scalar, ...] | Mapping[str, "Wanted"]
"""One value, several of which one is enough, or a table of conditions on the members of a claim that is an object."""

# What identifiers put elsewhere than into `Identity.claims`.
_OWN: Final[Mapping[str, Callable[[Identity], object]]] = MappingProxyType(
    {
        "sub": lambda identity: identity.subject,
        "iss": lambda identity: identity.issuer,
        "sid": lambda identity: identity.session_id,
        "jti": lambda identity: identity.token_id,
        "amr": lambda identity: identity.methods,
    }
)


def is_met(identity: Identity, name: str, wanted: Wanted) -> bool:
    """Whether a claim has a value that is wanted; of a claim that is a list, whether one of its values is.

    A claim that is not there meets no condition. Texts are compared character by character, `true` is not 1.
    """
    own = _OWN.get(name)
    return _meets(own(identity) if own is not None else identity.claims.get(name), wanted)


def _meets(value: object, wanted: Wanted) -> bool:
    if isinstance(wanted, Mapping):
        if not isinstance(value, Mapping):
            return False
        members = cast("Mapping[str, object]", value)
        return all(_meets(members.get(name), below) for name, below in wanted.items())
    accepted = wanted if isinstance(wanted, tuple) else (wanted,)
    values = cast("list[object] | tuple[object, ...]", value) if isinstance(value, list | tuple) else (value,)
    return any(_same(one, other) for one in values for other in accepted)


def _same(value: object, wanted: Scalar) -> bool:
    """Python takes True for 1, JSON does not."""
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted
