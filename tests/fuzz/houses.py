"""Which houses are built: random plugins in random order, and random keys of `[narthex]`."""

import random
from typing import Any

from narthex import Narthex, guards
from tests.fuzz.app import app
from tests.fuzz.case import BLOCK, GUARDS, HOUSES, Case, Plan, Seat, dice
from tests.fuzz.loop import JumpingLoop
from tests.fuzz.plugins import SETS, USES


class JumpingClock:
    """The house's clock: the loop's time, and a wall clock that may be set back."""

    def __init__(self, loop: JumpingLoop) -> None:
        self._loop = loop
        self.monotonic = loop.time
        self.boottime = loop.time
        self.skew = 0.0
        self.since = 0.0  # when the case began, so that each begins at the same wall time

    def now(self) -> float:
        """Seconds since the epoch."""
        return 1_700_000_000.0 + self._loop.time() - self.since + self.skew


def plan(seed: int, number: int) -> Plan:
    """The house before which case `number` is played."""
    which = dice(seed, number).randrange(HOUSES)
    return _plan(dice(seed, "house", number // BLOCK, which), bare=which == 0)


def _plan(rng: random.Random, *, bare: bool) -> Plan:
    if bare and rng.random() < 0.5:
        return Plan()
    seats: list[Seat] = []
    for _ in range(rng.choice((1, 2, 3, 4, 5, 7))):
        hooks = SETS[rng.randrange(len(SETS))]
        if "routes" in hooks and any("routes" in seat.hooks for seat in seats):
            continue  # they would claim the same paths
        waits = rng.random() < 0.5
        shadow = rng.random() < 0.12 and not set(GUARDS).isdisjoint(hooks)
        seats.append(Seat(hooks, waits, shadow, rng.choice((0.005, 1.0, 5.0))))
    return Plan(tuple(seats), tuple(_settings(rng).items()))


def _settings(rng: random.Random) -> dict[str, Any]:
    chance = rng.random
    settings: dict[str, Any] = {}
    if chance() < 0.5:
        settings["open"] = rng.choice((("/open/**",), ("/open", "/"), ("/**",), ("/a/**", "/open/x")))
    if chance() < 0.3:
        settings["quiet"] = rng.choice((("/quiet",), ("/**",)))
    if chance() < 0.35:
        settings["errors"] = "problem"
    if chance() < 0.5:
        settings["expose"] = tuple(one for one in ("starlette", "headers", "client") if chance() < 0.5)
    if chance() < 0.3:
        settings["strict_paths"] = False
    if chance() < 0.4:
        settings["trusted_proxies"] = rng.choice((("10.0.0.0/8",), ("unix",), ("fd00::/8", "10.0.0.1")))
    if chance() < 0.3:
        settings["outlive"] = "session"
    return settings


def build(what: Plan, clock: JumpingClock) -> Narthex:
    """Make the house. Cost: some milliseconds."""
    tables: dict[str, Any] = {}
    for number, seat in enumerate(what.seats):
        table: dict[str, Any] = {"use": USES[seat.hooks, seat.waits], "timeout": seat.timeout}
        if seat.shadow:
            table["mode"] = "shadow"
        tables[f"seat-{number}"] = table
    return Narthex(app, {"narthex": dict(what.settings), "plugins": tables}, clock=clock)


def watch_guards(case: Case) -> None:
    """A process without guarded functions takes the short way past an empty house; let both ways be walked."""
    guards.in_use = bool(case.plan.seats) or "'guard'" in repr(case.app)
