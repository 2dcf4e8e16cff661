"""A raw ASGI app: one function per path, and every corner of the protocol that a framework would round off."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.wire.differential.sites.raw_misuse import MISUSE
from tests.wire.differential.sites.raw_sockets import SOCKETS
from tests.wire.differential.vantage import PLACE, Message, Receive, Scope, Send, case_of, gate, hear, heard, note

Page = Callable[[Scope, Receive, Send], Awaitable[object]]
BIG: Final = b"0123456789abcdef" * 200_000
EVENTS: Final = (b"content-type", b"text/event-stream")


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: object) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(content: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def answer(send: Send, content: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    await send(start(status, *headers, (b"content-length", str(len(content)).encode())))
    await send(body(content))


async def read(receive: Receive) -> bytes:
    data = bytearray()
    while True:
        message = await receive()
        data += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(data)


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    fields = [(b"Set-Cookie", b"session=a; Path=/"), (b"set-cookie", b"lang=de"), (b"X-Odd-CASE", b"Yes")]
    await answer(send, b"plain\n", 200, *fields, (b"x-twice", b"1"), (b"x-between", b""), (b"x-twice", b"2"))


async def empty(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(body())


async def status(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(int(scope["path"].rpartition("/")[2]), (b"etag", b'"1"')))
    await send(body())


async def huge(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, BIG)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    data = await read(receive)
    await answer(send, b"%d bytes %.40b\n" % (len(data), data))


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(body(b"first\n", more=True))
    await gate(case_of(scope["headers"]))
    await send(body(b"", more=True))
    await send(body(b"second\n", more=True))
    await send(body(b"third\n"))


async def sized_stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-length", b"13")))
    await send(body(b"first\n", more=True))
    await gate(case_of(scope["headers"]))
    await send(body(b"second\n"))


async def many(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    for number in range(300):
        await send(body(b"%d;" % number * 20, more=True))
    await send(body())


async def duplex(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers each piece of the request as it comes."""
    await send(start(200))
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        if message.get("body"):
            await send(body(b"got %b\n" % message["body"], more=True))
    await send(body(b"all\n"))


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers before the body is there, and reads on."""
    await receive()
    await answer(send, b"early\n")
    await gate(case_of(scope["headers"]))


async def sse(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, EVENTS, (b"cache-control", b"no-store")))
    await send(body(b"id: 1\ndata: one\n\n", more=True))
    await gate(case_of(scope["headers"]))
    await send(body(b"id: 2\ndata: two\n\n", more=True))
    await send(body())


async def leaves(scope: Scope, receive: Receive, send: Send) -> None:
    """Streams until the client is gone, then tries once more."""
    tag = case_of(scope["headers"])
    await read(receive)
    await send(start(200, EVENTS))
    await send(body(b"data: one\n\n", more=True))
    note(tag, str(await receive()))
    await send(body(b"data: two\n\n", more=True))
    note(tag, "after")
    await send(body())


async def waits(scope: Scope, receive: Receive, send: Send) -> None:
    tag = case_of(scope["headers"])
    await read(receive)
    note(tag, "waiting")
    note(tag, str(await receive()))
    await answer(send, b"to nobody\n")


async def cancels(scope: Scope, receive: Receive, send: Send) -> None:
    """Works in a task of its own, cancelled when the client leaves, as frameworks do."""
    tag = case_of(scope["headers"])
    await read(receive)
    work = asyncio.create_task(asyncio.sleep(60))
    note(tag, "waiting")
    note(tag, (await receive())["type"])
    work.cancel()
    try:
        await work
    except asyncio.CancelledError:
        note(tag, "cancelled")


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("raised before the start") from ValueError("the cause")


async def raises_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(body(b"first\n", more=True))
    raise LookupError("raised after the start")


async def raises_after_end(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"whole\n")
    raise LookupError("raised after the end")


async def raises_group(scope: Scope, receive: Receive, send: Send) -> None:
    raise ExceptionGroup("raised together", [LookupError("one"), KeyError("two")])


async def background(scope: Scope, receive: Receive, send: Send) -> None:
    tag = case_of(scope["headers"])
    await answer(send, b"done\n")
    await gate(tag)
    note(tag, "background work done")


async def task(scope: Scope, receive: Receive, send: Send) -> None:
    """Leaves a task behind, which outlives the exchange and knows its context."""
    tag = case_of(scope["headers"])
    hear("the request")

    async def work() -> None:
        await gate(tag)
        note(tag, f"task done, heard {heard()}")

    kept.append(asyncio.create_task(work()))
    await answer(send, b"done\n")


async def context(scope: Scope, receive: Receive, send: Send) -> None:
    before = heard()
    hear("set by the app")
    await answer(send, before.encode() + b"\n")


async def state(scope: Scope, receive: Receive, send: Send) -> None:
    given = scope.get("state")
    told = "no state" if given is None else f"{sorted(given.items())}"
    if given is not None:
        given["request"] = "of this request only"
        given["shared"].append(len(given["shared"])) if "shared" in given else None
    await answer(send, told.encode() + b"\n")


async def keys(scope: Scope, receive: Receive, send: Send) -> None:
    """Sets keys, replaces and removes some: a parent's router and tracer look there."""
    scope["route"] = "/keys"
    scope["endpoint"] = keys
    scope["path_params"] = {"a": 1}
    scope["root_path"] = "/replaced"
    scope.pop("state", None)
    await answer(send, b"keys\n")


