"""Tasks of the app that go on by themselves: what they say at the moment the house answers or ends is not heard."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from narthex import Exchange, Narthex, Outside, Refused, require_role
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.ending import Gone
from narthex.testing import config, request, websocket_scope
from tests.apps import app_of, body, start
from tests.core.test_live import Visitor
from tests.guests import offer


@require_role("engineer")
def for_engineers() -> None:
    """Refuse everybody here."""


def for_engineers_quietly() -> None:
    """Refuse, and go on as if nothing had been said."""
    with suppress(Refused):
        for_engineers()


def silent(exchange: Exchange) -> None:
    """A hook that has nothing to say."""


class Aside:
    """Runs a coroutine beside the app, and keeps what it raised."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def raised(self) -> list[BaseException | None]:
        return [
            one if isinstance(one, BaseException) else None
            for one in await asyncio.gather(*self.tasks, return_exceptions=True)
        ]


def through(send_wrapper: Callable[[Send], Send]) -> Any:
    """A plugin with a wrapper outside of the walk, which sees all that is sent."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send_wrapper(send))

        return wrapped

    return offer(wrap=lambda: Outside(wrap))


def slowly(send: Send) -> Send:
    async def slow(message: Message) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        await send(message)

    return slow


def test_a_refusal_on_its_way_through_a_wrapper_is_not_mixed_with_what_a_task_still_sends() -> None:
    aside = Aside()

    async def app(receive: Receive, send: Send) -> None:
        async def talk() -> None:
            while True:
                await send(body(b"app", more=True))
                await asyncio.sleep(0)

        async def say_once() -> None:
            await asyncio.sleep(0)
            await send(body(b"app"))

        async def begin() -> None:
            await asyncio.sleep(0)
            await send(start(200))

        for_engineers_quietly()
        for one in (talk(), say_once(), begin()):
            aside(one)

    async def main() -> list[Message]:
        reply = await request(Narthex(app_of(app), config(slow=through(slowly))), "GET", "/")
        raised = await aside.raised()
        assert isinstance(raised[0], Gone)  # or it would talk for ever
        assert raised[1:] == [None, None]
        return reply.messages

    messages = asyncio.run(main())
    assert [(one["type"], one.get("status")) for one in messages] == [
        ("http.response.start", 401),
        ("http.response.body", None),
    ]
    assert b"authentication_required" in messages[1]["body"]


@pytest.mark.parametrize("hook", ["respond", "witness"])
def test_a_start_that_waits_for_a_hook_gives_way_to_the_refusal_that_comes_between(hook: str) -> None:
    aside = Aside()
    released = asyncio.Event()
    asked: list[int | None] = []

    async def waiting(exchange: Exchange) -> None:
        asked.append(exchange.status)
        if exchange.status == 200 and asked.count(200) == 1:
            await released.wait()

    async def app(receive: Receive, send: Send) -> None:
        async def refuse() -> None:
            for_engineers_quietly()
            await send(start(200))
            released.set()

        aside(refuse())
        await send(start(200))
        await send(body(b"secret"))

    async def main() -> list[Message]:
        reply = await request(Narthex(app_of(app), config(slow=offer(**{hook: waiting}))), "GET", "/")
        assert await aside.raised() == [None]
        return reply.messages

    messages = asyncio.run(main())
    assert [one.get("status") for one in messages] == [401, None]
    assert b"secret" not in messages[1]["body"]


def test_a_refusal_while_a_start_waits_for_a_hook_replaces_it_though_nobody_sends_anything_more() -> None:
    aside = Aside()

    async def respond(exchange: Exchange) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def app(receive: Receive, send: Send) -> None:
        async def refuse() -> None:
            for_engineers_quietly()

        aside(refuse())
        await send(start(200))
        await send(body(b"secret"))

    reply = asyncio.run(request(Narthex(app_of(app), config(slow=offer(respond=respond))), "GET", "/"))
    assert [one.get("status") for one in reply.messages] == [401, None]
    assert b"secret" not in reply.messages[1]["body"]


def test_an_accept_that_a_task_sends_while_a_refusal_waits_for_connect_is_dropped() -> None:
    aside = Aside()

    async def app(receive: Receive, send: Send) -> None:
        async def accept() -> None:
            await send({"type": "websocket.accept"})

        for_engineers_quietly()
        aside(accept())

    async def main() -> list[Message]:
        incoming: asyncio.Queue[Message] = asyncio.Queue()
        said: list[Message] = []

        async def hear(message: Message) -> None:
            said.append(message)

        house = Narthex(app_of(app), config(a=offer(observe=silent)))
        walk = asyncio.ensure_future(house(websocket_scope("/"), incoming.get, hear))
        while not aside.tasks:
            await asyncio.sleep(0)
        assert await aside.raised() == [None]
        incoming.put_nowait({"type": "websocket.connect"})
        await walk
        return said

    assert [one["type"].rpartition(".")[2] for one in asyncio.run(main())] == ["start", "body"]


def test_a_cancellation_is_not_taken_for_the_waking_of_another_task_that_receives() -> None:
    aside = Aside()
    listening = 0

    async def app(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})

        async def listen() -> None:
            nonlocal listening
            listening += 1
            await receive()

        aside(listen())
        await listen()

    async def main() -> None:
        visitor = Visitor(app_of(app), websocket_scope("/"))
        visitor.incoming.put_nowait({"type": "websocket.connect"})
        visitor.begin()
        while listening < 2:
            await asyncio.sleep(0)
        assert visitor.close(subject="alice") == 1
        await visitor.until(2)
        visitor.task.cancel()
        await asyncio.wait([visitor.task])
        assert visitor.task.cancelled()
        await aside.raised()

    asyncio.run(main())


def test_a_second_start_that_waited_for_a_hook_is_dropped_where_a_guard_has_refused_since_the_first() -> None:
    aside = Aside()
    waiting = asyncio.Event()
    released = asyncio.Event()
    asked = 0

    async def respond(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            waiting.set()
            await released.wait()

    async def app(receive: Receive, send: Send) -> None:
        async def begin() -> None:
            await send(start(200))

        aside(begin())
        await waiting.wait()
        await send(start(201))
        for_engineers_quietly()
        released.set()
        assert await aside.raised() == [None]
        await send(body(b"secret"))

    reply = asyncio.run(request(Narthex(app_of(app), config(slow=offer(respond=respond))), "GET", "/"))
    assert reply.messages == [start(201)]  # and the server cuts it, since it has no end


@pytest.mark.parametrize(
    "illegal",
    [
        {"type": "http.response.start"},
        {"type": "http.response.start", "status": "200"},
        {"type": "http.response.start", "status": 200, "headers": [("a", "b")]},
    ],
)
def test_a_stream_that_no_server_has_begun_is_not_ended_by_a_chunk_of_the_house(illegal: dict[str, Any]) -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(dict(illegal))
        await send(body(b"tick", more=True))
        await receive()

    async def main() -> list[Message]:
        visitor = Visitor(app_of(app))
        visitor.begin()
        await visitor.until(2)
        assert visitor.close(subject="alice") == 1
        await visitor.task
        return visitor.reply.messages

    assert asyncio.run(main()) == [illegal, body(b"tick", more=True)]


def test_an_exception_that_a_wrapper_outside_has_answered_is_no_error_of_the_exchange() -> None:
    seen: list[BaseException | None] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            with suppress(RuntimeError):
                await app(scope, receive, send)
            await send(start(502))
            await send(body())

        return wrapped

    def observe(exchange: Exchange) -> None:
        seen.append(exchange.error)

    async def app(receive: Receive, send: Send) -> None:
        raise RuntimeError("no")

    tables = config(outside=offer(wrap=lambda: Outside(wrap)), eye=offer(observe=observe))
    reply = asyncio.run(request(Narthex(app_of(app), tables), "GET", "/"))
    assert (reply.status, seen) == (502, [None])
