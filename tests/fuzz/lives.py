"""Lives of a house: started by a lifespan or by a request, with plugins and an app that fail, hang and come late.

Each life is a house of its own, some requests at random moments, and a server that may stop it at any of them.
"""

import asyncio
import contextvars
import random
import signal
from dataclasses import dataclass, field
from typing import Any, Final

from narthex import Exchange, House, Narthex, Settings, hookimpl
from narthex.asgi import Message, Receive, Scope, Send
from narthex.testing import http_scope
from tests.fuzz.case import dice
from tests.fuzz.houses import JumpingClock
from tests.fuzz.loop import JumpingLoop

EVERY: Final = 250  # cases for one life
_ACTS: Final = ("well", "well", "well", "well", "waits", "raises", "weird", "cancels", "hangs a while")
_APPS: Final = ("unknown", "complete", "complete", "failed", "raises late", "returns", "lingers", "twice", "nonsense")


class LifeError(Exception):
    """Raised by a plugin or by the app."""


@dataclass
class Life:
    """What one life is made of, and what has become of it.

    Attributes:
        starts, stops: what each plugin does then.
        app: how the app takes a lifespan.
        running: plugins that have started and not stopped; `order` says in which order they did.
    """

    starts: list[str]
    stops: list[str]
    app: str
    driven: bool
    running: list[int] = field(default_factory=list[int])
    stopped: list[int] = field(default_factory=list[int])
    reached: int = 0
    faults: list[str] = field(default_factory=list[str])


class NoSettings(Settings):
    """Nothing to set."""


class Lodger:
    """A plugin that starts and stops as its life says, and admits nobody before it has started."""

    name = "lodger"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None:
        self.number = int(house.instance.removeprefix("lodger-"))
        self.life = _living.get()

    @hookimpl
    async def start(self) -> None:
        await _act(self.life.starts[self.number])
        self.life.running.append(self.number)

    @hookimpl
    async def stop(self) -> None:
        self.life.stopped.append(self.number)
        if self.number in self.life.running:
            self.life.running.remove(self.number)
        await _act(self.life.stops[self.number])

    @hookimpl
    def admit(self, exchange: Exchange) -> None:
        if self.number not in self.life.running:
            self.life.faults.append(f"plugin {self.number} was asked while it was not running")


_living: contextvars.ContextVar[Life] = contextvars.ContextVar("fuzz.living")


async def _act(what: str) -> None:
    if what == "waits":
        await asyncio.sleep(0)
    elif what == "hangs a while":
        await asyncio.sleep(30.0)
    elif what == "raises":
        raise LifeError("as the case says")
    elif what == "cancels":
        raise asyncio.CancelledError
    elif what == "weird":
        raise ExceptionGroup("as the case says", [LifeError()])


def play(seed: int, number: int) -> list[str]:
    """Live one life to its end; what the house did wrong."""
    rng = dice(seed, "life", number)
    plugins = rng.randrange(4)
    life = Life(
        [rng.choice(_ACTS) for _ in range(plugins)],
        [rng.choice(_ACTS) for _ in range(plugins)],
        rng.choice(_APPS),
        driven=rng.random() < 0.3,
    )
    loop = JumpingLoop()
    handlers = [(one, signal.getsignal(one)) for one in (signal.SIGTERM, signal.SIGINT)]
    try:
        contextvars.copy_context().run(_live, rng, life, loop)
    finally:
        loop.close()
        for one, handler in handlers:  # a house that nobody stops keeps them, as a server's process ends then
            signal.signal(one, handler)
    return [*life.faults, *loop.faults]


def _live(rng: random.Random, life: Life, loop: JumpingLoop) -> None:
    _living.set(life)
    tables = {f"lodger-{number}": {"use": f"{__name__}:Lodger"} for number in range(len(life.starts))}
    narthex = {"drive_lifespan": life.driven}
    house = Narthex(_app(life), {"narthex": narthex, "plugins": tables}, clock=JumpingClock(loop))
    server = _Server(rng, life, house, loop)
    main = loop.create_task(server.serve(), name="server")
    loop.idle = server.idle
    loop.run_forever()
    if not main.done():
        life.faults.append("the life did not come to its end")
    elif main.exception() is not None:
        life.faults.append(f"{main.exception()!r} left the house")
    left = [task.get_name() for task in loop.created if not task.done()]
    if server.lifespan is not None and left:
        life.faults.append(f"tasks left: {left}")
    for task in loop.created:
        task.cancel()
    loop.idle = bool
    loop.run_forever()
    if server.lifespan is not None and life.running:
        life.faults.append(f"plugins {life.running} were never stopped")


