"""Which rules hold for a request, and whether they are met. No I/O, and no order.

A rule speaks of the requests whose path and method it matches; who asks makes no difference to that. A rule that speaks
of fewer requests overrules one that speaks of all of them and more: narrower in path, in methods, or in both, and wider
in neither. Every rule that matches and is not overruled has to be met; where no rule matches, the default decides. So
the order of the rules in the file means nothing, and where neither of two rules is the narrower one, both hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from narthex.access import lacks
from narthex.identity import Identity
from narthex.paths import Pattern, binds
from narthex.services import Permissions
from narthex_plugins.access.claims import Wanted, is_met
from narthex_plugins.access.narrowness import covers

Access = Literal["deny", "authenticated", "allow"]
KEPT: Final = 4096
LONGEST_KEPT: Final = 256
"""Rulings kept, and the longest path among them in characters: what a stranger can fill is bounded in bytes."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a rule asks of the caller; all of it has to be there.

    Attributes:
        access: who may in general: nobody, anybody with an identity, or anybody at all.
        roles: one of these, or one above.
        permissions: every one of these.
        claims: every one of these has a value that is wanted.
    """

    access: Access = "authenticated"
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    claims: Mapping[str, Wanted] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule of the file.

    Attributes:
        number: which one, from 0.
        pattern: of the route path.
        methods: upper case, HEAD beside GET; empty for all, websockets included.
    """

    number: int
    pattern: Pattern
    methods: frozenset[str]
    need: Need

    def overrules(self, other: "Rule") -> bool:
        """Whether this one speaks of fewer requests, all of which the other speaks of too."""
        return _within(self, other) and not _within(other, self)

    def __str__(self) -> str:
        shown = ",".join(sorted(self.methods - {"HEAD"} if "GET" in self.methods else self.methods))
        return f"{shown} {self.pattern}".strip()


@dataclass(frozen=True, slots=True)
class Lack:
    """What is missing.

    Attributes:
        status, code: what the caller is told.
        reason: for the operator.
    """

    status: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """What holds for one path and method.

    Attributes:
        rules: those to be met, in file order; empty where the default decides.
        overruled: those that match too.
    """

    rules: tuple[Rule, ...]
    overruled: tuple[Rule, ...]


class Rulebook:
    """The rules of one instance."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._literal: dict[str, list[Rule]] = {}
        for rule in self.rules:
            if rule.pattern.literal:
                self._literal.setdefault(rule.pattern.bare, []).append(rule)
        self._wild = tuple(rule for rule in self.rules if not rule.pattern.literal)
        self._kept: dict[tuple[str, str], Ruling] = {}

    def ruling(self, method: str, path: str) -> Ruling:
        """What holds. Cost: one look-up where it was asked lately, else a match with each wildcard rule.

        Args:
            method: as it came; "WEBSOCKET" for a websocket.
            path: the route path.
        """
        kept = self._kept
        ruling = kept.get((method, path))
        if ruling is None:
            ruling = self._work_out(method, path)
            if len(path) + len(method) <= LONGEST_KEPT:
                if len(kept) >= KEPT:
                    kept.clear()  # somebody walks random paths; the known ones come back by themselves
                kept[method, path] = ruling
        return ruling

    def _work_out(self, method: str, path: str) -> Ruling:
        literal = self._literal.get(path.removesuffix("/"), ())
        found = [*literal, *(rule for rule in self._wild if rule.pattern.matches(path))]
        found = [rule for rule in found if binds(rule.methods, method)]
        overruled = {rule for rule in found if any(other.overrules(rule) for other in found)}
        found.sort(key=lambda rule: rule.number)
        return Ruling(
            tuple(rule for rule in found if rule not in overruled),
            tuple(rule for rule in found if rule in overruled),
        )


def _within(rule: Rule, other: Rule) -> bool:
    """Whether `other` speaks of every request that `rule` speaks of."""
    methods = not other.methods or (bool(rule.methods) and rule.methods <= other.methods)
    return methods and covers(other.pattern, rule.pattern)


def lacking(need: Need, identity: Identity | None, permissions: Permissions) -> Lack | None:
    """What the caller lacks of what is needed, or None. Under 2 µs."""
    if need.access == "deny":
        return Lack(403, "not_allowed", "nobody may")
    if identity is None or need.access == "allow":
        return None if need.access == "allow" else Lack(401, "authentication_required", "the caller is anonymous")
    if need.roles and not any(permissions.has_role(identity, role) for role in need.roles):
        return Lack(403, "role_required", f"{identity.subject} has no role {_either(need.roles)}")
    for permission in need.permissions:
        deny = lacks(identity, permission, permissions)
        if deny is not None:
            return Lack(deny.status, deny.code, deny.reason)
    for name, wanted in need.claims.items():
        if not is_met(identity, name, wanted):
            return Lack(403, "claim_required", f"the claim {name} of {identity.subject} is not what it must be")
    return None


def _either(words: Sequence[str]) -> str:
    return " or ".join(words)
