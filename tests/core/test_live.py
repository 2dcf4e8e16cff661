"""What lives long is ended by token, session and subject, and when its token expires."""

import asyncio
import time
from typing import Any

import pytest

from narthex import Identity, Narthex
from narthex.asgi import Message, Receive, Scope, Send
from narthex.ending import Gone
from narthex.testing import Reply, config, http_scope, websocket_scope
from tests.apps import Hello, app_of, body, start
from tests.guests import offer


class Visitor:
    """One exchange behind an identifier, driven by hand."""

    def __init__(self, app: Any, scope: Scope | None = None, *, narthex: Any = None, **identity: Any) -> None:
        who = Identity(subject="alice", token_id="t1", session_id="s1", **identity)
        self.reply = Reply()
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.sent = asyncio.Event()
        self.house = Narthex(app, {"narthex": narthex or {}, **config(auth=offer(authenticate=lambda exchange: who))})
        self.scope = scope or http_scope("GET", "/")

    async def _send(self, message: Message) -> None:
        self.reply.messages.append(message)
        self.sent.set()

    def begin(self) -> None:
        self.task = asyncio.ensure_future(self.house(self.scope, self.incoming.get, self._send))

    async def known(self) -> None:
        """Wait until the caller has been identified; what the app itself waits for is the test's business."""
        async with asyncio.timeout(10):
            while not any(exchange.identity for exchange in self.house._estate.live):
                await asyncio.sleep(0.001)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.reply.messages) < count:
                self.sent.clear()
                await self.sent.wait()

    def close(self, **by: Any) -> int:
        return self.house._estate.live.close(**by)


async def stream(receive: Receive, send: Send) -> None:
    await send(start())
    while True:
        await send(body(b"tick", more=True))
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("by", [{"token_id": "t1"}, {"session_id": "s1"}, {"subject": "alice"}])
def test_a_stream_is_ended_by_token_session_or_subject_with_its_last_chunk(by: dict[str, str]) -> None:
    async def main() -> list[Message]:
        visitor = Visitor(app_of(stream))
        visitor.begin()
        await visitor.until(3)
        assert visitor.close(**by) == 1
        await asyncio.wait_for(visitor.task, 10)
        return visitor.reply.messages

    messages = asyncio.run(main())
    assert messages[-1] == body()
    assert messages.count(body()) == 1


def test_a_stream_is_ended_also_from_a_thread() -> None:
    async def main() -> list[Message]:
        visitor = Visitor(app_of(stream))
        visitor.begin()
        await visitor.until(3)
        assert await asyncio.to_thread(visitor.close, subject="alice") == 1
        await asyncio.wait_for(visitor.task, 10)
        return visitor.reply.messages

    assert asyncio.run(main())[-1] == body()


def test_what_matches_nobody_closes_nothing_and_criteria_must_all_match() -> None:
    async def main() -> None:
        visitor = Visitor(app_of(stream))
        visitor.begin()
        await visitor.until(2)
        assert visitor.close(subject="bob") == 0
        assert visitor.close(subject="alice", token_id="t2") == 0
        with pytest.raises(ValueError, match="which exchanges"):
            visitor.close()
        assert not visitor.task.done()
        visitor.task.cancel()

    asyncio.run(main())


def test_a_websocket_is_closed_with_4401_and_the_app_sees_a_disconnect() -> None:
    seen: list[Message] = []

    async def app(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "again"})
        seen.append(message)

    async def main() -> list[Message]:
        visitor = Visitor(app_of(app), websocket_scope("/"))
        visitor.incoming.put_nowait({"type": "websocket.connect"})
        visitor.begin()
        await visitor.until(1)
        visitor.close(subject="alice", reason="revoked")
        await visitor.until(2)
        visitor.incoming.put_nowait({"type": "websocket.receive", "text": "too late"})
        await asyncio.wait([visitor.task])
        return visitor.reply.messages

    assert asyncio.run(main())[1:] == [{"type": "websocket.close", "code": 4401, "reason": "revoked"}]
    assert not seen or seen[0]["type"] == "websocket.disconnect"


