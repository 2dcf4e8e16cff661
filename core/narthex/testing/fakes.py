"""What a test puts in the place of the world: an app, a clock, an exchange, a store, a sink of metrics."""

import itertools
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from narthex.app import Narthex
from narthex.asgi import Receive, Scope, Send
from narthex.clock import Clock, SystemClock
from narthex.exchange import Exchange, Hall
from narthex.identity import Identity
from narthex.metrics import Instrument, Record
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.storage import Store
from narthex.testing.driving import HeaderPairs, http_scope, websocket_scope

P = TypeVar("P")
_seats: Final = itertools.count(1)


def config(house: Mapping[str, Any] | None = None, /, **plugins: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with these plugin tables, in this order; `_` in a name is written `-`.

    Args:
        house: keys of `[narthex]`; where they are given, if only as `{}`, the store is in memory unless they say
            otherwise, so that a test of a plugin with tables leaves no file behind.
        plugins: instance name to table.
    """
    tables = {name.replace("_", "-"): dict(table) for name, table in plugins.items()}
    own = {} if house is None else {"narthex": {"store": "memory", **house}}
    return {**own, "plugins": tables}


class Hello:
    """An app that answers 200 "hello", and accepts a websocket and echoes its texts; it knows no lifespan.

    Attributes:
        scopes: what it was given, in order.
    """

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    @property
    def reached(self) -> bool:
        """Whether any request has come through to it."""
        return bool(self.scopes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            raise NotImplementedError("no lifespan")
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
            await send({"type": "http.response.body", "body": b"hello", "more_body": False})
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


@dataclass(slots=True)
class FixedClock:
    """A clock that moves only when told to.

    Attributes:
        time: what all three clocks say, seconds. Unless given, it is 14 November 2023, 22:13:20 UTC.
    """

    time: float = 1_700_000_000.0

    def now(self) -> float:
        """The held time."""
        return self.time

    monotonic = now
    boottime = now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.time += seconds


def a_plugin(
    made_by: type[P], table: Mapping[str, Any] | None = None, *, clock: Clock | None = None, **house: Any
) -> P:
    """Make one plugin as the house makes it, its table checked, so that its hooks can be called one by one.

    It is not started: services and background tasks wait for that. Where they matter, use `Client`.

    Args:
        made_by: the plugin's class.
        table: its own keys, as the file has them.
        clock: where time must be held still.
        house: keys of `[narthex]`; the store is in memory unless they say otherwise.

    Raises:
        ConfigError, PluginError: the table or the class cannot be.
    """
    seat = f"Seat{next(_seats)}"
    globals()[seat] = made_by  # where `use` finds it, also a class that was made inside a test
    made = Narthex(Hello(), config(house, plugin={**(table or {}), "use": f"{__name__}:{seat}"}), clock=clock)
    plugin = made.guests[0].plugin
    if not isinstance(plugin, made_by):
        raise TypeError(f"{made_by.__qualname__} made a {type(plugin).__qualname__}")
    return plugin


def an_exchange(
    method: str = "GET",
    target: str = "/",
    headers: HeaderPairs = (),
    *,
    identity: Identity | None = None,
    clock: Clock | None = None,
    **scope: Any,
) -> Exchange:
    """An exchange as a hook gets it, to call one by hand: `a_plugin(Curfew).vet(an_exchange("GET", "/orders"))`.

    Args:
        method: an HTTP method, or "WEBSOCKET".
        target: path and query.
        headers: request fields.
        identity: what an identifier would have found.
        clock: of its start.
        scope: keys of the ASGI scope that win over the usual ones.
    """
    permissions = CorePermissions()
    hall = Hall(TrustedProxies(()), lambda: permissions)
    socket = method == "WEBSOCKET"
    made = websocket_scope(target, headers, **scope) if socket else http_scope(method, target, headers, **scope)
    started = (clock or SystemClock()).monotonic()
    exchange = Exchange(made, "websocket" if socket else "http", Plan(), hall, started)
    exchange.identity = identity
    return exchange


@asynccontextmanager
async def memory_store(*tables: Any, clock: Clock | None = None) -> AsyncGenerator[Store]:
    """Open a store in memory for the time of a block.

    Args:
        tables: what the hooks `tables` of plugins give; they are made.
        clock: where time must be held still.
    """
    from narthex.store import Store as SqlStore  # noqa: PLC0415  a test without a store does not import SQLAlchemy
    from narthex.store.address import parse  # noqa: PLC0415

    store = SqlStore(parse("memory", Path.cwd()), clock or SystemClock())
    await store.start(tables)
    try:
        yield store
    finally:
        await store.stop()


@dataclass(slots=True)
class Counted:
    """A sink of metrics that adds up: `counted = Counted(); house.metrics.attach(counted)`.

    Attributes:
        values: (name, label values ...) to the sum of a counter, the value of a gauge, every value of a histogram.
    """

    values: dict[tuple[str, ...], Any] = field(default_factory=dict[tuple[str, ...], Any])

    def instrument(self, instrument: Instrument) -> Record:
        """Take note of one instrument's values."""

        def record(value: float, labels: tuple[str, ...]) -> None:
            key = (instrument.name, *labels)
            match instrument.kind:
                case "counter":
                    self.values[key] = self.values.get(key, 0.0) + value
                case "gauge":
                    self.values[key] = value
                case "histogram":
                    self.values.setdefault(key, []).append(value)

        return record

    def __getitem__(self, key: str | tuple[str, ...]) -> Any:
        """The value of `counted["name"]` or `counted["name", "label"]`; 0 where nothing was counted."""
        return self.values.get((key,) if isinstance(key, str) else key, 0.0)
