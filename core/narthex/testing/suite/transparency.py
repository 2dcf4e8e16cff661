"""Checks of what passes through: app and client see each other as if the plugin were not there, and without delay."""

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.testing.client import Client
from narthex.testing.driving import Reply, drive, http_scope, websocket_scope
from narthex.testing.fakes import Hello
from narthex.testing.suite.listening import LONG, listening, timing
from narthex.testing.suite.subject import PATH, PATIENCE, Finding, Subject, needs_a_welcome

_FRAMING: Final = frozenset(
    b"content-length content-type content-encoding content-range transfer-encoding "
    b"connection upgrade trailer te location etag".split()
)
_REPEATED: Final = [(b"set-cookie", b"a=1"), (b"x-twice", b"1"), (b"set-cookie", b"b=2"), (b"x-twice", b"2")]


def _app(function: Callable[[Scope, Receive, Send], Awaitable[Any]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError("no lifespan")
        await function(scope, receive, send)

    return app


def _ask(subject: Subject, client: Client, *headers: tuple[bytes, bytes]) -> Reply:
    scope = http_scope("POST", PATH, subject.headers)
    scope["headers"] = [*scope["headers"], *headers]
    return client.run(drive(client.house, scope, [{"type": "http.request", "body": b"", "more_body": False}], PATIENCE))


def a_welcome_caller_comes_through(subject: Subject) -> None:
    """A request that it has no reason to refuse reaches the app."""
    app = Hello()
    with subject.client(app) as client:
        reply = client.get(PATH)
    if not app.reached:
        answer = f"{reply.status} {reply.body[:200].decode(errors='replace')}"
        raise Finding(
            f"it refused a plain GET {PATH}: {answer if reply.starts else reply.error!r}",
            "tell contract(...) how a welcome caller asks: headers=, identity=, clock= or settings=",
        )


@needs_a_welcome
def nothing_is_written_into_the_callers_scope(subject: Subject) -> None:
    """Servers and parents of the house find their scope as they left it."""
    with subject.client() as client:
        for scope in (http_scope("GET", PATH, subject.headers), websocket_scope(PATH, subject.headers)):
            before = copy.deepcopy(scope)
            incoming: list[Message] = [{"type": "http.request"}] if scope["type"] == "http" else [*_SOCKET]
            client.run(drive(client.house, scope, incoming, PATIENCE))
            changed = sorted(key for key in {*scope, *before} if scope.get(key) != before.get(key))
            if changed:
                raise Finding(
                    f"it wrote into the caller's {scope['type']} scope: {', '.join(changed)}",
                    "keep what belongs to the exchange in exchange.state; a wrapper gives the app {**scope, ...}",
                )


@needs_a_welcome
def repeated_headers_stay_apart(subject: Subject) -> None:
    """Several fields of one name arrive as they were sent, in order, both ways."""
    seen: list[tuple[bytes, bytes]] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(pair for pair in scope["headers"] if pair in _REPEATED)
        await send({"type": "http.response.start", "status": 200, "headers": [*_REPEATED]})
        await send({"type": "http.response.body", "body": b""})

    with subject.client(_app(answer)) as client:
        reply = _ask(subject, client, *_REPEATED)
    for side, found in (("app", seen), ("client", [one for one in reply.headers.raw if one in _REPEATED])):
        if found != _REPEATED:
            raise Finding(
                f"of header fields that came twice the {side} saw {found}",
                "never fold header fields into a dict; append to the list of pairs",
            )


@needs_a_welcome
def chunks_are_passed_on_at_once(subject: Subject) -> None:
    """No body is held back until it is whole, neither the request's nor the response's."""
    got = asyncio.Event()
    reply: list[bytes] = []

    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        got.set()
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await _until(lambda: b"first" in b"".join(reply))
        await send({"type": "http.response.body", "body": b"second"})

    async def receive() -> Message:
        if not offered:
            offered.append(True)
            return {"type": "http.request", "body": b"first", "more_body": True}
        await got.wait()
        return {"type": "http.request", "body": b"second", "more_body": False}

    async def send(message: Message) -> None:
        reply.append(message.get("body", b""))

    offered: list[bool] = []
    with subject.client(_app(streams)) as client:
        try:
            client.run(
                asyncio.wait_for(client.house(http_scope("POST", PATH, subject.headers), receive, send), PATIENCE)
            )
        except TimeoutError:
            side = "response" if got.is_set() else "request"
            raise Finding(
                f"the first chunk of the {side} was held back until the second came",
                "pass each message on as it comes; what looks at bodies looks at one chunk at a time",
            ) from None


@needs_a_welcome
def the_response_starts_once(subject: Subject) -> None:
    """The client sees one start, then body, then nothing."""
    with subject.client() as client:
        reply = client.get(PATH)
    kinds = [message["type"] for message in reply.messages]
    order = ["http.response.start", *["http.response.body"] * (len(kinds) - 1)]
    after = [message.get("more_body", False) for message in reply.messages[1:-1]]
    if kinds != order or not all(after):
        raise Finding(
            f"the client saw {', '.join(kinds) or 'nothing'}",
            "a wrapper passes each message on once; what a plugin answers itself is a Deny or an Answer it returns",
        )


@needs_a_welcome
def the_answer_is_the_apps_own(subject: Subject) -> None:
    """Status, body and header fields are the app's; what it adds stands after them and frames nothing."""
    own = [(b"content-length", b"5"), (b"content-type", b"text/plain"), (b"x-app", b"1")]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 207, "headers": [*own]})
        await send({"type": "http.response.body", "body": b"plain"})

    with subject.client(_app(answer)) as client:
        reply = _ask(subject, client)
    added = list(reply.headers.raw)[len(own) :]
    framing = sorted(name.decode() for name, _ in added if name.lower() in _FRAMING)
    if (reply.status, reply.body, list(reply.headers.raw)[: len(own)]) != (207, b"plain", own) or framing:
        raise Finding(
            f"the app answered 207 b'plain' with {own}; the client saw {reply.status} {reply.body!r} with "
            f"{list(reply.headers.raw)}",
            "an observer changes nothing; `respond` adds fields of its own, none that frames or describes the body",
        )


