"""From settings to rules and roles, and what is wrong with them, with the line of the file."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final, cast

from narthex.errors import ConfigError
from narthex.paths import Pattern
from narthex_plugins.access.claims import Wanted
from narthex_plugins.access.roles import RoleCycleError, Roles
from narthex_plugins.access.rules import Need, Rule
from narthex_plugins.access.settings import AccessSettings, RuleSettings, split_chain

Where = Callable[..., str]
"""Keys of the plugin's table to the place where they stand."""
_NEAR: Final = 0.8


def roles_of(settings: AccessSettings, where: Where) -> Roles:
    """The order of roles.

    Raises:
        ConfigError: a role stands above itself.
    """
    try:
        return Roles(map(split_chain, settings.hierarchy))
    except RoleCycleError as error:
        raise ConfigError(
            f"hierarchy: {error}",
            where=where("hierarchy", error.entry),
            hint="each role stands above the ones before it, and never above itself",
        ) from None


def rules_of(settings: AccessSettings, roles: Roles, where: Where) -> tuple[Rule, ...]:
    """The rules.

    Raises:
        ConfigError: a rule or a grant names a role that is nearly that of another.
    """
    known = sorted({*roles.known, *settings.unlimited, *settings.grants})
    for role, keys in _named(settings):
        near = () if role in known else get_close_matches(role, known, n=1, cutoff=_NEAR)
        if near:
            raise ConfigError(
                f"no role is called {role!r}",
                where=where(*keys),
                hint=f"did you mean {near[0]!r}? a role of its own has its place in `hierarchy`",
            )
    return tuple(_rule(number, rule) for number, rule in enumerate(settings.rules))


def _named(settings: AccessSettings) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Every role that a rule asks for, and where."""
    for number, rule in enumerate(settings.rules):
        for at, role in enumerate(rule.roles):
            yield role, ("rules", number, "roles", at)


def _rule(number: int, given: RuleSettings) -> Rule:
    methods = frozenset(given.methods) | ({"HEAD"} if "GET" in given.methods else set[str]())
    claims = {name: cast("Wanted", wanted) for name, wanted in given.claims.items()}
    need = Need(given.access or "authenticated", given.roles, given.permissions, claims)
    return Rule(number, Pattern(given.path), methods, need)
