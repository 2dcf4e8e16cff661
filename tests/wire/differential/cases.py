"""The cases: what is said to the server, and what a bare server that can do the thing is heard to say."""

import re
from collections.abc import Iterator
from typing import Final

from tests.wire.differential import http2
from tests.wire.differential.case import ALL, BACKGROUND, FRAMEWORKS, RAW, SOCKETED, STARLETTE, Case
from tests.wire.differential.dialogue import Dialogue
from tests.wire.differential.socket_talks import (
    echo_text,
    echoing,
    leaving_socket,
    no_status,
    nonsense,
    socket,
    streaming_socket,
)
from tests.wire.differential.talks import (
    absolute,
    after,
    broken,
    duplex,
    early,
    expecting,
    gated,
    kept,
    leaving,
    leaving_framework,
    listening,
    odd_request,
    old,
    old_kept,
    old_stream,
    pipelined,
    short,
    simple,
    sized,
    unexpected,
    uploaded,
    waiting,
)

OK: Final = r"HTTP/1.1 200 .*HTTP/1.1 \d+ .*closed$"


def _common() -> Iterator[Case]:
    yield Case(
        "several cookies, repeated and odd-case fields", simple("/plain"), r"(?i)session=.*set-cookie: lang", ALL
    )
    yield Case("an empty body", simple("/empty"), OK, ALL)
    yield Case("a huge body down", simple("/huge"), OK, ALL)
    yield Case("a huge body up", simple("/echo", "POST", body=b"up " * 1_000_000), "3000000 bytes up", ALL)
    yield Case("an empty body up", simple("/echo", "POST", "Content-Length: 0"), "0 bytes", ALL)
    yield Case("a chunked body up", uploaded(b"one,", b"two,", b"three"), "13 bytes one,two,three", ALL)
    yield Case("HEAD", simple("/plain", "HEAD"), OK, ALL)
    yield Case("OPTIONS", simple("/plain", "OPTIONS"), r"HTTP/1.1 \d+ .*HTTP/1.1 200", ALL)
    yield Case("a method nobody knows", simple("/plain", "BREW"), r"HTTP/1.1 \d+ .*HTTP/1.1 200", ALL)
    yield Case("204", simple("/status/204"), r"HTTP/1.1 204.*HTTP/1.1 200", ALL)
    yield Case("304", simple("/status/304"), r"HTTP/1.1 304.*HTTP/1.1 200", ALL)
    yield Case("404", simple("/nowhere"), r"HTTP/1.1 404.*HTTP/1.1 200", ALL)
    yield Case("streaming down, chunk by chunk", gated("/stream", b"first\n"), "first\n.*third\n.*HTTP/1.1 200", ALL)
    yield Case("server-sent events", gated("/sse", b"one"), "one.*two.*HTTP/1.1 200", ALL)
    yield Case("an exception before the start", simple("/raises"), "HTTP/1.1 500", ALL)
    yield Case("an exception after the start", simple("/raises-late"), r"first\n\r\n.*rest -closed$", ALL)
    yield Case(
        "work after the response", after("/background", "background work done"), "done.*HTTP/1.1 200", BACKGROUND
    )
    yield Case("context variables", simple("/context"), "HTTP/1.1 200", ALL)
    yield Case("lifespan state", simple("/state"), "of the lifespan", SOCKETED)
    yield Case("Expect: 100-continue", expecting, "100 Continue.*5 bytes hello", ALL)
    yield Case("Expect: 100-continue, the body never asked for", unexpected, r"HTTP/1.1 \d", ALL, "unread")
    yield Case("HTTP/1.0", old("/plain"), r"HTTP/1.[01] 200.*closed$", ALL)
    yield Case("HTTP/1.0, streaming down", old_stream, r"first.*third.*closed$", ALL)
    yield Case("HTTP/1.0, kept alive", old_kept, r"HTTP/1.[01] 200.*closed$", ALL)
    yield Case("pipelining", pipelined, "(HTTP/1.1 [24].*){4}", ALL)
    yield Case("a connection used again", kept, "(HTTP/1.1 [24].*){6}", ALL)
    yield Case("an odd path, query and fields", odd_request, r"HTTP/1.1 \d.*HTTP/1.1 200", ALL)
    yield Case("a path below a mount or router", simple("/below/plain"), r"HTTP/1.1 \d.*HTTP/1.1 200", STARLETTE)
    yield Case("the client leaves a stream", leaving_framework, "first", FRAMEWORKS, loose="sends")
    threaded = ALL - {"raw", "wsgi"}
    yield Case("a function run in a thread", simple("/threaded"), "HTTP/1.1 200.*HTTP/1.1 200", threaded)
    gone = waiting("/waits", "gone", gate="look")
    yield Case("the client leaves while a framework's app waits", gone, "", STARLETTE, loose="sends")