_SOCKET: Final[tuple[Message, ...]] = (
    {"type": "websocket.connect"},
    {"type": "websocket.receive", "text": "a"},
    {"type": "websocket.receive", "bytes": b"b"},
    {"type": "websocket.disconnect", "code": 1001, "reason": "leaving"},
)


@needs_a_welcome
def websockets_pass(subject: Subject) -> None:
    """Accept, subprotocol, texts, bytes, the client's code and the app's close pass as they are."""
    seen: list[Message] = []
    says: list[Message] = [
        {"type": "websocket.accept", "subprotocol": "one", "headers": [(b"x-app", b"1")]},
        {"type": "websocket.send", "text": "c"},
        {"type": "websocket.send", "bytes": b"d"},
        {"type": "websocket.close", "code": 4000, "reason": "enough"},
    ]

    async def talks(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        for message in says:
            await send(copy.deepcopy(message))
            if message["type"] == "websocket.accept":
                seen.extend([await receive() for _ in range(3)])

    with subject.client(_app(talks)) as client:
        scope = websocket_scope(PATH, subject.headers, subprotocols=["one"])
        reply = client.run(drive(client.house, scope, list(_SOCKET), PATIENCE))
    told = [{**message, "headers": list(message.get("headers", ()))[:1]} for message in reply.messages]
    expected = [{**message, "headers": message.get("headers", [])} for message in says]
    if seen != list(_SOCKET) or told != expected or reply.error is not None:
        raise Finding(
            f"of a websocket the app saw {[one['type'] for one in seen]}, the client "
            f"{[one['type'] for one in reply.messages]}, error {reply.error!r}, or keys of them had changed",
            'a wrapper looks at scope["type"] first, and passes on what it does not know',
        )


@needs_a_welcome
def an_exception_of_the_app_passes(subject: Subject) -> None:
    """What the app raises reaches the server, which logs it and answers."""
    fault = LookupError("of the app")

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise fault

    with subject.client(_app(fails)) as client:
        reply = _ask(subject, client)
    if reply.error is not fault or reply.messages:
        raise Finding(
            f"the app raised; what left was {reply.error!r}, and the client saw {len(reply.messages)} messages",
            "a wrapper lets exceptions go on: try ... finally, or except ...: raise",
        )


@needs_a_welcome
def a_cancellation_passes(subject: Subject) -> None:
    """A cancelled exchange ends at once, wherever it was."""

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def cancelled(house: ASGIApp, after: int | None) -> bool:
        """Cancel after so many turns of the loop, or once the app is reached."""
        reached.clear()
        work = house(http_scope("GET", PATH, subject.headers), _never, _drop)
        task = asyncio.ensure_future(work)
        if after is None:
            await asyncio.wait([task, asyncio.ensure_future(reached.wait())], timeout=PATIENCE, return_when=_FIRST)
        for _ in range(after or 0):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        return task.done() and task.cancelled()

    reached = asyncio.Event()
    with subject.client(_app(waits)) as client:
        for after in (*range(8), None):
            if not client.run(cancelled(client.house, after)):
                raise Finding(
                    "a cancelled exchange went on, or ended as if nothing had been",
                    "never swallow asyncio.CancelledError: release what you hold in `finally`, and let it go on",
                )


@needs_a_welcome
def the_loop_is_not_blocked(subject: Subject) -> None:
    """Hooks do nothing that keeps the event loop waiting: no file, no socket, no sleep, no lock."""
    with subject.client() as client:
        for _ in range(2):
            client.get(PATH)  # what is done once is not what every request pays
        with listening(reading=True) as heard:
            client.get(PATH)
        longest: list[dict[str, float]] = []
        for _ in range(3):
            with timing() as timed:
                client.get(PATH)
            longest.append(timed.longest)
    slow = [name for name in longest[0] if min(one.get(name, 0.0) for one in longest) > LONG]
    if heard.events or slow:
        raise Finding(
            f"a request waited in the event loop's thread: {', '.join([*heard.events, *slow])}",
            "read it before, in `start` or house.spawn; write it by house.store.post; wait with await",
        )


@needs_a_welcome
def odd_requests_break_no_hook(subject: Subject) -> None:
    """A request without what most have (a client, a host, ASCII) is judged, not stumbled over."""
    failures: list[str] = []

    class Failures(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                failures.append(f"{record.getMessage()}: {record.exc_info[1]!r}")

    collector, log = Failures(logging.ERROR), logging.getLogger("narthex.hooks")
    with subject.client() as client:
        log.addHandler(collector)
        try:
            for scope in _odd_scopes():
                incoming: list[Message] = [{"type": "http.request"}] if scope["type"] == "http" else [*_SOCKET]
                client.run(drive(client.house, scope, incoming, PATIENCE))
                if failures:
                    raise Finding(
                        f"an odd request broke a hook: {failures[0]}",
                        "exchange.client may be None, fields may be missing, repeated, or hold any byte",
                    )
        finally:
            log.removeHandler(collector)


def _odd_scopes() -> Iterator[Scope]:
    bare = http_scope("GET", PATH)
    for key in ("client", "server", "root_path", "raw_path", "extensions"):
        del bare[key]
    yield bare
    yield http_scope("GET", PATH, client=None, server=None)
    yield http_scope("PROPFIND", "/%ff%20?%ff=%zz&a&=&a=1", path="/\udcff \u20ac", http_version="1.0")
    odd = [
        (b"cookie", b"\xff=\xfe; a; =b; c=\x01"),
        (b"host", b""),
        (b"user-agent", b""),
        (b"x-forwarded-for", b"\xff"),
    ]
    odd += [(b"authorization", b"\xff \xfe"), (b"content-length", b"-1"), (b"content-type", b"\xff"), (b"", b"")]
    yield {**http_scope("POST", PATH), "headers": [*odd, *odd[:1]]}
    yield http_scope("GET", PATH + "/x" * 4000, [("x-long", "y" * 16000)])
    yield {**websocket_scope(PATH, denial=False), "headers": odd[:4]}


_FIRST: Final = asyncio.FIRST_COMPLETED


async def _until(true: Callable[[], object]) -> None:
    """Wait until something is so; the caller has a time limit."""
    while not true():  # noqa: ASYNC110  what becomes true is not ours to signal
        await asyncio.sleep(0.001)


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _drop(message: Message) -> None:
    """Take no notice."""
