"""Two places to look from in the served process: outside, between server and Narthex, and inside, round the app.

What is seen there is appended to a file, one JSON value a line, as it happens. Only exchanges with an `x-case` field
are watched, and the lifespan. The app may add notes, and may wait at a gate until the client has seen something.
"""

import asyncio
import contextvars
import gc
import hashlib
import itertools
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, cast

# Bare must mean bare: nothing in the served process imports narthex but `served.py`, and only where it is asked to.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[object]]

PLACE: Final = Path(os.environ.get("DIFFERENTIAL_DIR", "nowhere"))
"""The directory that this process shares with the client, and with no other server."""
LIFESPAN: Final = "lifespan"
_FRAMED: Final = os.environ.get("DIFFERENTIAL_SITE", "raw") != "raw"
"""Frameworks leave reference cycles behind, and granian hangs up when the last reference to a connection is gone: in
their processes garbage is collected after each exchange. The raw app leaves none: with it Narthex must not either."""
_PATIENCE: Final = 30.0
_LONGEST: Final = 300

_record = (
    os.open(PLACE / "record.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT) if "DIFFERENTIAL_DIR" in os.environ else -1
)
_outer: contextvars.ContextVar[tuple[int, Scope, object]] = contextvars.ContextVar("differential.outer")
_numbers = itertools.count(1)


def write(tag: str, number: int, side: str, what: str, fact: object) -> None:
    """Put one line on record; exchanges of a case that overlap are told apart by their numbers."""
    os.write(_record, json.dumps([tag, number, side, what, fact]).encode() + b"\n")


def note(tag: str, text: str) -> None:
    """Put on record what the app itself wants known."""
    write(tag, 0, "note", "note", text)


def case_of(headers: object) -> str:
    """The case that a request belongs to, by its fields: pairs of bytes."""
    pairs = cast("list[tuple[bytes, bytes]]", headers)
    return next((value.decode() for name, value in pairs if name.lower() == b"x-case"), "")


async def gate(tag: str, name: str = "gate") -> None:
    """Wait until the client opens the gate; it is given up after half a minute, which is put on record."""
    deadline = time.monotonic() + _PATIENCE
    while not (PLACE / f"{tag}.{name}").exists():
        if time.monotonic() > deadline:
            note(tag, f"{name} was never opened")
            return
        await asyncio.sleep(0.003)


def gate_for_threads(tag: str, name: str = "gate") -> None:
    """The same for an app that is not asynchronous."""
    deadline = time.monotonic() + _PATIENCE
    while not (PLACE / f"{tag}.{name}").exists():
        if time.monotonic() > deadline:
            note(tag, f"{name} was never opened")
            return
        time.sleep(0.003)


class Vantage:
    """An ASGI app round an app, that puts on record what passes, and changes nothing of it.

    Args:
        app: the app; under this name Narthex finds the framework behind it.
        side: "outside" or "inside".
    """

    def __init__(self, app: App, side: str) -> None:
        self.app = app
        self._side = side

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> object:
        """Pass everything on, and write it down."""
        kind = scope["type"]
        tag = LIFESPAN if kind == LIFESPAN else case_of(scope["headers"])
        if not tag:
            return await self.app(scope, receive, send)
        before = dict(scope)
        known, number = self._entered(tag, scope)

        def tell(what: str, fact: object) -> None:
            write(tag, number, self._side, what, fact)

        async def get() -> Message:
            try:
                message = await receive()
            except BaseException as error:
                tell("receive raised", _chain(error))
                raise
            tell("received", plain(message))
            return message

        async def put(message: Message) -> None:
            tell("sent", plain(message))
            try:
                await send(message)
            except BaseException as error:
                tell("send raised", _chain(error))
                raise

        try:
            given = await self.app(scope, get, put)
        except BaseException as error:
            tell("raised", _chain(error))
            raise
        else:
            tell("returned", plain(given))
            return given
        finally:
            changed = {key: plain(value) for key, value in scope.items() if before.get(key, self) is not value}
            gone = sorted(set(before) - set(scope))
            # Narthex runs the app's lifespan in a task of its own: what that sets is not in the caller's context.
            kept = [] if tag == LIFESPAN else [sorted(_variables() - known), _heard.get()]
            tell("left", [changed, gone, *kept])
            if _FRAMED:
                for pause in (0.01, 0.1, 0.5):
                    asyncio.get_running_loop().call_later(pause, gc.collect)

    def _entered(self, tag: str, scope: Scope) -> tuple[set[str], int]:
        """Put on record how the exchange begins; give the names of the variables that are set, and its number."""
        known = _variables()
        task = asyncio.current_task()
        own = True
        if self._side == "inside":
            number, outer, outer_task = _outer.get()
            own = scope is outer and (task is outer_task or scope["type"] == LIFESPAN)
        else:
            number = next(_numbers)
            _outer.set((number, scope, task))
        # OpenTelemetry's own variable bears the span: that is how an app finds it, and what tracing is asked to do.
        ours = ("narthex.", "differential.outer", "current_context")
        names = sorted(name for name in known if not name.startswith(ours))
        shown = {**scope, **{key: _without_port(scope[key]) for key in ("client", "server") if key in scope}}
        write(tag, number, self._side, "entered", [plain(shown), own, names, _heard.get()])
        return _variables(), number


_heard: contextvars.ContextVar[str] = contextvars.ContextVar("differential.heard", default="nothing")


def hear(text: str) -> None:
    """Set a context variable, as an app, its middleware or its lifespan may do."""
    _heard.set(text)


def heard() -> str:
    """What was set last, as far as this context knows."""
    return _heard.get()


def _variables() -> set[str]:
    return {variable.name for variable in contextvars.copy_context()}


def _without_port(address: object) -> object:
    return [address[0], "port"] if isinstance(address, (list, tuple)) else address


def plain(value: object) -> object:
    """A value as JSON that tells types apart; long ones are cut to their size and digest, objects to their type."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        value = value.replace(str(PLACE), "place")
        return value if len(value) <= _LONGEST else _digest(value.encode(), "text")
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        name = type(value).__name__
        return {name: data.decode("latin-1")} if len(data) <= _LONGEST else _digest(data, name)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {type(value).__name__: {str(key): plain(item) for key, item in sorted(pairs, key=str)}}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [plain(item) for item in value]}
    return {"object": type(value).__qualname__}


def _digest(data: bytes, kind: str) -> object:
    return {kind: f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"}


def _chain(error: BaseException | None) -> list[str]:
    """The exception, and those it came from or came after; each once, for they may go round in a ring."""
    found: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        inner = [_said(one) for one in error.exceptions] if isinstance(error, BaseExceptionGroup) else ""
        found.append(f"{_said(error)} {inner}".strip())
        error = error.__cause__ or error.__context__
    return found


def _said(error: BaseException) -> str:
    # anyio names the scope by its address, and the task that cancelled it.
    return re.sub(r"cancel scope .*", "scope", f"{type(error).__qualname__}: {error}")
