"""The order of roles: whoever holds one holds every role below it."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

_NEAR: Final = 0.8
"""How alike two names are that one of is probably a slip, between 0 and 1."""


class RoleCycleError(ValueError):
    """A role stands above itself.

    Attributes:
        entry: which line of the hierarchy closed the circle, from 0.
        circle: the roles of it, the first one again at the end.
    """

    def __init__(self, entry: int, circle: Sequence[str]) -> None:
        super().__init__(f"a role stands above itself: {' < '.join(circle)}")
        self.entry = entry
        self.circle = tuple(circle)


class RoleNames:
    """Tells a role that is known from one that is nearly called so.

    Args:
        known: roles that somebody has named on purpose.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)

    def nearest(self, role: str) -> str | None:
        """The known role that was probably meant, where this one is not known."""
        if role in self._known:
            return None
        return next(iter(get_close_matches(role, sorted(self._known), n=1, cutoff=_NEAR)), None)

    def check(self, role: str) -> None:
        """See that it is not nearly called as another.

        Raises:
            ValueError: it is; says as which.
        """
        near = self.nearest(role)
        if near is not None:
            raise ValueError(
                f"no role is called {role!r}; did you mean {near!r}? A role of its own stands in hierarchy"
            )


class Roles:
    """Roles and those above them. A role that the hierarchy does not name stands alone.

    Args:
        hierarchy: chains of roles, the lowest first.

    Raises:
        RoleCycleError: the first chain that puts a role above itself.
    """

    def __init__(self, hierarchy: Iterable[Sequence[str]] = ()) -> None:
        self._next: dict[str, list[str]] = {}
        for entry, chain in enumerate(hierarchy):
            for role in chain:
                self._next.setdefault(role, [])
            for lower, higher in pairwise(chain):
                circle = self._way(higher, lower)
                if circle is not None:
                    raise RoleCycleError(entry, (lower, *circle))
                self._next[lower].append(higher)
        self._holders: Final[Mapping[str, frozenset[str]]] = {role: self._above(role) for role in self._next}
        self._held: Final[Mapping[str, frozenset[str]]] = {
            role: frozenset(lower for lower, holders in self._holders.items() if role in holders) for role in self._next
        }

    @property
    def known(self) -> tuple[str, ...]:
        """Every role of the hierarchy."""
        return tuple(self._next)

    def holders(self, role: str) -> frozenset[str]:
        """The role itself and all above it."""
        return self._holders.get(role) or frozenset((role,))

    def held(self, roles: Iterable[str]) -> frozenset[str]:
        """The roles and all below them."""
        given = tuple(roles)
        return frozenset(given).union(*(self._held.get(role, ()) for role in given))

    def holds(self, roles: frozenset[str], role: str) -> bool:
        """Whether one of `roles` is `role` or above it. Cost: one look-up and one comparison of sets."""
        holders = self._holders.get(role)
        return role in roles if holders is None else not holders.isdisjoint(roles)

    def _above(self, role: str) -> frozenset[str]:
        found: set[str] = set()
        todo = [role]
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += self._next[one]
        return frozenset(found)

    def _way(self, start: str, goal: str) -> tuple[str, ...] | None:
        """The roles from `start` up to `goal`, both included, or None."""
        ways: list[tuple[str, ...]] = [(start,)]
        seen = {start}
        while ways:
            way = ways.pop()
            if way[-1] == goal:
                return way
            for higher in self._next[way[-1]]:
                if higher not in seen:
                    seen.add(higher)
                    ways.append((*way, higher))
        return None
