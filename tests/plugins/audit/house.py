"""A house that records, an app that has something to say, and the records that come of it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from narthex import Narthex, current_identity
from narthex.secrets import Secret
from narthex.testing import Client, config
from narthex_plugins import audit
from narthex_plugins.audit.plugin import Audit
from narthex_plugins.audit.querying import Query

PERSON: Final = {"use": "tests.guests:Person"}
RULES: Final[list[dict[str, object]]] = [{"path": "/admin/**", "roles": ["admin"]}]
ADMIN: Final = [("x-test-user", "ada admin")]
BOB: Final = [("x-test-user", "bob user")]
Facts = dict[str, Any]


async def place(request: Request) -> Response:
    audit.record("order.placed", "order 7", before={"state": "new"}, after=b"placed", reason="a test", lines=3)
    return JSONResponse({"who": getattr(current_identity(), "subject", None)}, 201)


def plain(request: Request) -> Response:
    """In a thread of its own."""
    audit.record("order.read", "order 7", actor="somebody else")
    return PlainTextResponse("read")


async def fail(request: Request) -> Response:
    raise LookupError("no secret of mine")


async def later(request: Request) -> Response:
    return PlainTextResponse("soon", background=BackgroundTask(lambda: audit.record("mail.sent", "order 7")))


async def broken(request: Request) -> Response:
    async def body() -> Any:
        yield b"half"
        raise LookupError

    return StreamingResponse(body())


DO: Final[list[Callable[[], object]]] = []
"""What the app does at POST /do."""


async def do(request: Request) -> Response:
    for one in DO:
        one()
    return PlainTextResponse("done")


app = Starlette(
    routes=[
        Route("/orders", place, methods=["POST"]),
        Route("/orders", plain),
        Route("/do{rest:path}", do, methods=["POST"]),
        Route("/fail", fail, methods=["POST"]),
        Route("/later", later, methods=["POST"]),
        Route("/broken", broken, methods=["POST"]),
        Route("/{path:path}", lambda _: PlainTextResponse("hello"), methods=["GET", "POST", "PUT", "DELETE"]),
    ]
)


@contextmanager
def recording(store: str = "memory", more: Any = None, **settings: Any) -> Generator[Client]:
    """The plugin in front of the app, with rules and somebody to ask; what it records at start and stop left out."""
    tables: dict[str, Any] = {
        "person": PERSON,
        "access": {"default": "allow", "rules": RULES},
        "audit": {"silent": ["narthex"], "gather": "1ms", **settings},
    }
    house = {"store": store, "secret_key": Secret("0123456789abcdef" * 2)}
    with Client(Narthex(app, config(house, **tables, **(more or {})))) as client:
        yield client


def plugin_of(client: Client, instance: str = "audit") -> Audit:
    """The plugin in the house."""
    found = next(guest.plugin for guest in client.house.guests if guest.name == instance)
    assert isinstance(found, Audit)
    return found


def records(client: Client, instance: str = "audit") -> list[Facts]:
    """The first thousand of what is in the log."""
    reader = plugin_of(client, instance)._reader

    def read(connection: Connection) -> list[Facts]:
        return [row.facts for row in reader._after(connection, Query(), -1, reader._last(connection))]

    return reader.store.read_blocking(read)


def recorded(client: Client, enough: int, instance: str = "audit") -> list[Facts]:
    """The same, once there are so many."""
    found: list[Facts] = []

    def there() -> bool:
        found[:] = records(client, instance)
        return len(found) >= enough

    client.wait_until(there, 60)
    return found


def told(found: list[Facts]) -> list[tuple[str, str | None, str]]:
    """Action, resource and outcome."""
    return [(one["action"], one["resource"], one["outcome"]) for one in found]
