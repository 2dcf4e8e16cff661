"""An event loop without a selector, whose clock jumps: a hook that hangs for an hour costs a microsecond.

Nothing here waits for the outside. When no callback is ready, time moves on to the next timer; when there is no timer
either, whoever drives the loop is asked what should happen next, or the loop stops.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, cast

LIVELOCK = 20_000  # turns of the loop; a case takes some dozens


class JumpingLoop(asyncio.BaseEventLoop):
    """Runs until nothing is left to do.

    Attributes:
        idle: asked when nothing is ready and no timer is set; False stops the loop.
        created: every task made since it was last cleared.
        faults: what reached the loop's exception handler since it was last cleared.
        turns: turns of the loop since it was last set to 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.idle: Callable[[], bool] = bool
        self.created: list[asyncio.Task[Any]] = []
        self.faults: list[str] = []
        self.turns = 0
        self._now = 0.0
        self._selector = self  # what `_run_once` asks for events
        self._clock_resolution = 1e-6  # so that a jump always arrives
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Seconds of the jumping clock."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Move the clock on, as a process that was stopped sees it."""
        self._now += seconds

    def select(self, timeout: float | None) -> Sequence[Any]:
        """Stand in for a selector: no event ever comes, so time passes at once."""
        self.turns += 1
        if self.turns > LIVELOCK:
            self.faults.append("livelock: the loop does not come to rest")
            self.stop()
        elif timeout is None:
            if not self.idle():
                self.stop()
        elif timeout > 0:
            self._now += timeout
        return ()

    def create_task(
        self,
        coro: Generator[Any, None, Any] | Coroutine[Any, Any, Any],
        *,
        name: Any = None,
        context: contextvars.Context | None = None,
    ) -> "asyncio.Task[Any]":
        """Make a task, and remember it."""
        task: asyncio.Task[Any] = asyncio.Task(
            cast("Coroutine[Any, Any, Any]", coro), loop=self, name=name, context=context
        )
        self.created.append(task)
        return task

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(f"{context.get('message')} {context.get('exception')!r}")

    def _process_events(self, _events: Sequence[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """There is no selector to wake."""
