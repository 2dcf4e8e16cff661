"""What other rules would have said to requests of the past, and where that differs from what was said.

Rules and roles come from another file, the requests from whoever has recorded them. Nothing is sent and nothing is
counted. A rule that asks for a claim which no record holds cannot be held against it: that is told as such.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from narthex import Allow, Deny
from narthex.config import raise_all, read_text
from narthex.config.errors import Table
from narthex.config.places import KeyPath, Places
from narthex.config.toml_lines import locate
from narthex.errors import ConfigError
from narthex.services import Decision
from narthex_plugins.access.compiling import names_of, roles_of, rules_of
from narthex_plugins.access.grants import Stored
from narthex_plugins.access.permissions import RolePermissions
from narthex_plugins.access.policy import Policy, Words
from narthex_plugins.access.rules import Rule, Rulebook
from narthex_plugins.access.settings import AccessSettings

_OF_CORE: Final = frozenset({"enabled", "use", "mode", "timeout"})
"""Keys that every plugin's table may have."""


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that would have been another one.

    Attributes:
        was: what was decided.
        now: what the other rules say; None where that cannot be said.
        why: reason and rule.
    """

    was: Decision
    now: Allow | Deny | None
    why: str


class Replay:
    """The policy of another file.

    Args:
        settings: its rules, roles and grants.
        where: keys of its table to "rules.toml:12".
        stored: what was granted while the house ran; it holds under any rules.

    Raises:
        ConfigError: the rules name a role that is none.
    """

    def __init__(self, settings: AccessSettings, where: Callable[..., str], stored: Stored) -> None:
        roles = roles_of(settings, where)
        names_of(settings, roles, where)
        permissions = RolePermissions(roles, settings.grants, settings.unlimited)
        permissions.store_grants(stored)
        self._rules = Rulebook(rules_of(settings))

        def of_rule(rule: Rule) -> str:
            return f"{where('rules', rule.number)} {rule}"

        words = Words(of_rule, lambda: f"{where('default')} default {settings.default}")
        self._policy = Policy(self._rules, settings.default, permissions, _Known(), words)

    def changes(self, decisions: Iterable[Decision]) -> Iterator[Change]:
        """The decisions that would have been others, in their order. Under 5 µs for each."""
        for one in decisions:
            found = self._judge(one)
            if found is not None:
                yield found

    def _judge(self, was: Decision) -> Change | None:
        ruling = self._rules.ruling(was.method, was.path)
        asked = {claim for rule in ruling.rules for claim in rule.need.claims}
        now = self._policy.decide(was.method, was.path, was.identity)
        unknown = sorted(asked - was.claims) if was.identity is not None else []
        if unknown and (isinstance(now, Allow) or now.code == "claim_required"):
            return Change(was, None, f"the record does not hold the claim {', '.join(unknown)}")
        if isinstance(now, Allow) is was.allowed:
            return None
        return Change(was, now, f"{now.reason} ({now.rule})" if now.rule else now.reason)


class _Known:
    """All that was granted is known."""

    doubt = ""


def read_rules(path: Path, instance: str) -> tuple[AccessSettings, Callable[..., str]]:
    """The rules of a file: either a whole configuration, or what stands in the plugin's table alone.

    Args:
        path: of the file.
        instance: the plugin's table in a whole configuration.

    Returns:
        The settings, and where their keys stand.

    Raises:
        ConfigError, ConfigErrors: what is wrong with it, with its lines.
    """
    text, name = read_text(path), str(path)
    try:
        tables: Mapping[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"is not TOML: {error}", where=name) from None
    places = Places(name, locate(text))
    at: KeyPath = ()
    values: Mapping[str, Any] = tables
    if "plugins" in tables or "narthex" in tables:
        at, values = ("plugins", instance), _table(tables, instance, name)
        values = {key: value for key, value in values.items() if key not in _OF_CORE}
    try:
        settings = AccessSettings.model_validate(values)
    except ValidationError as error:
        raise_all(Table(values, at, places, AccessSettings).explain(error))
        raise AssertionError("pydantic found fault and named none") from None
    return settings, lambda *keys: places.where((*at, *keys))


def _table(tables: Mapping[str, Any], instance: str, name: str) -> Mapping[str, Any]:
    plugins = tables.get("plugins")
    found = cast("Mapping[str, Any]", plugins).get(instance) if isinstance(plugins, dict) else None
    if not isinstance(found, dict):
        hint = "write the rules alone, as they stand below that heading, or a whole configuration"
        raise ConfigError(f"there is no [plugins.{instance}] in it", where=name, hint=hint)
    return cast("Mapping[str, Any]", found)
