"""A WSGI app (PEP 3333) through a2wsgi, as `narthex run` serves one."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from a2wsgi import WSGIMiddleware

from tests.wire.differential.vantage import gate_for_threads, heard, note

Respond = Callable[..., object]
Environ = dict[str, Any]


def _sized(respond: Respond, content: bytes, status: str = "200 OK", *headers: tuple[str, str]) -> list[bytes]:
    respond(status, [*headers, ("Content-Length", str(len(content)))])
    return [content]


def plain(environ: Environ, respond: Respond) -> list[bytes]:
    cookies = [("Set-Cookie", "session=a"), ("Set-Cookie", "lang=de")]
    return _sized(respond, b"plain\n", "200 OK", *cookies, ("X-Odd-CASE", "Yes"))


def empty(environ: Environ, respond: Respond) -> list[bytes]:
    respond("200 OK", [])
    return []


def status(environ: Environ, respond: Respond) -> list[bytes]:
    respond(f"{environ['PATH_INFO'].rpartition('/')[2]} Phrase", [("ETag", '"1"')])
    return []


def huge(environ: Environ, respond: Respond) -> list[bytes]:
    return _sized(respond, b"0123456789abcdef" * 200_000)


def echo(environ: Environ, respond: Respond) -> list[bytes]:
    data = environ["wsgi.input"].read()
    return _sized(respond, b"%d bytes %.40b\n" % (len(data), data))


def environment(environ: Environ, respond: Respond) -> list[bytes]:
    """What the app is told of the request, but for the ports."""
    kept = {key: value for key, value in environ.items() if isinstance(value, str) and not key.endswith("_PORT")}
    return _sized(respond, str(sorted(kept.items())).encode())


def stream(environ: Environ, respond: Respond) -> Iterator[bytes]:
    respond("200 OK", [])
    yield b"first\n"
    gate_for_threads(environ["HTTP_X_CASE"])
    yield b"second\n"
    yield b"third\n"


def sse(environ: Environ, respond: Respond) -> Iterator[bytes]:
    respond("200 OK", [("Content-Type", "text/event-stream")])
    yield b"data: one\n\n"
    gate_for_threads(environ["HTTP_X_CASE"])
    yield b"data: two\n\n"


def leaves(environ: Environ, respond: Respond) -> Iterator[bytes]:
    tag = environ["HTTP_X_CASE"]
    respond("200 OK", [])
    try:
        yield b"first\n"
        note(tag, "streaming")
        gate_for_threads(tag)
        yield b"second\n"
    finally:
        note(tag, "clean-up")


def raises(environ: Environ, respond: Respond) -> list[bytes]:
    raise LookupError("raised before the start")


def raises_late(environ: Environ, respond: Respond) -> Iterator[bytes]:
    respond("200 OK", [])
    yield b"first\n"
    raise LookupError("raised after the start")


def context(environ: Environ, respond: Respond) -> list[bytes]:
    return _sized(respond, heard().encode())


PAGES: dict[str, Callable[[Environ, Respond], Any]] = {
    "/plain": plain,
    "/empty": empty,
    "/huge": huge,
    "/echo": echo,
    "/environ": environment,
    "/stream": stream,
    "/sse": sse,
    "/leaves": leaves,
    "/raises": raises,
    "/raises-late": raises_late,
    "/context": context,
}


def site(environ: Environ, respond: Respond) -> Any:
    path = environ["PATH_INFO"]
    if path.startswith("/status/"):
        return status(environ, respond)
    if path not in PAGES:
        return _sized(respond, b"nothing here\n", "404 Not Found")
    return PAGES[path](environ, respond)


app = WSGIMiddleware(cast("Any", site))  # its types are stricter than PEP 3333
