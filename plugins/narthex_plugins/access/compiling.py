"""From settings to rules and roles, and what is wrong with them, with the line of the file."""

from collections.abc import Callable
from typing import cast

from narthex.errors import ConfigError
from narthex.paths import Pattern
from narthex_plugins.access.claims import Wanted
from narthex_plugins.access.roles import RoleCycleError, RoleNames, Roles
from narthex_plugins.access.rules import Need, Rule
from narthex_plugins.access.settings import AccessSettings, RuleSettings, split_chain

Where = Callable[..., str]
"""Keys of the plugin's table to the place where they stand."""


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


def names_of(settings: AccessSettings, roles: Roles, where: Where) -> RoleNames:
    """The roles that the file knows.

    Raises:
        ConfigError: a rule, a grant or `unlimited` names a role that is nearly that of another.
    """
    known = RoleNames(roles.known)
    for number, role in enumerate(settings.unlimited):
        _check(known, role, where("unlimited", number))
    for role in settings.grants:
        _check(known, role, where("grants", role))
    known = RoleNames({*roles.known, *settings.unlimited, *settings.grants})
    for number, rule in enumerate(settings.rules):
        for at, role in enumerate(rule.roles):
            _check(known, role, where("rules", number, "roles", at))
    return known


def _check(known: RoleNames, role: str, where: str) -> None:
    near = known.nearest(role)
    if near is not None:
        raise ConfigError(
            f"no role is called {role!r}",
            where=where,
            hint=f"did you mean {near!r}? a role of its own has its place in `hierarchy`",
        )


def rules_of(settings: AccessSettings) -> tuple[Rule, ...]:
    """The rules."""
    return tuple(_rule(number, rule) for number, rule in enumerate(settings.rules))


def _rule(number: int, given: RuleSettings) -> Rule:
    methods = frozenset(given.methods) | ({"HEAD"} if "GET" in given.methods else set[str]())
    claims = {name: cast("Wanted", wanted) for name, wanted in given.claims.items()}
    need = Need(given.access or "authenticated", given.roles, given.permissions, claims)
    return Rule(number, Pattern(given.path), methods, need)
