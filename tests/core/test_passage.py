"""The one `send` and `receive` between server and app: what passes, what is replaced, cut, witnessed and ended."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from narthex import Deny, Exchange, Narthex, Refused, require_role
from narthex.asgi import Message, Receive, Send
from narthex.events import ExchangeRefused
from narthex.testing import Reply, config, drive, http_scope, request, websocket
from tests.apps import Hello, app_of, body, start
from tests.guests import eye, offer


@require_role("engineer")
def for_engineers() -> None:
    """Refuse everybody here."""


# -- counting and passing on


def test_bytes_are_counted_in_both_directions_and_messages_stay_as_they_are() -> None:
    seen: list[Exchange] = []

    async def echo(receive: Receive, send: Send) -> None:
        message = await receive()
        await send(start())
        await send(body(message["body"], more=True))
        await send(body(b"!"))

    house = Narthex(app_of(echo), config(eye=eye(seen)))
    reply = asyncio.run(request(house, "POST", "/", body=b"hello"))
    assert reply.messages == [start(), body(b"hello", more=True), body(b"!")]
    assert (seen[0].bytes_in, seen[0].bytes_out, seen[0].status) == (5, 6, 200)
    assert seen[0].ended is not None


def test_websocket_payloads_are_counted_as_they_travel() -> None:
    seen: list[Exchange] = []
    house = Narthex(Hello(), config(eye=eye(seen)))
    reply = asyncio.run(websocket(house, "/", ["abc", "ü"]))
    assert [one["text"] for one in reply.messages[1:]] == ["abc", "ü"]
    assert (seen[0].bytes_in, seen[0].bytes_out, seen[0].status) == (5, 5, 101)


@pytest.mark.parametrize("extra", ["http.response.trailers", "http.response.debug", "http.response.push", "x.own"])
def test_messages_of_extensions_pass_unchanged(extra: str) -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send({"type": extra, "headers": [(b"a", b"b")]})
        await send(start())
        await send(body(b"x"))

    house = Narthex(app_of(app), config(eye=offer(observe=lambda exchange: None)))
    assert asyncio.run(request(house, "GET", "/")).messages[0] == {"type": extra, "headers": [(b"a", b"b")]}


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
def test_files_sent_by_the_server_end_the_response(kind: str) -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send({"type": kind, "path": "/a", "file": 3})

    seen: list[Exchange] = []
    house = Narthex(app_of(app), config(eye=eye(seen)))
    assert asyncio.run(request(house, "GET", "/")).messages[1] == {"type": kind, "path": "/a", "file": 3}
    assert seen[0].ended is not None


def test_a_second_start_is_the_servers_to_judge_and_gets_no_headers_again() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(start(404))

    seen: list[Exchange] = []
    tables = config(a=offer(respond=lambda exchange: [(b"x-once", b"1")]), eye=eye(seen))
    reply = asyncio.run(request(Narthex(app_of(app), tables), "GET", "/"))
    assert reply.messages == [start(200, (b"x-once", b"1")), start(404)]
    assert seen[0].status == 200


def test_repeated_response_headers_are_kept_and_ours_are_appended() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start(200, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")))
        await send(body())

    house = Narthex(app_of(app), config(a=offer(respond=lambda exchange: [(b"set-cookie", b"c=3")])))
    reply = asyncio.run(request(house, "GET", "/"))
    assert reply.headers.getlist("set-cookie") == ["a=1", "b=2", "c=3"]


def test_the_apps_own_message_is_not_written_to() -> None:
    mine = start(200, (b"a", b"b"))

    async def app(receive: Receive, send: Send) -> None:
        await send(mine)
        await send(body())

    house = Narthex(app_of(app), config(a=offer(respond=lambda exchange: [(b"x-more", b"1")])))
    assert len(asyncio.run(request(house, "GET", "/")).starts[0]["headers"]) == 2
    assert mine == start(200, (b"a", b"b"))


# -- a guard's refusal inside the app


def test_a_guard_that_refuses_in_a_hook_of_the_start_is_heard_before_it_leaves() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"for engineers"))

    def respond(exchange: Exchange) -> list[tuple[bytes, bytes]]:
        with suppress(Refused):
            for_engineers()
        return [(b"x-a", b"1")]

    reply = asyncio.run(request(Narthex(app_of(app), config(a=offer(respond=respond))), "GET", "/"))
    assert (reply.status, reply.headers.getlist("x-a")) == (401, ["1"])
    assert b"for engineers" not in reply.body


def test_a_refusal_that_the_app_answers_with_success_stands() -> None:
    async def app(receive: Receive, send: Send) -> None:
        try:
            for_engineers()
        except Refused:
            await send(start(200, (b"x-app", b"secret")))
            await send(body(b"secret", more=True))
            await send(body(b"secret"))

    seen: list[Exchange] = []
    house = Narthex(app_of(app), config(eye=eye(seen)))
    reply = asyncio.run(request(house, "GET", "/"))
    assert (reply.status, b"secret" in reply.body, "x-app" in reply.headers) == (401, False, False)
    assert isinstance(seen[0].verdict, Deny)


def test_a_refusal_after_the_start_cuts_the_stream_without_its_last_chunk_and_is_counted() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first", more=True))
        for_engineers()

    told: list[str] = []
    house = Narthex(app_of(app))
    house._estate.events.subscribe(ExchangeRefused, lambda event: told.append(event.code))
    reply = asyncio.run(request(house, "GET", "/"))
    assert (reply.messages[1:], reply.complete) == ([body(b"first", more=True)], False)
    assert isinstance(reply.error, Refused)
    assert told == ["authentication_required"]


def test_a_refusal_after_the_start_that_the_app_caught_mutes_it() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first", more=True))
        try:
            for_engineers()
        except Refused:
            await send({"type": "http.response.trailers", "headers": [(b"x-app", b"second")]})
            await send(body(b"second", more=True))
            assert (await receive())["type"] == "http.disconnect"
            await send(body(b"third"))

    reply = asyncio.run(drive(Narthex(app_of(app)), http_scope("GET", "/"), []))
    assert (reply.messages, reply.error) == ([start(), body(b"first", more=True)], None)


def test_a_refusal_in_an_accepted_websocket_closes_it_with_1008() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for_engineers()

    reply = asyncio.run(websocket(Narthex(app_of(app)), "/"))
    assert [message["type"] for message in reply.messages] == ["websocket.accept", "websocket.close"]
    assert (reply.messages[1]["code"], reply.error) == (1008, None)


def test_a_refusal_in_a_background_task_changes_nothing_that_was_sent() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"whole"))
        for_engineers()

    reply = asyncio.run(request(Narthex(app_of(app)), "GET", "/"))
    assert (reply.status, reply.body, reply.error) == (200, b"whole", None)


def test_a_group_of_refusals_is_a_refusal() -> None:
    async def app(receive: Receive, send: Send) -> None:
        async def part() -> None:
            for_engineers()

        async with asyncio.TaskGroup() as group:
            group.create_task(part())
            group.create_task(part())

    reply = asyncio.run(request(Narthex(app_of(app)), "GET", "/"))
    assert (reply.status, reply.error) == (401, None)


def test_early_hints_of_a_refused_app_do_not_leave() -> None:
    async def app(receive: Receive, send: Send) -> None:
        try:
            for_engineers()
        except Refused:
            await send({"type": "http.response.early_hint", "links": [b"</secret>"]})
            await send(start())

    reply = asyncio.run(request(Narthex(app_of(app)), "GET", "/"))
    assert [message["type"] for message in reply.messages] == ["http.response.start", "http.response.body"]
    assert reply.status == 401


def test_the_refusal_of_a_head_has_the_length_but_not_the_body_of_the_others() -> None:
    house = Narthex(Hello(), config(a=offer(vet=lambda exchange: Deny(403, "closed"))))
    head = asyncio.run(request(house, "HEAD", "/", [("x-request-id", "a")]))
    get = asyncio.run(request(house, "GET", "/", [("x-request-id", "a")]))
    assert (head.status, head.body, head.complete) == (403, b"", True)
    assert head.headers.raw == get.headers.raw


# -- witnesses


class Records:
    """A witness that remembers what it saw, and fails when told."""

    def __init__(self, fails: Callable[[Exchange], bool] = lambda exchange: False) -> None:
        self.kept: list[int | None] = []
        self.fails = fails

    def table(self, **more: Any) -> dict[str, object]:
        def witness(exchange: Exchange) -> None:
            if self.fails(exchange):
                raise OSError("disk full: secret detail")
            self.kept.append(exchange.status)

        return offer(witness=witness, **more)


def run_with(records: Records, app: Any = None, **more: Any) -> Reply:
    return asyncio.run(request(Narthex(app or Hello(), config(audit=records.table(**more))), "GET", "/"))


def test_intent_and_outcome_are_witnessed_once_each() -> None:
    records = Records()
    assert run_with(records).status == 200
    assert records.kept == [None, 200]


def test_an_intent_that_cannot_be_kept_refuses_and_says_that_the_app_was_not_reached() -> None:
    records, app = Records(lambda exchange: True), Hello()
    reply = run_with(records, app)
    assert (reply.status, app.reached) == (503, False)
    assert b'"intent_unrecorded"' in reply.body
    assert b"secret" not in reply.body


def test_an_intent_that_cannot_be_kept_has_its_outcome_kept_where_that_works_again() -> None:
    records = Records(lambda exchange: exchange.status is None)
    assert b'"intent_unrecorded"' in run_with(records).body
    assert records.kept == [503]


def test_an_outcome_that_cannot_be_kept_replaces_the_answer() -> None:
    records = Records(lambda exchange: exchange.status == 200)
    reply = run_with(records)
    assert (reply.status, len(reply.starts), b"hello" in reply.body) == (503, 1, False)
    assert b'"outcome_unrecorded"' in reply.body
    assert records.kept == [None]


def test_a_refusal_is_witnessed_before_its_bytes_leave() -> None:
    records = Records()
    assert run_with(records, vet=lambda exchange: Deny(403, "closed")).status == 403
    assert records.kept == [403]


def test_a_refusal_that_cannot_be_kept_becomes_503() -> None:
    records = Records(lambda exchange: exchange.status == 403)
    reply = run_with(records, vet=lambda exchange: Deny(403, "closed"))
    assert (reply.status, len(reply.starts)) == (503, 1)


def test_a_guards_refusal_inside_the_app_is_witnessed_as_what_the_client_sees() -> None:
    async def app(receive: Receive, send: Send) -> None:
        for_engineers()

    records = Records()
    assert run_with(records, app_of(app)).status == 401
    assert records.kept == [None, 401]


def test_an_app_that_raises_has_its_500_witnessed() -> None:
    async def app(receive: Receive, send: Send) -> None:
        raise LookupError("broken")

    records = Records()
    reply = run_with(records, app_of(app))
    assert (reply.messages, type(reply.error), records.kept) == ([], LookupError, [None, 500])


def test_a_500_that_cannot_be_witnessed_is_answered_503() -> None:
    async def app(receive: Receive, send: Send) -> None:
        raise LookupError("broken")

    reply = run_with(Records(lambda exchange: exchange.status == 500), app_of(app))
    assert (reply.status, type(reply.error)) == (503, LookupError)
    assert b'"outcome_unrecorded"' in reply.body


@pytest.mark.parametrize("denial", [True, False])
def test_a_websocket_is_witnessed_before_it_is_accepted_or_refused(denial: bool) -> None:
    records = Records(lambda exchange: exchange.status == 101)
    house = Narthex(Hello(), config(audit=records.table()))
    reply = asyncio.run(websocket(house, "/", denial=denial))
    assert "websocket.accept" not in [message["type"] for message in reply.messages]
    assert (reply.status or reply.messages[0]["code"]) == (503 if denial else 1008)


def test_a_websocket_that_the_app_refuses_is_witnessed_as_403() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1000})

    records = Records()
    house = Narthex(app_of(app), config(audit=records.table()))
    assert asyncio.run(websocket(house, "/")).messages == [{"type": "websocket.close", "code": 1000}]
    assert records.kept == [None, 403]


def test_a_start_that_the_server_does_not_take_is_none_and_the_next_one_gets_the_plugins_headers() -> None:
    async def app(receive: Receive, send: Send) -> None:
        with suppress(TypeError):
            await send(start(200, ("not", "bytes")))  # type: ignore[arg-type]
        await send(start(500))
        await send(body(b"sorry"))

    said: list[Message] = []

    async def server(message: Message) -> None:
        if any(isinstance(name, str) for name, _ in message.get("headers", ())):
            raise TypeError("header fields are bytes")
        said.append(message)

    house = Narthex(app_of(app), config(a=offer(respond=lambda exchange: [(b"x-a", b"1")])))
    asyncio.run(house(http_scope("GET", "/"), asyncio.Event().wait, server))  # type: ignore[arg-type]
    assert said == [start(500, (b"x-a", b"1")), body(b"sorry")]
