"""A queue of notifications whose process is killed, or whose disk fails: the victim of `test_notifications`.

Each line in the pipe is one system call and tells one thing.

    acknowledged NUMBER ID          `notify` has returned
    unavailable NUMBER              it may be there or not
    unstarted MESSAGE               the house did not start
    resumed NUMBER                  after whatever went wrong, one was taken again
    done                            the run came to its end
"""

import asyncio
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, event

import narthex_plugins.notifications.plugin  # noqa: F401  imported once, before the forks
from narthex.errors import BootError, DependencyError
from narthex.testing import Client
from narthex_plugins.notifications import notify
from tests.fault.workload import ATTEMPTS, checkpoint_often

LAST: Final = 1000
"""Numbers from here on are those at the end of a patient run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does: so many groups of notifications, `size` at once, sent meanwhile to the log.

    Attributes:
        patient: a start that fails is tried again, and more are queued at the end until one is taken.
    """

    database: Path
    groups: int = 5
    size: int = 4
    patient: bool = False


def settings(database: Path) -> dict[str, Any]:
    """A house with the plugin and nothing else; what fails is tried again at once."""
    channel = {"backoff": "10ms", "longest": "50ms", "attempts": 100, "timeout": "1s"}
    table = {"log": {"lines": channel}, "poll": "50ms"}
    return {"narthex": {"store": f"sqlite:///{database}"}, "plugins": {"notifications": table}}


class Run:
    """One life of a house, told down a pipe."""

    def __init__(self, plan: Plan, pipe: int) -> None:
        self._plan = plan
        self._pipe = pipe

    def tell(self, *words: object) -> None:
        """Say one thing, whole, in one system call."""
        os.write(self._pipe, (" ".join(map(str, words)) + "\n").encode())

    def live(self) -> None:
        """Start, queue, send, stop."""
        while True:
            try:
                with Client(config=settings(self._plan.database)) as client:
                    for group in range(self._plan.groups):
                        first = 1 + group * self._plan.size
                        client.run(self._at_once(range(first, first + self._plan.size)))
                    if self._plan.patient:
                        client.run(self._insist())
                break
            except BootError as error:
                self.tell("unstarted", error)
                if not self._plan.patient:
                    raise
        self.tell("done")

    async def _at_once(self, numbers: range) -> None:
        await asyncio.gather(*map(self._put, numbers))
        await asyncio.sleep(0.03)  # some are sent while the next are queued

    async def _put(self, number: int) -> bool:
        try:
            id_ = await notify("lines", "message", {"subject": str(number), "text": ""}, dedup_key=str(number))
        except DependencyError:
            self.tell("unavailable", number)
            return False
        self.tell("acknowledged", number, int(id_, 16))
        return True

    async def _insist(self) -> None:
        for number in range(LAST, LAST + ATTEMPTS):
            if await self._put(number):
                self.tell("resumed", number)
                return
            await asyncio.sleep(0.05)


def main(plan: Plan, pipe: Pipe, go: Pipe) -> None:
    """Wait until somebody has taken hold of this process, then live; its log goes to a file beside the database."""
    os.dup2(os.open(f"{plan.database}.stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    event.listen(Engine, "connect", checkpoint_often)
    go.recv_bytes()
    Run(plan, pipe.fileno()).live()