class _Server:
    """A server that may send lifespan events, serves requests meanwhile, and may cancel anything."""

    def __init__(self, rng: random.Random, life: Life, house: Narthex, loop: JumpingLoop) -> None:
        self.rng = rng
        self.life = life
        self.house = house
        self.loop = loop
        self.said: list[Message] = []
        self.orders: asyncio.Queue[Message] = asyncio.Queue()
        self.lifespan: asyncio.Task[Any] | None = None
        self._prods = 0

    def idle(self) -> bool:
        """Nothing moves: the server stops, once."""
        self._prods += 1
        if self._prods == 1 and self.lifespan is not None:
            self.orders.put_nowait({"type": "lifespan.shutdown"})
            return True
        return False

    async def serve(self) -> None:
        """Start, serve, stop."""
        rng = self.rng
        if rng.random() < 0.7:
            self.orders.put_nowait({"type": "lifespan.startup"})
            scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
            if rng.random() < 0.5:
                scope["state"] = {}
            self.lifespan = asyncio.get_running_loop().create_task(self._lifespan(scope), name="lifespan")
        for _ in range(rng.randrange(5)):
            await asyncio.sleep(rng.choice((0.0, 0.0, 1.0, 10.0, 60.0)))
            await self._request(cancelled=rng.random() < 0.2)
        if self.lifespan is not None:
            self.orders.put_nowait({"type": "lifespan.shutdown"})
            self._prods = 1
            await self.lifespan
            self._judge_lifespan()
            await self._request(cancelled=False, late=True)

    async def _lifespan(self, scope: Scope) -> None:
        async def send(message: Message) -> None:
            self.said.append(message)

        await self.house(scope, self.orders.get, send)

    async def _request(self, *, cancelled: bool, late: bool = False) -> None:
        life, before = self.life, self.life.reached
        told: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            told.append(message)

        async def ask() -> None:
            await self.house(http_scope("GET", "/"), receive, send)

        task = asyncio.get_running_loop().create_task(ask(), name="request")
        if cancelled:
            await asyncio.sleep(self.rng.choice((0.0, 0.1, 5.0)))
            task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            if not cancelled:
                life.faults.append("a request was cancelled by nobody")
            return
        if task.exception() is not None:
            life.faults.append(f"{task.exception()!r} left the house, for a request")
            return
        statuses = [message["status"] for message in told if "status" in message]
        if life.reached == before and statuses != [503]:
            life.faults.append(f"a request before the start was told {statuses}")
        served = bool(life.starts and self.said) and self.said[0]["type"] == "lifespan.startup.complete"
        # A house without plugins has nothing to start, and stays as transparent as no house.
        if late and served and life.reached > before:
            life.faults.append("the app was reached after the shutdown")

    def _judge_lifespan(self) -> None:
        kinds = [message["type"].removeprefix("lifespan.") for message in self.said]
        allowed = (
            ["startup.failed"],
            ["startup.complete", "shutdown.complete"],
            ["startup.complete", "shutdown.failed"],
        )
        if kinds not in allowed:
            self.life.faults.append(f"the lifespan said {kinds}")
        fine = {"well", "waits", "hangs a while"}
        good = all(act in fine for act in self.life.starts) and self.life.app != "failed"
        if kinds[:1] != ["startup.complete" if good else "startup.failed"]:
            self.life.faults.append(f"the lifespan said {kinds}, the start being {'well' if good else 'bad'}")


def _app(life: Life) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(life, receive, send)
            return
        life.reached += 1
        if sorted(life.running) != list(range(len(life.starts))):
            life.faults.append(f"the app was reached while only {life.running} were running")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})

    return app


async def _lifespan(life: Life, receive: Receive, send: Send) -> None:
    if life.app == "unknown":
        raise NotImplementedError("no lifespan")
    await receive()
    if life.app == "returns":
        return
    if life.app == "failed":
        await send({"type": "lifespan.startup.failed", "message": "as the case says"})
        return
    if life.app == "nonsense":
        await send({"type": "http.response.start", "status": 200})
    await send({"type": "lifespan.startup.complete"})
    if life.app == "raises late":
        raise LifeError("as the case says")
    if life.app == "twice":
        await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
    if life.app == "lingers":
        await asyncio.Event().wait()