def test_an_app_that_ignores_its_end_is_cancelled_after_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narthex.ending.GRACE", 0.01)

    async def app(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    async def main() -> bool:
        visitor = Visitor(app_of(app), websocket_scope("/"))
        visitor.incoming.put_nowait({"type": "websocket.connect"})
        visitor.begin()
        await visitor.until(1)
        visitor.close(subject="alice")
        await asyncio.wait_for(visitor.task, 10)  # the server sees no cancellation
        return visitor.task.cancelled()

    assert asyncio.run(main()) is False


@pytest.mark.parametrize("broken", ["hangs", "raises"])
def test_a_client_that_takes_no_last_word_does_not_keep_the_app_alive(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narthex.ending.GRACE", 0.01)

    class Deaf(Visitor):
        async def _send(self, message: Message) -> None:
            if message == body():
                if broken == "raises":
                    raise OSError("gone")
                await asyncio.Event().wait()
            await super()._send(message)

    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"tick", more=True))
        await asyncio.Event().wait()

    async def main() -> list[Message]:
        visitor = Deaf(app_of(app))
        visitor.begin()
        await visitor.until(2)
        visitor.close(subject="alice")
        await asyncio.wait_for(visitor.task, 10)
        return visitor.reply.messages

    assert asyncio.run(main()) == [start(), body(b"tick", more=True)]


def test_a_cancellation_from_elsewhere_passes_also_while_the_house_ends_the_exchange() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"tick", more=True))
        await asyncio.Event().wait()

    async def main() -> bool:
        visitor = Visitor(app_of(app))
        visitor.begin()
        await visitor.until(2)
        visitor.close(subject="alice")
        await visitor.until(3)
        visitor.task.cancel()
        await asyncio.wait([visitor.task])
        return visitor.task.cancelled()

    assert asyncio.run(main())


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"4"),)])
def test_an_answer_in_one_piece_is_left_alone(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    async def main() -> Reply:
        gate, entered = asyncio.Event(), asyncio.Event()

        async def app(receive: Receive, send: Send) -> None:
            entered.set()
            await gate.wait()
            await send(start(200, *headers))
            await send(body(b"done"))

        visitor = Visitor(app_of(app))
        visitor.begin()
        await entered.wait()
        assert visitor.close(subject="alice") == 1
        gate.set()
        await visitor.task
        return visitor.reply

    reply = asyncio.run(main())
    assert (reply.body, reply.complete) == (b"done", True)


def test_an_app_that_raises_after_its_caller_was_revoked_is_not_passed_over_in_silence() -> None:
    async def main() -> object:
        gate = asyncio.Event()

        async def app(receive: Receive, send: Send) -> None:
            await gate.wait()
            raise LookupError("broken")

        visitor = Visitor(app_of(app))
        visitor.begin()
        await visitor.known()
        visitor.close(subject="alice")
        gate.set()
        await asyncio.wait([visitor.task])
        return visitor.task.exception()

    assert isinstance(asyncio.run(main()), LookupError)


def test_nothing_of_a_stream_leaves_once_its_caller_was_revoked_before_its_first_chunk() -> None:
    async def main() -> list[Message]:
        gate = asyncio.Event()

        async def app(receive: Receive, send: Send) -> None:
            await send(start())
            await gate.wait()
            await send(body(b"secret", more=True))
            await asyncio.sleep(1)

        visitor = Visitor(app_of(app))
        visitor.begin()
        await visitor.until(1)
        visitor.close(subject="alice")
        gate.set()
        await visitor.until(2)
        visitor.task.cancel()
        return visitor.reply.messages

    assert asyncio.run(main()) == [start(), body()]


def test_an_event_stream_is_ended_also_before_its_first_event() -> None:
    begin = start(200, (b"content-type", b"text/event-stream; charset=utf-8"))

    async def app(receive: Receive, send: Send) -> None:
        await send(begin)
        await asyncio.Event().wait()

    async def main() -> list[Message]:
        visitor = Visitor(app_of(app))
        visitor.begin()
        await visitor.until(1)
        visitor.close(subject="alice")
        await visitor.until(2)
        visitor.task.cancel()
        return visitor.reply.messages

    assert asyncio.run(main()) == [begin, body()]


def test_a_stream_of_known_length_is_cut_instead_of_ended_short() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-length", b"1000")))
        while True:
            await send(body(b"tick", more=True))
            await asyncio.sleep(0.001)

    async def main() -> list[Message]:
        visitor = Visitor(app_of(app))
        visitor.begin()
        await visitor.until(2)
        visitor.close(subject="alice")
        await asyncio.wait_for(visitor.task, 10)
        return visitor.reply.messages

    assert all(message["more_body"] for message in asyncio.run(main())[1:])


def test_the_app_learns_of_its_end_by_an_oserror_as_asgi_has_it() -> None:
    errors: list[Exception] = []

    async def app(receive: Receive, send: Send) -> None:
        try:
            await stream(receive, send)
        except OSError as error:
            errors.append(error)

    async def main() -> None:
        visitor = Visitor(app_of(app))
        visitor.begin()
        await visitor.until(2)
        visitor.close(subject="alice")
        await asyncio.wait_for(visitor.task, 10)

    asyncio.run(main())
    assert [type(error) for error in errors] == [Gone]


def test_a_stream_that_ends_by_itself_as_it_is_closed_ends_once() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"tick", more=True))
        visitors[0].close(subject="alice")
        await send(body(b"last"))

    visitors: list[Visitor] = []

    async def main() -> list[Message]:
        visitors.append(Visitor(app_of(app)))
        visitors[0].begin()
        await visitors[0].task
        await asyncio.sleep(0.01)
        return visitors[0].reply.messages

    assert asyncio.run(main()) == [start(), body(b"tick", more=True), body(b"last")]


