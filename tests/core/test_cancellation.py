"""The client goes: the server cancels the task, at whatever point it waits."""

import asyncio
from typing import Any

import pytest

from narthex import Allow, Exchange, Identity, Narthex, Outside
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.context import exchange_var
from narthex.testing import config, http_scope, websocket_scope
from tests.apps import app_of, body, start
from tests.guests import eye, offer


async def pause() -> None:
    await asyncio.sleep(0)


class Scene:
    """A house in which everything waits, and the exchanges that a last observer was told of."""

    def __init__(self) -> None:
        self.told: list[Exchange] = []
        self.sent: list[Message] = []

        def hook(given: Any = None) -> Any:
            async def waiting(exchange: Exchange) -> Any:
                await pause()
                return given

            return waiting

        async def observe(exchange: Exchange) -> None:
            await pause()  # where it may itself be interrupted; those after it are told all the same

        async def begin() -> None:
            await pause()

        stages = {name: hook() for name in ("admit", "vet", "witness", "respond")}
        who = Identity(subject="alice")
        table = offer(
            wrap=lambda: Outside(self.wrap),
            start=begin,
            authenticate=hook(who),
            authorize=hook(Allow()),
            observe=observe,
            **stages,
        )
        last = eye(self.told)
        self.house = Narthex(app_of(self.app), config(all=table, last=last))

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            await pause()
            await app(scope, receive, send)

        return wrapped

    async def app(self, receive: Receive, send: Send) -> None:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1000})
            return
        await send(start())
        await send(body(b"a", more=True))
        await send(body(b"b"))

    async def send(self, message: Message) -> None:
        await pause()
        self.sent.append(message)


async def cancelled_after(scene: Scene, scope: Scope, steps: int) -> asyncio.Task[None]:
    """Run the exchange and cancel it after so many turns of the loop."""

    async def receive() -> Message:
        await pause()
        return {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request"}

    async def call() -> None:
        try:
            await scene.house(scope, receive, scene.send)
        finally:
            assert exchange_var.get() is None

    task = asyncio.ensure_future(call())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    return task


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_client_that_goes_at_any_point_leaves_nothing_behind(kind: str) -> None:
    async def main() -> int:
        for steps in range(200):
            scene = Scene()
            await scene.house._life.start()
            scope = http_scope("GET", "/") if kind == "http" else websocket_scope("/")
            task = await cancelled_after(scene, scope, steps)
            assert len(scene.house._estate.live) == 0
            assert len(scene.told) == (0 if steps == 0 else 1)
            await scene.house._life.stop()
            if not task.cancelled():
                assert task.exception() is None
                return steps
        raise AssertionError("it never ended by itself")

    assert asyncio.run(main()) > 10


def test_a_client_that_goes_while_the_house_starts_does_not_stop_it() -> None:
    async def main() -> bool:
        scene = Scene()
        for steps in (1, 2, 3):
            assert (await cancelled_after(scene, http_scope("GET", "/"), steps)).cancelled()
        await scene.house._life.start()
        return scene.house._life.serving

    assert asyncio.run(main())
