"""The requests that are driven through each candidate, and the app at the end of them."""

import itertools
from collections.abc import Callable, Iterator

from benchmarks.asgi import Message, Receive, Scope, Send
from benchmarks.credentials import bearer

BODY = b'{"id": 17, "customer": "alice", "total": "42.50", "paid": true}'
_LENGTH = str(len(BODY)).encode()
_PATHS = 64


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with one small JSON body: the least an app can do."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", _LENGTH)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def header_fields() -> list[tuple[str, str]]:
    """Give the ten fields of a browser's API call through a proxy."""
    return [
        ("host", "shop.example"),
        ("connection", "keep-alive"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "application/json, text/plain, */*"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-GB,en;q=0.8,de;q=0.5"),
        ("referer", "https://shop.example/orders"),
        ("cookie", "theme=dark; consent=1; basket=3f9a1c"),
        ("x-forwarded-for", "203.0.113.7"),
        ("authorization", f"Bearer {bearer()}"),
    ]


class Requests:
    """Make scopes as uvicorn does: each with its own dict, list and bytes, so that no hash is known before.

    `paths` gives the path of the next request; by default 64 order pages in turn.
    """

    def __init__(self, paths: Callable[[], Iterator[str]] | None = None) -> None:
        self._paths = (paths or _orders)()
        self._blob = b"".join(name.encode() + value.encode() for name, value in header_fields())
        self._cuts: list[tuple[int, int, int]] = []
        end = 0
        for name, value in header_fields():
            start, middle, end = end, end + len(name), end + len(name) + len(value)
            self._cuts.append((start, middle, end))

    def take(self, count: int) -> list[Scope]:
        """Make the next `count` scopes."""
        return [self._scope(path) for path in itertools.islice(self._paths, count)]

    def _scope(self, path: str) -> Scope:
        blob = self._blob
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("203.0.113.7", 52734),
            "scheme": "http",
            "root_path": "",
            "headers": [(blob[start:middle], blob[middle:end]) for start, middle, end in self._cuts],
            "state": {},
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"expand=lines",
        }


def _orders() -> Iterator[str]:
    return (f"/orders/{number % _PATHS}" for number in itertools.count())


def unseen_paths() -> Iterator[str]:
    """Give a path that no one asked for before, each time."""
    return (f"/orders/{number}" for number in itertools.count(1_000_000))


async def receive() -> Message:
    """Give the whole, empty request body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def discard(message: Message) -> None:
    """Take a message as a server does, and drop it."""
