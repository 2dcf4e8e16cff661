"""What somebody may: permissions, patterns of them, and the answer that plugin endpoints and decorators get.

A permission is words joined by `:`, the last one the action. In what is granted, `*` stands for exactly one word; in
what is asked for there is no wildcard, and a `*` there is granted by nobody but a role that has every permission.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final

from narthex.errors import DependencyError
from narthex.identity import Identity
from narthex_plugins.access.roles import Roles

WORD: Final = r"[\w.@~+-]+"
_PERMISSION: Final = re.compile(rf"{WORD}(:{WORD})*")
_KEPT: Final = 1024
"""Sets of roles whose grants are kept ready; real deployments have a dozen."""


class Granted:
    """A set of permission patterns.

    Args:
        patterns: words joined by `:`, each a word or `*`.
    """

    __slots__ = ("_literal", "_wild")

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        given = frozenset(patterns)
        wild: dict[int, list[tuple[str, ...]]] = {}
        for pattern in sorted(given):
            if "*" in pattern:
                words = tuple(pattern.split(":"))
                wild.setdefault(len(words), []).append(words)
        self._literal = frozenset(one for one in given if "*" not in one)
        self._wild = wild

    def __contains__(self, permission: object) -> bool:
        """Whether a pattern matches. Cost: one look-up, then each pattern with `*` of as many words."""
        if permission in self._literal:
            return True
        if not self._wild or not isinstance(permission, str):
            return False
        words = permission.split(":")
        return any(
            all(mine == "*" or mine == word for mine, word in zip(pattern, words, strict=True))
            for pattern in self._wild.get(len(words), ())
        )


@lru_cache(maxsize=_KEPT)
def _granted_by(own: frozenset[str]) -> Granted:
    """What a token grants, ready to be looked into; tokens of one kind of caller have the same."""
    return Granted(own)


class GrantsUnknown(DependencyError):
    """A permission is lacking, and the store, where it may have been granted, could not be read lately."""

    code = "grants_unknown"


class RolePermissions:
    """Answers what an identity may: core's service `Permissions`.

    Args:
        roles: their order.
        granted: role to permission patterns.
        unlimited: roles that have every permission; those above them too.
        stale: whether the store's grants are too old to go by.
    """

    def __init__(
        self,
        roles: Roles,
        granted: Mapping[str, Collection[str]],
        unlimited: Iterable[str],
        stale: Callable[[], bool] = lambda: False,
    ) -> None:
        self._roles = roles
        self._unlimited = frozenset[str]().union(*map(roles.holders, unlimited))
        self._fixed = {role: frozenset(patterns) for role, patterns in granted.items()}
        self._stored: Mapping[str, Collection[str]] = {}
        self._stale = stale
        self._ready: dict[frozenset[str], Granted] = {}
        self._ready_of_file: dict[frozenset[str], Granted] = {}

    def store_grants(self, stored: Mapping[str, Collection[str]]) -> None:
        """Take these grants beside the fixed ones, in the place of those taken before."""
        self._stored, self._ready = stored, {}

    def holders(self, role: str) -> frozenset[str]:
        """The role itself and those above it: whoever has one of them holds it."""
        return self._roles.holders(role)

    def has_role(self, identity: Identity, role: str) -> bool:
        """Whether the identity holds `role` or one above it."""
        return self._roles.holds(identity.roles, role)

    def has_permission(self, identity: Identity, permission: str) -> bool:
        """Whether the identity, or one of its roles, was granted the permission. About 1 µs.

        Raises:
            GrantsUnknown: not by the file, and the store's grants are too old to go by.
        """
        roles = identity.roles
        if not self._unlimited.isdisjoint(roles):
            return True
        if not _PERMISSION.fullmatch(permission):
            return False
        own = identity.permissions
        if own and permission in _granted_by(own):
            return True
        current = not self._stored or not self._stale()
        ready = (self._ready if current else self._ready_of_file).get(roles)
        held = permission in (self._remember(roles, current=current) if ready is None else ready)
        if not held and self._stale():
            raise GrantsUnknown("the store's grants cannot be read", retry_after=1)
        return held

    def _remember(self, roles: frozenset[str], *, current: bool) -> Granted:
        kept = self._ready if current else self._ready_of_file
        if len(kept) >= _KEPT:
            kept.clear()
        held = self._roles.held(roles)
        sources = (self._fixed, self._stored) if current else (self._fixed,)
        kept[roles] = granted = Granted(one for grants in sources for role in held for one in grants.get(role, ()))
        return granted
