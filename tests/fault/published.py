"""A house that streams durable events, whose process is killed, or whose disk fails: the victim of `test_events`.

acknowledged NUMBER ID          `publish` has returned
shown NUMBER ID                 a stream has sent it to its server
unavailable NUMBER              DependencyError: it may be kept or not
unstarted MESSAGE               the house did not start
resumed NUMBER                  after whatever went wrong, an event was kept again
done                            the run came to its end
"""

import asyncio
import json
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, event

import narthex_plugins.events.plugin  # noqa: F401  imported once, before the forks
from narthex import Narthex
from narthex.errors import BootError, DependencyError
from narthex.testing import Client, Hello, config
from narthex_plugins import events
from tests.fault.workload import ATTEMPTS, body, checkpoint_often

LAST: Final = 1000
"""Numbers from here on are those of events at the end of a patient run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does: so many groups of events, `size` at once.

    Attributes:
        patient: a start that fails is tried again, and events are published at the end until one is kept.
        early: whether it lies: it acknowledges before `publish` has returned, to show that the tests would see it.
    """

    database: Path
    groups: int = 5
    size: int = 4
    patient: bool = False
    early: bool = False


class Run:
    """One life of a house, told down a pipe."""

    def __init__(self, plan: Plan, pipe: int) -> None:
        self._plan = plan
        self._pipe = pipe

    def tell(self, *words: object) -> None:
        """Say one thing, whole, in one system call."""
        os.write(self._pipe, (" ".join(map(str, words)) + "\n").encode())

    def live(self) -> None:
        """Start, publish, stop."""
        while True:
            try:
                with Client(Narthex(Hello(), settings(self._plan.database))) as client:
                    client.run(self._work(client.house))
                break
            except BootError as error:
                self.tell("unstarted", error)
                if not self._plan.patient:
                    raise
        self.tell("done")

    async def _work(self, house: Narthex) -> None:
        reading = asyncio.create_task(self._read(house))
        await asyncio.sleep(0)
        for group in range(self._plan.groups):
            first = 1 + group * self._plan.size
            await asyncio.gather(*(self._publish(number) for number in range(first, first + self._plan.size)))
        if self._plan.patient:
            await self._insist()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def _publish(self, number: int) -> bool:
        if self._plan.early:
            self.tell("acknowledged", number, "0-0")
        try:
            kept = await events.publish("kept.fault", {"number": number, "body": body(number)})
        except DependencyError:
            self.tell("unavailable", number)
            return False
        if not self._plan.early:
            self.tell("acknowledged", number, kept)
        return True

    async def _insist(self) -> None:
        for number in range(LAST, LAST + ATTEMPTS):
            if await self._publish(number):
                self.tell("resumed", number)
                return
            await asyncio.sleep(0.05)

    async def _read(self, house: Narthex) -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            for line in message.get("body", b"").splitlines():
                if line.startswith(b'data: {"id"'):
                    given = json.loads(line[6:])
                    self.tell("shown", given["data"]["number"], given["id"])

        asgi = {"version": "3.0", "spec_version": "2.3"}
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/_narthex/events", "query_string": b""}
        scope |= {"headers": [], "http_version": "1.1", "scheme": "http", "asgi": asgi}
        await house(scope, receive, send)


def settings(database: Path) -> dict[str, object]:
    """A house with the plugin and one durable topic, and nothing else."""
    topics = [{"topic": "kept.>", "read": "public", "durable": True}]
    return config({"store": f"sqlite:///{database}"}, events={"topics": topics, "house": False})


def main(plan: Plan, pipe: Pipe, go: Pipe) -> None:
    """Wait until somebody has taken hold of this process, then live; its log goes to a file beside the database."""
    os.dup2(os.open(f"{plan.database}.stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    event.listen(Engine, "connect", checkpoint_often)
    go.recv_bytes()
    Run(plan, pipe.fileno()).live()
