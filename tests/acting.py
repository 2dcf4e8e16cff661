"""A plugin per stage and colour (plain or async) that does as its settings say: what the property test is made of.

`ACTING["vet", True]` is the table of an async guard at `vet`; add `act` to it.
"""

import asyncio
from typing import Any, Final, Literal

from narthex import Allow, Answer, Deny, DependencyError, Exchange, House, Identity, Settings, hookimpl
from tests.guests import seat

SECRET: Final = "the-secret-detail"  # in every exception; must never reach a client
Act = Literal[
    "none", "deny401", "deny403", "deny429", "answer", "allow", "alice", "header",
    "raise", "dependency", "timeout", "cancel", "nonsense", "falsy", "awaitable", "bytes", "hang",
]  # fmt: skip


class ActSettings(Settings):
    """What the hook does."""

    act: Act = "none"


async def _late() -> None:
    """Be an awaitable where a value was due."""


_GIVEN: Final[dict[str, Any]] = {
    "none": None,
    "deny401": Deny(401, "test_401", SECRET),
    "deny403": Deny(403, "test_403", SECRET),
    "deny429": Deny(429, "test_429", SECRET, retry_after=1.5),
    "answer": Answer(204, [(b"x-answer", b"yes")]),
    "allow": Allow("the test says so"),
    "alice": Identity(subject="alice", roles=frozenset({"user"})),
    "nonsense": SECRET,
    "falsy": 0,
    "header": [(b"x-acted", b"yes")],
    "bytes": [(b"x-split", b"a\r\nb: c")],
}


def perform(act: Act) -> Any:
    """Do it."""
    match act:
        case "raise":
            raise RuntimeError(SECRET)
        case "dependency":
            raise DependencyError(SECRET, retry_after=2)
        case "timeout":
            raise TimeoutError(SECRET)
        case "cancel":
            raise asyncio.CancelledError(SECRET)
        case "awaitable":
            return _late()
        case _:
            return _GIVEN[act]


def _acting(stage: str, *, waits: bool) -> type[Any]:
    def __init__(self: Any, settings: ActSettings, house: House) -> None:  # noqa: N807
        self.act = settings.act

    def plain(self: Any, exchange: Exchange) -> Any:
        exchange.state.setdefault("asked", []).append(stage)
        return perform(self.act)

    async def waiting(self: Any, exchange: Exchange) -> Any:
        exchange.state.setdefault("asked", []).append(stage)
        await asyncio.sleep(0)
        if self.act == "hang":
            await asyncio.Event().wait()
        return perform(self.act)

    hook = hookimpl(waiting if waits else plain)
    return type("Acting", (), {"name": "acting", "Settings": ActSettings, "__init__": __init__, stage: hook})


ACTING: Final = {
    (stage, waits): seat(_acting(stage, waits=waits))
    for stage in ("admit", "authenticate", "vet", "authorize", "witness", "respond", "observe")
    for waits in (False, True)
}
