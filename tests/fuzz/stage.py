"""Where cases are played: one loop, and the houses of one block, which have started before the first case."""

import asyncio
import contextvars
import copy
import sys
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from narthex import Narthex
from narthex.asgi import Message
from tests.fuzz.case import Case, Plan
from tests.fuzz.houses import JumpingClock, build, watch_guards
from tests.fuzz.loop import JumpingLoop
from tests.fuzz.oracle import judge
from tests.fuzz.play import Play, playing


class Stage:
    """Plays cases, each to its end."""

    def __init__(self) -> None:
        self.loop = JumpingLoop()
        self.clock = JumpingClock(self.loop)
        self._houses: dict[Plan, _Open] = {}

    def close(self) -> None:
        """Stop the houses and the loop."""
        for server in reversed(self._houses.values()):  # each gives back the signals that it took
            self._shut(server)
        self._houses.clear()
        self.loop.close()

    def play(self, case: Case) -> Play:
        """Play the case to its end, and judge it.

        Returns:
            the play; its `faults` are empty if all was well.
        """
        loop = self.loop
        house = (self._houses.get(case.plan) or self._open(case.plan)).house
        loop.created, loop.faults, loop.turns = [], [], 0
        self.clock.skew, self.clock.since = 0.0, loop.time()
        watch_guards(case)
        play = Play(case, loop)
        play.live, play.clock = house._estate.live, self.clock
        before = dict(case.scope)
        for key in ("headers", "extensions", "state", "asgi"):
            if key in before:
                before[key] = copy.copy(before[key])
        context = contextvars.Context()
        context.run(playing.set, play)
        loop.idle = play.idle
        play.task = loop.create_task(house(case.scope, play.receive, play.send), name="exchange", context=context)
        _caught.clear()
        loop.run_forever()
        judge(play, before)
        play.faults += _caught
        for key in play.set_keys:
            if key in before:
                case.scope[key] = before[key]
            else:
                case.scope.pop(key, None)
        loop.idle = bool
        if play.faults:
            self._shut(self._houses.pop(case.plan))  # it may be broken; the next case gets a new one
        return play

    def _open(self, plan: Plan) -> "_Open":
        house = build(plan, self.clock)
        server = _Open(house)
        self._houses[plan] = server
        self._run(server.live())
        if server.said != ["lifespan.startup.complete"]:
            raise RuntimeError(f"the house did not start: {server.said}")
        return server

    def _shut(self, server: "_Open") -> None:
        server.orders.put_nowait({"type": "lifespan.shutdown"})
        self._run(None)
        if server.said[1:] != ["lifespan.shutdown.complete"]:
            raise RuntimeError(f"the house did not stop: {server.said}")

    def _run(self, work: Coroutine[Any, Any, None] | None) -> None:
        """Let the loop come to rest."""
        self.loop.idle = bool
        self.loop.turns = 0
        if work is not None:
            self.loop.create_task(work, name="lifespan", context=contextvars.Context())
        self.loop.run_forever()


class _Open:
    """A house that serves, and the server's end of its lifespan."""

    def __init__(self, house: Narthex) -> None:
        self.house = house
        self.said: list[str] = []
        self.orders: asyncio.Queue[Message] = asyncio.Queue()
        self.orders.put_nowait({"type": "lifespan.startup"})

    async def live(self) -> None:
        """Run the lifespan from start to stop."""
        await self.house({"type": "lifespan", "asgi": {"version": "3.0"}}, self.orders.get, self._hear)

    async def _hear(self, message: Message) -> None:
        self.said.append(message["type"])


_caught: list[str] = []


@contextmanager
def listening() -> Iterator[None]:
    """Take note of what Python can only complain about: coroutines never awaited, exceptions in destructors."""
    before = sys.unraisablehook

    def note(unraisable: Any) -> None:
        _caught.append(f"unraisable: {unraisable.exc_value!r} in {unraisable.object!r}")

    sys.unraisablehook = note
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        sys.unraisablehook = before