def test_a_websocket_revoked_before_its_accept_is_refused() -> None:
    async def main() -> Reply:
        gate = asyncio.Event()

        async def app(receive: Receive, send: Send) -> None:
            await receive()
            await gate.wait()
            await send({"type": "websocket.accept"})

        visitor = Visitor(app_of(app), websocket_scope("/"))
        visitor.incoming.put_nowait({"type": "websocket.connect"})
        visitor.begin()
        await visitor.known()
        visitor.close(subject="alice")
        gate.set()
        await visitor.task
        return visitor.reply

    reply = asyncio.run(main())
    assert (reply.status, b'"session_ended"' in reply.body) == (401, True)


def test_a_close_reason_fits_into_its_frame() -> None:
    async def main() -> Message:
        visitor = Visitor(Hello(), websocket_scope("/"))
        visitor.incoming.put_nowait({"type": "websocket.connect"})
        visitor.begin()
        await visitor.until(1)
        visitor.close(subject="alice", reason="ü" * 100)
        await visitor.until(2)
        visitor.task.cancel()
        return visitor.reply.messages[1]

    assert len(asyncio.run(main())["reason"].encode()) == 122


# -- expiry


def expiring(outlive: str, clock_ahead: float) -> list[Message]:
    async def main() -> list[Message]:
        visitor = Visitor(app_of(stream), narthex={"outlive": outlive}, expires_at=time.time() + clock_ahead)
        visitor.begin()
        await asyncio.wait([visitor.task], timeout=10 if outlive == "token" else 4 * clock_ahead)
        visitor.task.cancel()
        return visitor.reply.messages

    return asyncio.run(main())


def test_a_stream_ends_when_its_token_expires() -> None:
    messages = expiring("token", 0.5)
    assert messages[-1] == body()
    assert len(messages) > 2


def test_with_outlive_session_a_stream_lives_on() -> None:
    assert body() not in expiring("session", 0.05)


def test_a_socket_is_closed_with_4401_when_its_token_expires() -> None:
    async def main() -> Message:
        visitor = Visitor(Hello(), websocket_scope("/"), expires_at=time.time() + 0.05)
        visitor.incoming.put_nowait({"type": "websocket.connect"})
        visitor.begin()
        await visitor.until(2)
        visitor.task.cancel()
        return visitor.reply.messages[1]

    assert asyncio.run(main()) == {"type": "websocket.close", "code": 4401, "reason": "expired"}
