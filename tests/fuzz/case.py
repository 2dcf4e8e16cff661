"""One case as plain data: what it takes to run it again, to shrink it and to print it."""

import random
from dataclasses import dataclass, field
from typing import Any

from narthex.asgi import Message, Scope

Op = tuple[str, Any]
"""One step of an app: its name and what it needs."""
GUARDS = ("admit", "authenticate", "vet", "authorize")
HOUSES = 6  # that a block of cases shares
BLOCK = 1000


@dataclass(frozen=True, slots=True)
class Seat:
    """One plugin of a house.

    Attributes:
        hooks: the stages it implements; with "wrap inside" or "wrap outside", or "routes", among them.
        waits: whether its hooks are async.
    """

    hooks: tuple[str, ...]
    waits: bool = False
    shadow: bool = False
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One house: its plugins, and its `[narthex]` table."""

    seats: tuple[Seat, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True)
class Case:
    """One exchange before one house.

    Attributes:
        incoming: what the server gives the app; after the last one it waits, and in the end it disconnects.
        app: what the app does.
        acts: seat number and hook, to what the hook does; what is missing does what a plugin usually does.
        events: number of the await, to what happens there: "cancel", "close", "disconnect", "jump", "set back".
        on_error: what the app makes of an exception out of `send` or `receive`.
        on_cancel: what it makes of being cancelled.
        server: how `send` and `receive` behave.
        pace: which awaits really yield, one bit each.
        plain: nothing about the scope is odd, so that only a plugin may refuse it.
    """

    plan: Plan
    scope: Scope
    incoming: list[Message] = field(default_factory=list[Message])
    app: list[Op] = field(default_factory=list[Op])
    acts: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    events: dict[int, str] = field(default_factory=dict[int, str])
    on_error: str = "raise"
    on_cancel: str = "raise"
    server: tuple[str, int] = ("kind", 0)
    pace: int = 0
    plain: bool = True


def dice(*parts: object) -> random.Random:
    """A generator that gives the same on every machine for the same parts."""
    return random.Random(":".join(map(str, parts)))
