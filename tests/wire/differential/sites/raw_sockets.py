"""The raw app's websockets, one function per path."""

from collections.abc import Awaitable, Callable
from typing import Final

from tests.wire.differential.vantage import Message, Receive, Scope, Send, case_of, gate, hear, heard, note

Socket = Callable[[Scope, Receive, Send], Awaitable[object]]
EXTENSION: Final = "websocket.http.response"


def close(code: int = 1000, reason: str | None = "") -> Message:
    return {"type": "websocket.close", "code": code, "reason": reason}


async def accept(receive: Receive, send: Send, **more: object) -> None:
    await receive()
    await send({"type": "websocket.accept", **more})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    note(case_of(scope["headers"]), str(sorted(message.items())))


async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
    """Picks the last of the subprotocols, and sets fields on the accept."""
    fields = [(b"set-cookie", b"a=1"), (b"X-Odd-CASE", b"Yes"), (b"set-cookie", b"b=2")]
    await accept(receive, send, subprotocol=scope["subprotocols"][-1], headers=fields)
    await send({"type": "websocket.send", "text": ",".join(scope["subprotocols"])})
    await send(close(4000, "no more to say ü"))


async def streams(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "first"})
    await gate(case_of(scope["headers"]))
    await send({"type": "websocket.send", "bytes": b"second"})
    await send({"type": "websocket.send", "bytes": None, "text": "third"})
    await send(close())


async def refused(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(close(4003, "not today"))
    note(case_of(scope["headers"]), "refused")


async def denied(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    if EXTENSION not in scope.get("extensions", {}):
        await send(close())
        return
    fields = [(b"set-cookie", b"a=1"), (b"www-authenticate", b"Bearer"), (b"set-cookie", b"b=2")]
    await send({"type": f"{EXTENSION}.start", "status": 401, "headers": fields})
    await send({"type": f"{EXTENSION}.body", "body": b"not ", "more_body": True})
    await send({"type": f"{EXTENSION}.body", "body": b"today\n"})


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise LookupError("raised before the accept")


async def raises_late(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "first"})
    raise LookupError("raised after the accept")


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "first"})


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


async def says_on(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends after its own close."""
    await accept(receive, send)
    await send(close(1001))
    await send({"type": "websocket.send", "text": "too late"})


async def mistyped(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": 5})


async def context(scope: Scope, receive: Receive, send: Send) -> None:
    before = f"{heard()} {sorted((scope.get('state') or {}).items())}"
    hear("set by the socket")
    scope["route"] = "/ws/context"
    await accept(receive, send)
    await send({"type": "websocket.send", "text": before})
    await send(close(3000))


SOCKETS: Final[dict[str, Socket]] = {
    "/ws/echo": echo,
    "/ws/chosen": chosen,
    "/ws/streams": streams,
    "/ws/refused": refused,
    "/ws/denied": denied,
    "/ws/raises": raises,
    "/ws/raises-late": raises_late,
    "/ws/returns": returns,
    "/ws/silent": silent,
    "/ws/says-on": says_on,
    "/ws/mistyped": mistyped,
    "/ws/context": context,
}