def _particular() -> Iterator[Case]:
    fastapi, wsgi = frozenset({"fastapi"}), frozenset({"wsgi"})
    model = simple("/model", "POST", "Content-Type: application/json", body=b'{"name": "tea"}')
    wrong = simple("/model", "POST", "Content-Type: application/json", body=b'{"amount": "x"}')
    yield Case("a FastAPI model", model, '"amount":1', fastapi)
    yield Case("a FastAPI validation error", wrong, "HTTP/1.1 422", fastapi)
    yield Case("a FastAPI dependency in nested routers", simple("/below/inner/7"), "set by a dependency", fastapi)
    yield Case("FastAPI's OpenAPI document", simple("/openapi.json"), "HTTP/1.1 200", fastapi)
    yield Case("Litestar's OpenAPI document", simple("/schema/openapi.json"), "HTTP/1.1 200", frozenset({"litestar"}))
    yield Case("a redirect of the framework", simple("/plain/"), r"HTTP/1.1 \d", FRAMEWORKS)
    environ = simple("/environ?q=1", "GET", "X-Twice: 1", "X-Twice: 2", "X_Under: 3")
    yield Case("the WSGI environment", environ, "HTTP_X_TWICE", wsgi)


def _raw() -> Iterator[Case]:
    paths = {
        "several keys set in the scope": ("/keys", OK),
        "an exception after the end": ("/raises-after-end", "whole"),
        "an exception group": ("/raises-group", "HTTP/1.1 500"),
        "an app that is cancelled": ("/cancelled", ""),
        "many small chunks": ("/many", "299;"),
        "an answer from another task": ("/elsewhere", "elsewhere.*HTTP/1.1 200"),
        "early hints": ("/hints", "interim"),
        "trailers": ("/trailers", "x-sum: 1"),
        "server push": ("/push", "pushed\n"),
        "pathsend": ("/pathsend", "from a file"),
        "an app that returns a value": ("/returns-a-value", "value\n"),
        "one dict sent again and again": ("/one-dict", "0\n.*1\n.*2\n"),
        "header fields in a tuple": ("/tuple-headers", ""),
        "a start without header fields": ("/no-headers", ""),
        "a body in a bytearray and a memoryview": ("/bytearray-body", ""),
        "an app that says nothing": ("/silent", "HTTP/1.1 500"),
        "a start and nothing more": ("/start-only", ""),
        "a stream that is never finished": ("/unfinished", "first"),
        "a body before the start": ("/body-first", "HTTP/1.1 500"),
        "two starts": ("/start-twice", ""),
        "more after the end": ("/after-end", ""),
        "a message nobody knows": ("/unknown-message", ""),
        "a message without a type": ("/no-type", ""),
        "no message at all": ("/no-message", ""),
        "a start without a status": ("/no-status", ""),
        "a body longer than announced": ("/too-long", ""),
        "a body that is text": ("/text-body", ""),
        "a body that is a number": ("/number-body", ""),
        "header fields that are text": ("/text-headers", ""),
        "a header field that would split the response": ("/split-header", r"\A(?!.*injected)"),
        "a status nobody knows": ("/odd-status", "HTTP/1.1 299"),
        "Transfer-Encoding set by the app": ("/chunked-by-hand", "chunk"),
        "Connection: close set by the app": ("/closes", "end\n.*closed"),
    }
    for name, (path, shows) in paths.items():
        yield Case(name, simple(path), shows, RAW)
    yield Case("a task that outlives the exchange", after("/task", "task done, heard the request"), "done", RAW)
    yield Case("a body shorter than announced", short, "", RAW)
    yield Case("header fields from a generator", simple("/generated-headers"), "generated", RAW, loose="sends")
    yield Case("streaming down in a known length", sized, "first\n.*second\n.*HTTP/1.1 200", RAW)
    yield Case("streaming up, each piece answered as it comes", duplex, "got one.*got three.*HTTP/1.1 200", RAW)
    yield Case("an answer while the body still comes", early, "early\n", RAW)
    yield Case("the client leaves a stream in good order", leaving(Dialogue.close, "after"), "", RAW)
    yield Case("the client dies in a stream", leaving(Dialogue.abort, "after"), "", RAW)
    gone = "{'type': 'http.disconnect'}"
    yield Case("the client leaves while the app waits", waiting("/waits", gone), "", RAW)
    yield Case("the client leaves and work is cancelled", waiting("/cancels", "cancelled"), "", RAW)
    yield Case("listening on after the answer", listening, "listened", RAW)
    yield Case("a target in absolute form", absolute, r"HTTP/1.1 \d.*HTTP/1.1 200", RAW)
    for name, raw in _BROKEN.items():
        yield Case(f"refused by the server: {name}", broken(raw), r"HTTP/1.1 400|closed", RAW, loose="app")