async def trailers(scope: Scope, receive: Receive, send: Send) -> None:
    if "http.response.trailers" not in scope.get("extensions", {}):
        await answer(send, b"no trailers here\n")
        return
    await send(start(200, (b"trailer", b"x-sum"), trailers=True))
    await send(body(b"content\n"))
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"2")]})


async def hints(scope: Scope, receive: Receive, send: Send) -> None:
    if "http.response.early_hint" not in scope.get("extensions", {}):
        await answer(send, b"no early hints here\n")
        return
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]})
    await answer(send, b"hinted\n")


async def push(scope: Scope, receive: Receive, send: Send) -> None:
    if "http.response.push" not in scope.get("extensions", {}):
        await answer(send, b"no push here\n")
        return
    await send({"type": "http.response.push", "path": "/pushed", "headers": [(b"x-pushed", b"1")]})
    await answer(send, b"pushed\n")


async def pathsend(scope: Scope, receive: Receive, send: Send) -> None:
    if "http.response.pathsend" not in scope.get("extensions", {}):
        await answer(send, b"no pathsend here\n")
        return
    path = PLACE / "sent.txt"
    path.write_bytes(b"from a file\n")
    await send(start(200, (b"content-length", b"12")))
    await send({"type": "http.response.pathsend", "path": str(path)})


async def listens(scope: Scope, receive: Receive, send: Send) -> None:
    """Asks on after the end of the body and after its own answer."""
    tag = case_of(scope["headers"])
    await read(receive)
    asking = asyncio.create_task(listening(receive))
    await answer(send, b"listened\n")
    note(tag, f"heard {await asking}")


async def listening(receive: Receive) -> str:
    return str(await receive())


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers from a task of its own."""
    await asyncio.create_task(answer(send, b"elsewhere\n"))


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, f"{scope['path']}\n".encode(), 404)


kept: Final[list[asyncio.Task[None]]] = []
PAGES: Final[dict[str, Page]] = {
    "/plain": plain,
    "/empty": empty,
    "/huge": huge,
    "/echo": echo,
    "/stream": stream,
    "/sized-stream": sized_stream,
    "/many": many,
    "/duplex": duplex,
    "/early": early,
    "/sse": sse,
    "/leaves": leaves,
    "/waits": waits,
    "/cancels": cancels,
    "/raises": raises,
    "/raises-late": raises_late,
    "/raises-after-end": raises_after_end,
    "/raises-group": raises_group,
    "/background": background,
    "/task": task,
    "/context": context,
    "/state": state,
    "/keys": keys,
    "/trailers": trailers,
    "/hints": hints,
    "/push": push,
    "/pathsend": pathsend,
    "/listens": listens,
    "/elsewhere": elsewhere,
    **MISUSE,
}


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    hear("set by the lifespan")
    if "state" in scope:
        scope["state"].update({"pool": "of the lifespan", "shared": []})
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    note("lifespan", "shut down")
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Scope, receive: Receive, send: Send) -> Any:
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    if scope["type"] == "websocket":
        return await SOCKETS.get(scope["path"], SOCKETS["/ws/refused"])(scope, receive, send)
    if scope["path"].startswith("/status/"):
        return await status(scope, receive, send)
    return await PAGES.get(scope["path"], nothing)(scope, receive, send)
