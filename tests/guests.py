"""Test-only plugins, so that every stage is exercised. Named in a configuration as "tests.guests:Name"."""

import asyncio
import itertools
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

from narthex import Allow, Answer, Deny, DependencyError, Exchange, House, Identity, Settings, hookimpl
from narthex.paths import Pattern, binds

Mood = Literal["pass", "deny", "answer", "raise", "hang", "nonsense", "dependency"]


class NoSettings(Settings):
    """Nothing to set."""


class PersonSettings(Settings):
    """How strict the identifier is."""

    header: str = "x-test-user"


class Person:
    """Believe a header: `x-test-user: alice admin` is subject alice with role admin."""

    name = "person"
    Settings = PersonSettings

    def __init__(self, settings: PersonSettings, house: House) -> None:
        self._header = settings.header
        self._clock = house.clock

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | Deny | None:
        value = exchange.headers.get(self._header)
        if value is None:
            return None
        subject, *roles = value.split()
        if subject == "bad":
            return Deny(401, "token_invalid", "the test says so")
        expires = float(exchange.headers.get("x-test-expires", 0)) or None
        return Identity(
            subject=subject,
            roles=frozenset(roles),
            token_id=f"token-{subject}",
            session_id="s1",
            expires_at=expires,
        )


class RuleSettings(Settings):
    """One rule."""

    path: str = "/**"
    methods: tuple[str, ...] = ()
    role: str = "admin"


class Rule:
    """Allow everything but a path that needs a role."""

    name = "rule"
    Settings = RuleSettings

    def __init__(self, settings: RuleSettings, house: House) -> None:
        self._settings = settings
        self._pattern = Pattern(settings.path)

    @hookimpl
    def authorize(self, exchange: Exchange) -> Allow | Deny:
        bound = self._pattern.matches(exchange.route_path) and binds(self._settings.methods, exchange.method)
        if not bound:
            return Allow("no rule binds")
        if exchange.identity is not None and self._settings.role in exchange.identity.roles:
            return Allow("has the role", rule=self._settings.path)
        return Deny(401 if exchange.identity is None else 403, "role_required", rule=self._settings.path)


class MoodSettings(Settings):
    """What the hooks do."""

    mood: Mood = "pass"
    status: int = 403


async def behave(mood: Mood, status: int) -> Any:
    """Do what the mood says, waiting a little first."""
    await asyncio.sleep(0)
    if mood == "hang":
        await asyncio.Event().wait()
    return act(mood, status)


def act(mood: Mood, status: int) -> Any:
    """Do what the mood says, at once."""
    moods: dict[str, Callable[[], Any]] = {
        "pass": lambda: None,
        "deny": lambda: Deny(status, "test_denied"),
        "answer": lambda: Answer(204),
        "nonsense": lambda: 42,
    }
    if mood == "dependency":
        raise DependencyError("the store does not answer", retry_after=3)
    if mood in ("raise", "hang"):
        raise RuntimeError("secret detail")
    return moods[mood]()


class PlainGuard:
    """A guard with a mood, at `vet`."""

    name = "plain-guard"
    Settings = MoodSettings

    def __init__(self, settings: MoodSettings, house: House) -> None:
        self._settings = settings

    @hookimpl
    def vet(self, exchange: Exchange) -> Any:
        return act(self._settings.mood, self._settings.status)


class AsyncGuard:
    """A guard with a mood, at `admit`, that waits."""

    name = "async-guard"
    Settings = MoodSettings

    def __init__(self, settings: MoodSettings, house: House) -> None:
        self._settings = settings

    @hookimpl
    async def admit(self, exchange: Exchange) -> Any:
        return await behave(self._settings.mood, self._settings.status)


class Watcher:
    """An observer that remembers, and raises where its mood says so."""

    name = "watcher"
    Settings = MoodSettings
    seen: list[Exchange] = []  # noqa: RUF012  tests read what every instance saw

    def __init__(self, settings: MoodSettings, house: House) -> None:
        self._settings = settings

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        if self._settings.mood == "raise":
            raise RuntimeError("secret detail")
        return [(b"x-watched", b"yes")]

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        act(self._settings.mood, self._settings.status)


_count = itertools.count(1)


def seat(made: type[Any], **keys: object) -> dict[str, object]:
    """A plugin table for a class made inside a test: it is hung up in this module, where `use` finds it."""
    name = f"Seated{next(_count)}"
    setattr(sys.modules[__name__], name, made)
    return {"use": f"{__name__}:{name}", **keys}


def offer(keys: Mapping[str, object] | None = None, /, **hooks: Callable[..., Any]) -> dict[str, object]:
    """A plugin table whose plugin has these functions for hooks; they take what the hook takes, no `self`.

    Args:
        keys: further keys of the table: `mode`, `timeout`.
        hooks: hook name to function.
    """

    def __init__(self: Any, settings: NoSettings, house: House) -> None:  # noqa: N807  becomes the class's own
        type(self).house = house

    body: dict[str, object] = {name: staticmethod(hookimpl(function)) for name, function in hooks.items()}
    made = type("Offered", (), {"name": "offered", "Settings": NoSettings, "__init__": __init__, **body})
    return seat(made, **keys or {})


def eye(seen: list[Exchange]) -> dict[str, object]:
    """A plugin table whose plugin observes every exchange into a list."""
    return offer(observe=lambda exchange: seen.append(exchange))  # noqa: PLW0108  a hook names its argument
