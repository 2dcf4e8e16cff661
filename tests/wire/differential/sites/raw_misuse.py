"""What apps get wrong: the server is the judge of it, and Narthex must not judge before it or otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from tests.wire.differential.vantage import Message, Receive, Scope, Send


def _start(status: Any = 200, *headers: Any) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def _body(content: Any = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def _script(*messages: Any) -> Callable[[Scope, Receive, Send], Awaitable[object]]:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message.copy() if isinstance(message, dict) else message)

    return page


async def returns_a_value(scope: Scope, receive: Receive, send: Send) -> str:
    await send(_start(200, (b"content-length", b"6")))
    await send(_body(b"value\n"))
    return "a value"


async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError("by the app itself")


async def one_dict(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the same dict again and again, changed in between."""
    message = _body(more=True)
    await send(_start())
    for number in range(3):
        message["body"] = b"%d\n" % number
        await send(message)
    message["more_body"] = False
    await send(message)


async def generated(scope: Scope, receive: Receive, send: Send) -> None:
    def fields() -> Iterator[tuple[bytes, bytes]]:
        yield (b"x-one", b"1")
        yield (b"x-two", b"2")

    await send({"type": "http.response.start", "status": 200, "headers": fields()})
    await send(_body(b"generated\n"))


MISUSE: Final[dict[str, Callable[[Scope, Receive, Send], Awaitable[object]]]] = {
    "/returns-a-value": returns_a_value,
    "/cancelled": cancelled,
    "/one-dict": one_dict,
    "/generated-headers": generated,
    "/tuple-headers": _script(
        {"type": "http.response.start", "status": 200, "headers": ((b"x-one", b"1"), [b"x-two", b"2"])}, _body(b"t\n")
    ),
    "/no-headers": _script({"type": "http.response.start", "status": 200}, {"type": "http.response.body"}),
    "/silent": _script(),
    "/start-only": _script(_start()),
    "/unfinished": _script(_start(), _body(b"first\n", more=True)),
    "/body-first": _script(_body(b"first\n")),
    "/start-twice": _script(_start(), _start()),
    "/after-end": _script(_start(200, (b"content-length", b"4")), _body(b"end\n"), _body(b"more\n")),
    "/unknown-message": _script({"type": "http.response.unheard-of"}),
    "/no-type": _script({"status": 200}),
    "/no-message": _script(None),
    "/no-status": _script({"type": "http.response.start", "headers": []}),
    "/too-long": _script(_start(200, (b"content-length", b"3")), _body(b"longer\n")),
    "/too-short": _script(_start(200, (b"content-length", b"30")), _body(b"shorter\n")),
    "/text-body": _script(_start(), _body("text")),
    "/number-body": _script(_start(), _body(5)),
    "/bytearray-body": _script(_start(), _body(bytearray(b"array\n"), more=True), _body(memoryview(b"view\n"))),
    "/text-headers": _script(_start(200, ("x-text", "1")), _body()),
    "/split-header": _script(_start(200, (b"x-a", b"1\r\nx-injected: 1")), _body()),
    "/odd-status": _script(_start(299), _body(b"odd\n")),
    "/chunked-by-hand": _script(_start(200, (b"transfer-encoding", b"chunked")), _body(b"chunk\n")),
    "/closes": _script(_start(200, (b"connection", b"close"), (b"content-length", b"4")), _body(b"end\n")),
}