_BROKEN: Final = {
    "no HTTP": b"nonsense\r\n\r\n",
    "a bad length": b"POST /echo HTTP/1.1\r\nHost: h\r\nX-Case: CASE\r\nContent-Length: x\r\n\r\n",
    "a bad chunk": b"POST /echo HTTP/1.1\r\nHost: h\r\nX-Case: CASE\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "length and chunks": b"POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


def _sockets() -> Iterator[Case]:
    offered = "Sec-WebSocket-Protocol: chat, narrow, wide"
    upgraded = "HTTP/1.1 101"
    yield Case("websocket: text and binary", echo_text, upgraded, SOCKETED)
    chosen = socket("/ws/chosen", 2, offered)
    yield Case("websocket: subprotocols, fields on accept, the app's close", chosen, f"{upgraded}.*no more", SOCKETED)
    yield Case("websocket: refused before accept", socket("/ws/refused", 0), "HTTP/1.1 403", SOCKETED)
    yield Case("websocket: a denial response", socket("/ws/denied", 0), "HTTP/1.1 401.*today", SOCKETED - {"litestar"})
    yield Case("websocket: an exception before accept", socket("/ws/raises", 0), r"HTTP/1.1 \d", SOCKETED)
    yield Case("websocket: an exception after accept", socket("/ws/raises-late", 2), f"{upgraded}.*first", SOCKETED)
    yield Case("websocket: the client closes without a code", leaving_socket(no_status), upgraded, SOCKETED)
    yield Case("websocket: the client dies", leaving_socket(Dialogue.abort), upgraded, SOCKETED, loose="sends")
    yield Case("websocket: no such path", socket("/ws/nowhere", 0), r"HTTP/1.1 \d", SOCKETED)
    yield Case("websocket: fragments, ping, pong, the client's close", echoing, "good bye|\x0f\xa1", STARLETTE | RAW)
    yield Case("websocket: streaming down", streaming_socket, "first.*second.*third", RAW)
    yield Case("websocket: the app returns without a close", socket("/ws/returns", 2), f"{upgraded}.*first", RAW)
    yield Case("websocket: the app says nothing", socket("/ws/silent", 0), r"HTTP/1.1 \d", RAW)
    yield Case("websocket: sent after the close", socket("/ws/says-on", 1), upgraded, RAW)
    yield Case("websocket: a text that is a number", socket("/ws/mistyped", 1), upgraded, RAW)
    yield Case("websocket: context, state and keys", socket("/ws/context", 2), "of the lifespan", RAW)
    yield Case("websocket: a broken frame", leaving_socket(nonsense), upgraded, RAW)
    deflate = socket("/ws/chosen", 2, offered, "Sec-WebSocket-Extensions: permessage-deflate")
    yield Case("websocket: compression", deflate, "(?i)extensions: permessage-deflate", RAW)


def _http2() -> Iterator[Case]:
    answered = ":status: 200.*"
    yield Case("HTTP/2: several cookies, repeated fields", http2.stream("/plain"), f"{answered}session=.*lang=", RAW)
    yield Case("HTTP/2: a huge body down", http2.stream("/huge"), answered, RAW)
    yield Case("HTTP/2: a body up", http2.stream("/echo", "POST", b"up " * 5_000), "15000 bytes up", RAW)
    yield Case("HTTP/2: HEAD", http2.stream("/plain", "HEAD"), answered, RAW)
    down = http2.stream("/stream", opens_after=b"first")
    yield Case("HTTP/2: streaming down", down, f"{answered}first\n.*third", RAW)
    yield Case("HTTP/2: trailers", http2.stream("/trailers"), "Trailers.*x-sum", RAW)
    yield Case("HTTP/2: early hints", http2.stream("/hints"), "Informational.*a.css.*hinted", RAW)
    yield Case("HTTP/2: server push", http2.stream("/push"), "Pushed.*pushed\n", RAW)
    yield Case("HTTP/2: an exception before the start", http2.stream("/raises"), ":status: 500", RAW)
    yield Case("HTTP/2: an exception after the start", http2.stream("/raises-late"), f"{answered}first", RAW)
    yield Case("HTTP/2: lifespan state", http2.stream("/state"), "of the lifespan", RAW)


CASES: Final[tuple[Case, ...]] = (*_common(), *_particular(), *_raw(), *_sockets(), *_http2())


def slug(case: Case) -> str:
    """The case's name as it goes into a header field and a file name."""
    return re.sub(r"\W+", "-", case.name.lower()).strip("-")
