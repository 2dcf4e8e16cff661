"""A house in strict mode whose process is killed, or whose disk fails: the victim of `test_audit`.

Each line in the pipe is one system call and tells one thing; "acknowledged" is written once the whole answer is there.

    acknowledged NUMBER STATUS      the request was answered
    unavailable NUMBER CODE         503: it may have been done or not, and the log says which
    unstarted MESSAGE               the house did not start
    resumed NUMBER                  after whatever went wrong, a request was answered again
    done                            the run came to its end
"""

import asyncio
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event

import narthex_plugins.audit.plugin  # noqa: F401  imported once, before the forks
from narthex import Narthex
from narthex.asgi import Receive, Scope, Send
from narthex.errors import BootError
from narthex.secrets import Secret
from narthex.testing import Client, config, request
from tests.fault.workload import ATTEMPTS, checkpoint_often

LAST: Final = 1000
"""Numbers from here on are those of requests at the end of a patient run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does: so many groups of requests, `size` at once.

    Attributes:
        patient: a start that fails is tried again, and requests are made at the end until one is answered.
        early: whether it lies: it acknowledges before the house has answered, to show that the tests would see it.
    """

    database: Path
    groups: int = 5
    size: int = 4
    patient: bool = False
    early: bool = False


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer "done"."""
    if scope["type"] == "lifespan":
        raise NotImplementedError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


class Run:
    """One life of a house, told down a pipe."""

    def __init__(self, plan: Plan, pipe: int) -> None:
        self._plan = plan
        self._pipe = pipe

    def tell(self, *words: object) -> None:
        """Say one thing, whole, in one system call."""
        os.write(self._pipe, (" ".join(map(str, words)) + "\n").encode())

    def live(self) -> None:
        """Start, answer, stop."""
        while True:
            try:
                with Client(Narthex(app, settings(self._plan.database))) as client:
                    for group in range(self._plan.groups):
                        first = 1 + group * self._plan.size
                        client.run(self._at_once(client.house, range(first, first + self._plan.size)))
                    if self._plan.patient:
                        client.run(self._insist(client.house))
                break
            except BootError as error:
                self.tell("unstarted", error)
                if not self._plan.patient:
                    raise
        self.tell("done")

    async def _at_once(self, house: Narthex, numbers: range) -> None:
        await asyncio.gather(*(self._ask(house, number) for number in numbers))

    async def _ask(self, house: Narthex, number: int) -> bool:
        if self._plan.early:
            self.tell("acknowledged", number, 200)
        reply = await request(house, "POST", f"/jobs/{number}")
        if reply.status == 503:
            self.tell("unavailable", number, reply.json()["code"])
            return False
        if not self._plan.early:
            self.tell("acknowledged", number, reply.status)
        return True

    async def _insist(self, house: Narthex) -> None:
        for number in range(LAST, LAST + ATTEMPTS):
            if await self._ask(house, number):
                self.tell("resumed", number)
                return
            await asyncio.sleep(0.05)


def settings(database: Path) -> dict[str, object]:
    """A house with the plugin in strict mode, and nothing else."""
    house = {"store": f"sqlite:///{database}", "secret_key": Secret("0123456789abcdef" * 2)}
    return config(house, audit={"durability": "strict", "events": False})


def main(plan: Plan, pipe: Pipe, go: Pipe) -> None:
    """Wait until somebody has taken hold of this process, then live; its log goes to a file beside the database."""
    os.dup2(os.open(f"{plan.database}.stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    event.listen(Engine, "connect", checkpoint_often)
    go.recv_bytes()
    Run(plan, pipe.fileno()).live()
