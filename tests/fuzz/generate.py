"""Case N of a seed."""

import random
from typing import Final

from tests.fuzz import scopes
from tests.fuzz.case import Case, Plan, dice
from tests.fuzz.houses import plan
from tests.fuzz.plugins import ACTS, FAULTS, STAGES
from tests.fuzz.scripts import script
from tests.fuzz.wrappers import ACTS as WRAPS

_EVENTS: Final = ("cancel", "cancel", "cancel", "close", "close", "disconnect", "disconnect", "jump", "set back")
_SERVERS: Final = ("strict", "strict", "gone", "send breaks", "receive breaks", "stalls")
_WAITING: Final = frozenset({"hang", "slow", "late", "convert"})


def case(seed: int, number: int) -> Case:
    """Make the case; the same for the same seed and number, on every machine."""
    house = plan(seed, number)
    rng = dice(seed, "case", number)
    chance = rng.random
    kind = "http" if chance() < 0.62 else "websocket"
    scope, plain = scopes.http(rng) if kind == "http" else scopes.websocket(rng)
    made = Case(
        house,
        scope,
        scopes.incoming(rng, kind),
        script(rng, kind, scope.get("extensions")),
        _acts(rng, house),
        plain=plain,
    )
    if chance() < 0.4:
        made.events = {rng.randrange(1, 14): rng.choice(_EVENTS) for _ in range(rng.choice((1, 1, 2)))}
    if chance() < 0.35:
        made.on_error = rng.choice(("swallow", "stop", "convert"))
    if chance() < 0.2:
        made.on_cancel = rng.choice(("swallow", "convert"))
    if chance() < 0.35:
        made.server = (rng.choice(_SERVERS), rng.randrange(1, 6))
    made.pace = rng.choice((0, 0, 0xFFFFFFFF, rng.getrandbits(32)))
    return made


def _acts(rng: random.Random, house: Plan) -> dict[tuple[int, str], str]:
    acts: dict[tuple[int, str], str] = {}
    chance = rng.random
    for number, seat in enumerate(house.seats):
        for hook in seat.hooks:
            pick = chance()
            if hook in STAGES:
                if pick < 0.12:
                    acts[number, hook] = rng.choice(ACTS[hook])
                elif pick < 0.22:
                    act = rng.choice(FAULTS)
                    if seat.waits != (act == "awaitable") and (seat.waits or act not in _WAITING):
                        acts[number, hook] = act
            elif hook.startswith("wrap ") and pick < 0.4:
                acts[number, hook] = rng.choice(WRAPS)
    return acts
