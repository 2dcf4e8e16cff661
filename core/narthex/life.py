"""The life of the house: units start in order and are released in reverse, each in one task of its own.

    new --start--> starting --> serving --stop--> stopping --> stopped --start--> ...
                       |
                       +--> failed  (a later request tries again after a while)

The tasks matter: what a plugin enters in `start` (an exit stack, a task group) can only be left by the task that
entered it, and the server's request tasks come and go. When the loop is torn down under us every task is cancelled,
and each waits for those that started after it before it releases what it holds.
"""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Final

from narthex.errors import StartError

_log = logging.getLogger("narthex.lifespan")

RETRY = 5.0  # seconds before a request may try again to start a house that failed to

Act = Callable[[], Awaitable[None]]


class State(Enum):
    """Where the house is in its life."""

    NEW = "new"
    STARTING = "starting"
    SERVING = "serving"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Unit:
    """Something that starts and stops: a plugin, the store, the app's lifespan. Starts once.

    Attributes:
        error: why it could not be started, or None.
    """

    def __init__(self, name: str, start: Act, stop: Act) -> None:
        self.name = name
        self.error: BaseException | None = None
        self._start = start
        self._stop = stop
        self._up = asyncio.Event()
        self._leave = asyncio.Event()
        self._starting = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, later: "Callable[[Unit], Sequence[Unit]]") -> None:
        """Start it, and return when it has started or failed to, which `error` tells.

        Args:
            later: gives the units that stand on this one, the last one last.
        """
        self._starting = True
        # Not in the context of the request that happens to be the first.
        self._task = asyncio.get_running_loop().create_task(
            self._live(later), name=f"narthex: {self.name}", context=contextvars.Context()
        )
        await self._up.wait()

    async def stop(self) -> None:
        """Release what it holds; returns when that is done. Nothing where it was not started.

        A start that is under way is cancelled: it may never end.
        """
        self._leave.set()
        if self._task is not None and self._starting:
            self._task.cancel()
        await self.gone()

    async def gone(self) -> None:
        """Wait until it holds nothing."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _live(self, later: "Callable[[Unit], Sequence[Unit]]") -> None:
        _log.debug("starting %s", self.name)
        try:
            await self._start()
            self._starting = False
            self._up.set()
            await self._leave.wait()
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                self.error = RuntimeError("it was stopped before it had started")
                raise
            _log.exception("%s could not be started", self.name)
            self.error = error
        finally:
            self._starting = False
            if not self._leave.is_set():  # nobody says in which order: the loop is torn down
                for unit in reversed(later(self)):
                    await unit.gone()
            # Released even where its own start failed half-way: it knows best what it has opened.
            await self._release()
            self._up.set()

    async def _release(self) -> None:
        try:
            await self._stop()
        except asyncio.CancelledError:
            _log.warning("the stop of %s was cancelled", self.name)
        except Exception:  # noqa: BLE001  the others still have to stop
            _log.exception("%s could not be stopped cleanly", self.name)


_keepers: Final[set[asyncio.Task[None]]] = set()
"""A loop holds its tasks weakly: a house that nobody else holds would be swept away with all that it has opened."""


class Life:
    """Starts and stops a sequence of units.

    Args:
        units: gives new ones, in order of start, for each life.
        monotonic: the clock that spaces attempts.

    Attributes:
        state: where it is.
        serving: every unit has started, none is being released, and exchanges are still let in; each exchange asks.
    """

    def __init__(self, units: Callable[[], Sequence[Unit]], monotonic: Callable[[], float]) -> None:
        self._make = units
        self._monotonic = monotonic
        self._units: list[Unit] = []
        self._failed_at = 0.0
        self._failed: Unit | None = None
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None
        self._started: asyncio.Event | None = None
        self._leave: asyncio.Event | None = None
        self.state = State.NEW
        self.serving = False

    def _become(self, state: State) -> None:
        self.state = state
        self._open_or_not()

    def _open_or_not(self) -> None:
        self.serving = self.state is State.SERVING and not self._closed

    def _is(self, state: State) -> bool:
        return self.state is state

    async def start(self) -> None:
        """Start every unit, or wait for whoever is doing so.

        Raises:
            StartError: a unit could not be started; those before it have been released again.
        """
        self._closed = False
        self._open_or_not()
        await self._start()

    async def _start(self) -> None:
        if self.state is State.SERVING:
            return
        if self.state is State.STOPPING and self._keeper is not None:
            await asyncio.wait([self._keeper])
        if self.state is not State.STARTING:
            self._launch()
        assert self._started is not None  # noqa: S101  set together with the state
        await self._started.wait()
        if self._failed is not None:
            error = self._failed.error
            raise StartError(f"{self._failed.name} could not be started: {error}") from error
        if not self._is(State.SERVING):
            raise StartError("the house is going down")

    def begin(self) -> None:
        """Start without waiting for it, where no lifespan came and nothing is under way."""
        if self._may_start() and self.state not in (State.STARTING, State.SERVING):
            self._launch()

    async def ensure(self) -> bool:
        """Start on the first request where no lifespan came; False while it cannot be served."""
        if not self._may_start():
            return False
        try:
            await self._start()
        except StartError:
            return False
        return self.serving

    def _may_start(self) -> bool:
        if self._closed:
            return False
        failed_just_now = self.state is State.FAILED and self._monotonic() - self._failed_at < RETRY
        return not failed_just_now and self.state is not State.STOPPING

    def _launch(self) -> None:
        self._become(State.STARTING)
        self._failed = None
        self._started, self._leave = asyncio.Event(), asyncio.Event()
        self._keeper = asyncio.get_running_loop().create_task(
            self._keep(self._started, self._leave), name="narthex keeper", context=contextvars.Context()
        )
        _keepers.add(self._keeper)
        self._keeper.add_done_callback(_keepers.discard)

    def refuse(self) -> None:
        """Let nothing in any more; what is under way goes on."""
        self._closed = True
        self._open_or_not()

    async def close(self) -> None:
        """Stop for good: after the server's shutdown a late request does not start the house again."""
        self.refuse()
        await self.stop()

    async def stop(self) -> None:
        """Release every unit in reverse; returns when the last one is."""
        if self._keeper is not None and self._leave is not None:
            self._leave.set()
            await asyncio.wait([self._keeper])

    async def add(self, units: Sequence[Unit]) -> None:
        """Start more units while serving.

        Raises:
            StartError: one could not be started; none of them is left.
        """
        complete, failed = False, None
        try:
            failed = await self._first_that_fails(units)
            complete = failed is None
        finally:
            if not complete:  # also where whoever asked for them has gone
                await self.remove([unit for unit in units if unit in self._units])
        if failed is not None:
            raise StartError(f"{failed.name} could not be started: {failed.error}") from failed.error

    async def _first_that_fails(self, units: Sequence[Unit]) -> Unit | None:
        for unit in units:
            if not await self._begin(unit):
                return unit
        return None

    async def remove(self, units: Sequence[Unit]) -> None:
        """Release units, the last one first, while the others serve on."""
        for unit in reversed(units):
            await unit.stop()
            if unit in self._units:
                self._units.remove(unit)

    def has(self, name: str) -> bool:
        """Whether a unit of that name is up."""
        return any(unit.name == name for unit in self._units)

    def arrange(self, order: Callable[[Unit], int]) -> None:
        """Say anew in which order units are released."""
        self._units.sort(key=order)

    async def _keep(self, started: asyncio.Event, leave: asyncio.Event) -> None:
        try:
            for unit in self._make():
                if not await self._begin(unit):
                    self._failed = unit
                    break
            else:
                self._become(State.SERVING)
                started.set()
                await leave.wait()
        finally:
            self._become(State.STOPPING)
            while self._units:
                await self._units[-1].stop()
                self._units.pop()
            self._failed_at = self._monotonic()
            self._become(State.FAILED if self._failed is not None else State.STOPPED)
            started.set()

    async def _begin(self, unit: Unit) -> bool:
        self._units.append(unit)
        await unit.start(self._later)
        return unit.error is None

    def _later(self, unit: Unit) -> Sequence[Unit]:
        """The units that started after this one."""
        return self._units[self._units.index(unit) + 1 :] if unit in self._units else ()
