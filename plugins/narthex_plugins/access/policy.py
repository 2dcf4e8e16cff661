"""The verdict on one request, with its reason, its rule and the line of the file. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from narthex import Allow, Deny
from narthex.identity import Identity
from narthex.services import Permissions
from narthex_plugins.access.rules import Access, Lack, Need, Rule, Rulebook, Ruling, lacking


class Known(Protocol):
    """How much is known of the grants in the store."""

    @property
    def doubt(self) -> str:
        """Why a permission that is lacking may have been granted all the same, or ""."""
        ...

    @property
    def stale(self) -> bool:
        """Whether that is a fault, and not just a look at the file alone."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """How rules are named in verdicts: `narthex.toml:14 GET /orders/**`."""

    of_rule: Callable[[Rule], str]
    of_default: Callable[[], str]


_NEEDS: Final[dict[Access, str]] = {
    "deny": "nobody may",
    "authenticated": "any identity may",
    "allow": "anybody may",
}


class Policy:
    """Says Allow or Deny.

    Args:
        rulebook: the rules.
        default: what holds where none speaks of a request.
        permissions: who may what.
        known: how much of the store's grants is known.
        words: how rules are named.
    """

    def __init__(
        self, rulebook: Rulebook, default: Access, permissions: Permissions, known: Known, words: Words
    ) -> None:
        self._rulebook = rulebook
        self._default = Need(default)
        self._permissions = permissions
        self._known = known
        self._words = words
        self._allows: dict[Ruling, Allow] = {}

    def decide(self, method: str, path: str, identity: Identity | None) -> Allow | Deny:
        """The verdict; asking has no effect.

        Args:
            method: "WEBSOCKET" for a websocket.
            path: the route path.
            identity: None for an anonymous caller.

        Returns:
            Allow; Deny(401, "authentication_required"); Deny(403, ...) with "not_allowed", "role_required",
            "permission_denied" or "claim_required"; Deny(503, "grants_unknown") where a permission is lacking and the
            store's grants could not be read lately.

        Cost: one look-up of the ruling, then under 2 µs for each rule that holds, mostly one.
        """
        ruling = self._rulebook.ruling(method, path)
        if not ruling.rules:
            lack = lacking(self._default, identity, self._permissions)
            if lack is None:
                return Allow("no rule speaks of it", self._words.of_default())
            return Deny(lack.status, lack.code, f"{lack.reason}, and no rule speaks of it", self._words.of_default())
        for rule in ruling.rules:
            lack = lacking(rule.need, identity, self._permissions)
            if lack is not None:
                return self._deny(lack, rule, ruling)
        allow = self._allows.get(ruling)
        return allow if allow is not None else self._allow(ruling)

    def forget(self) -> None:
        """The lines of the file have changed: what was said of them is no longer so."""
        self._allows = {}

    def _deny(self, lack: Lack, rule: Rule, ruling: Ruling) -> Deny:
        reason, named = f"{lack.reason}{self._overruled(ruling)}", self._words.of_rule(rule)
        if lack.code != "permission_denied" or not self._known.doubt:
            return Deny(lack.status, lack.code, reason, named)
        reason = f"{reason} ({self._known.doubt})"
        if self._known.stale:
            return Deny(503, "grants_unknown", reason, named, retry_after=1)
        return Deny(lack.status, lack.code, reason, named)

    def _allow(self, ruling: Ruling) -> Allow:
        met = " and ".join(_met(rule.need) for rule in ruling.rules)
        allow = Allow(f"{met}{self._overruled(ruling)}", ", ".join(map(self._words.of_rule, ruling.rules)))
        if len(self._allows) >= 4096:
            self._allows.clear()
        self._allows[ruling] = allow
        return allow

    def _overruled(self, ruling: Ruling) -> str:
        wider = ", ".join(map(self._words.of_rule, ruling.overruled))
        return f"; overrules {wider}" if wider else ""


def _met(need: Need) -> str:
    parts = [f"role {' or '.join(need.roles)}"] if need.roles else []
    parts += [f"permission {one}" for one in need.permissions]
    parts += [f"claim {one}" for one in need.claims]
    return ", ".join(parts) or _NEEDS[need.access]
