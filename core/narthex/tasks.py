"""Supervised background tasks: one that fails is logged and started again, and none outlives the house."""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_log = logging.getLogger("narthex.tasks")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0
_STEADY = 60.0  # seconds without a fault after which the pause starts small again


Work = Callable[[], Awaitable[None]]


@dataclass(eq=False, slots=True)
class _Job:
    """Something to be run, and its task once it runs."""

    name: str
    work: Work
    task: asyncio.Task[None] | None = None


class Tasks:
    """The background tasks of one house, living on the loop that started it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[_Job] = []
        self._lasting: list[_Job] = []
        self._running = False

    def spawn(self, work: Work, name: str) -> Callable[[], None]:
        """Run `work` in the background; where it raises, again after 0.1 s to 30 s; where it returns, it is done.

        Called before start-up, it waits for it. The returned function ends it.
        """
        job = _Job(name, work)
        if self._running:
            self._begin(job)
        else:
            self._waiting.append(job)

        def end() -> None:
            for jobs in (self._waiting, self._lasting):
                if job in jobs:
                    jobs.remove(job)
            if job.task is not None:
                job.task.cancel()

        return end

    def _begin(self, job: "_Job") -> None:
        # In a context of its own: it must not go on as whoever's request happened to start it.
        job.task = asyncio.get_running_loop().create_task(
            _supervise(job.work, job.name), name=job.name, context=contextvars.Context()
        )
        self._tasks.add(job.task)
        job.task.add_done_callback(self._tasks.discard)

    def built(self) -> None:
        """Keep what was asked for while the house was built: nobody will ask again when it starts a second time."""
        self._lasting, self._waiting = self._waiting, []

    def start(self) -> None:
        """Begin with the tasks that were asked for before the loop ran."""
        self._running = True
        waiting, self._waiting = [*self._lasting, *self._waiting], []
        for job in waiting:
            self._begin(job)

    def forget(self) -> None:
        """Drop what a start that failed has asked for; the next start will ask again."""
        self._waiting.clear()

    async def stop(self) -> None:
        """Cancel every task and wait until it is gone."""
        self._running = False
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _supervise(work: Callable[[], Awaitable[None]], name: str) -> None:
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE
    while True:
        began = loop.time()
        try:
            await work()
        except Exception:  # noqa: BLE001  whatever the work raises
            if loop.time() - began > _STEADY:
                pause = _FIRST_PAUSE
            _log.exception("background task %s failed; again in %.1f s", name, pause)
        else:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
