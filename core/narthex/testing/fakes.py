"""What a test puts in the place of the world: an app, a clock, a house, an exchange, a store, a sink of metrics."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from narthex.asgi import Receive, Scope, Send
from narthex.clock import Clock, SystemClock
from narthex.config import NarthexSettings
from narthex.exchange import Exchange, Hall
from narthex.house import Estate, House, Room, Tenancy
from narthex.identity import Identity
from narthex.metrics import Instrument, Record
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.secrets import Secret
from narthex.services import CorePermissions
from narthex.storage import Store
from narthex.testing.driving import HeaderPairs, http_scope, websocket_scope


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


def a_house(instance: str = "plugin", *, clock: Clock | None = None, **settings: Any) -> House:
    """Give a plugin that is made by hand its house.

    `Curfew(CurfewSettings(), a_house())` is a plugin whose hooks can be called one by one.
    Services and background tasks wait for a start that does not come; where those matter, use `Client`.

    Args:
        instance: the name of the plugin's table.
        clock: where time must be held still.
        settings: keys of `[narthex]`; the store is in memory unless they say otherwise.
    """
    table = NarthexSettings.model_validate({"store": Secret("memory"), **settings})
    estate = Estate(table, Path.cwd(), clock or SystemClock())
    return House(estate, Room(estate, Tenancy(table)), instance)


def an_exchange(
    method: str = "GET",
    target: str = "/",
    headers: HeaderPairs = (),
    *,
    identity: Identity | None = None,
    clock: Clock | None = None,
    **scope: Any,
) -> Exchange:
    """An exchange as a hook gets it, to call one by hand: `curfew.vet(an_exchange("GET", "/orders"))`.

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
async def memory_store(*tables: object, clock: Clock | None = None) -> AsyncGenerator[Store]:
    """Open a store in memory for the time of a block.

    Args:
        tables: what the hooks `tables` of plugins give; they are made.
        clock: where time must be held still.
    """
    store = a_house("test", clock=clock).store
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
