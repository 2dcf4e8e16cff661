"""A table of who may do what, as a team keeps it beside its code, and what differs from it.

[who.alice]
roles = ["engineer"]

[[cases]]
who = "alice"
path = "/admin/users"
expected = 403
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from narthex import Identity, Settings
from narthex.config import raise_all, read_text
from narthex.config.errors import Table, did_you_mean
from narthex.config.places import Places
from narthex.config.toml_lines import locate
from narthex.errors import ConfigError
from narthex.rehearsal import Rehearsal
from narthex.verdict import Allow, Answer, Deny

ANONYMOUS: Final = "anonymous"


class WhoSettings(Settings):
    """Somebody, as an identifier would find them."""

    roles: frozenset[str] = Field(default=frozenset(), description="Role names.")
    permissions: frozenset[str] = Field(default=frozenset(), description="Permissions of their own.")
    claims: dict[str, Any] = Field(default={}, description="What their token says beside.")
    issuer: str = Field(default="", description="Who issued it.")


class CaseSettings(Settings):
    """One line of the table."""

    who: str = Field(description='A name of [who], or "anonymous".')
    method: Annotated[str, Field(pattern=r"^[A-Z][A-Z-]*$")] = Field(
        default="GET", description="An HTTP method, or WEBSOCKET."
    )
    path: Annotated[str, Field(pattern=r"^/")] = Field(description="The path, as it would be sent.")
    expected: Annotated[int, Field(ge=300, le=599)] | Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = Field(
        description='"allow", "deny", or the status or the code of the refusal.'
    )


class CasesSettings(Settings):
    """The file."""

    who: dict[Annotated[str, Field(min_length=1)], WhoSettings] = Field(default={}, description="The people in it.")
    cases: Annotated[tuple[CaseSettings, ...], Field(min_length=1)] = Field(description="What is expected of them.")


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table.

    Attributes:
        identity: who asks, or None for an anonymous caller.
        expected: "allow", "deny", or the status or the code of the refusal.
        where: "access.toml:12".
    """

    identity: Identity | None
    method: str
    path: str
    expected: int | str
    where: str

    def mismatch(self, found: Rehearsal) -> str | None:
        """What is not as expected, with its line and the rule behind it; None where all is."""
        if _is(found, self.expected):
            return None
        who = ANONYMOUS if self.identity is None else self.identity.subject
        return f"{self.where}: {who} {self.method} {self.path}: expected {self.expected}, found {_shown(found)}"


def read_cases(path: Path) -> list[Case]:
    """The cases of a file.

    Raises:
        ConfigError, ConfigErrors: what is wrong with it, with its lines.
    """
    text, name = read_text(path), str(path)
    try:
        tables: Mapping[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"is not TOML: {error}", where=name) from None
    places = Places(name, locate(text))
    try:
        settings = CasesSettings.model_validate(tables)
    except ValidationError as error:
        raise_all(Table(tables, (), places, CasesSettings).explain(error))
        raise AssertionError("pydantic found fault and named none") from None
    if ANONYMOUS in settings.who:
        where = places.where(("who", ANONYMOUS))
        raise ConfigError(f"[who.{ANONYMOUS}]: {ANONYMOUS} is whoever has no identity", where=where)
    people = {name: _identity(name, who) for name, who in settings.who.items()}
    return [
        Case(_found(people, case.who, places, at), case.method, case.path, case.expected, places.where(("cases", at)))
        for at, case in enumerate(settings.cases)
    ]


def _identity(name: str, who: WhoSettings) -> Identity:
    return Identity(
        subject=name, issuer=who.issuer, roles=who.roles, permissions=who.permissions, claims=who.claims, via="test"
    )


def _found(people: Mapping[str, Identity], who: str, places: Places, at: int) -> Identity | None:
    if who == ANONYMOUS:
        return None
    if who not in people:
        where = places.where(("cases", at, "who"))
        hint = did_you_mean(who, people) or f'[who.{who}] says who that is; "{ANONYMOUS}" has no identity'
        raise ConfigError(f"nobody is called {who!r}", where=where, hint=hint)
    return people[who]


def _is(found: Rehearsal, expected: int | str) -> bool:
    if expected == "allow":
        return found.allowed
    given = found.verdict
    match given:
        case Deny():
            return expected in ("deny", given.status, given.code)
        case Answer():
            return expected == given.status
        case _:
            return False


def _shown(found: Rehearsal) -> str:
    given = found.verdict
    match given:
        case None if not found.known:
            return "nothing: a policy can only be asked in a house that runs"
        case None:
            return "allow: the path is open" if found.plan.open else "allow"
        case Allow():
            return f"allow: {given.reason}{_rule(given.rule)}"
        case Deny():
            return f"{given.status} {given.code}: {given.reason}{_rule(given.rule)}"
        case Answer():
            return str(given.status)


def _rule(rule: str) -> str:
    return f" (rule {rule})" if rule else ""
