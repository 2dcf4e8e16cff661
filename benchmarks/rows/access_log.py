"""A pure-ASGI access log through python-json-logger's msgspec formatter, with the fields of Narthex's line.

Plain is what its documentation leads to: a formatter on a stream handler, `logger.info(message,
extra=...)`. Tuned keeps the package and the handler, and takes every shortcut that costs no correctness:
the fields as a dictionary message, a record made without looking for its caller, threads and processes not
looked up (the logging how-to's "Optimization"), and a stream that is not flushed after each line, as
Narthex's own writer batches lines.
"""

import contextlib
import io
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.asgi import ASGIApp, Message, Receive, Scope, Send
from benchmarks.candidates import candidate
from benchmarks.traffic import bare

GROUP = "Access log alone"
PLAIN = "access log, plain"
TUNED = "access log, tuned"
Write = Callable[[dict[str, object]], None]


def made_id(scope: Scope) -> str:
    """Take the caller's request id, or make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return str(value, "latin-1")
    return uuid.uuid4().hex


class AccessLog:
    """Write one line per request when it has ended.

    Args:
        app: what it stands in front of.
        write: takes the line's fields.
        make_id: gives the request id, which is then logged and sent; None where another middleware does both.
    """

    def __init__(self, app: ASGIApp, write: Write, make_id: Callable[[Scope], str] | None = made_id) -> None:
        self.app = app
        self.write = write
        self.make_id = make_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, size = 500, 0
        request_id = self.make_id(scope) if self.make_id else None

        async def wrapped(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                if request_id is not None:
                    field = (b"x-request-id", request_id.encode("latin-1"))
                    message = {**message, "headers": [*message.get("headers", ()), field]}
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        started = time.perf_counter()
        try:
            await self.app(scope, receive, wrapped)
        finally:
            client = scope.get("client")
            fields: dict[str, object] = {
                "client": client[0] if client else None,
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "bytes": size,
                "duration_ms": round((time.perf_counter() - started) * 1000, 3),
            }
            if request_id is not None:
                fields["request_id"] = request_id
            if "user" in scope:
                fields["subject"] = scope["user"].username
            self.write(fields)


def formatter(*more: str, rename: dict[str, str] | None = None) -> logging.Formatter:
    """Make the msgspec formatter: `time` in RFC 3339, `level`, `logger`, `message`, the line's own fields."""
    from pythonjsonlogger.msgspec import MsgspecFormatter

    names = {"levelname": "level", "name": "logger", **(rename or {})}
    # The package annotates `style` for strings only, a list of names is what its own documentation passes.
    made: logging.Formatter = MsgspecFormatter(
        ["levelname", "name", "message", *more], rename_fields=names, timestamp="time"
    )
    return made


def handler(form: logging.Formatter, path: str = os.devnull) -> logging.StreamHandler[io.TextIOWrapper]:
    """Make the stream handler of the plain row."""
    made = logging.StreamHandler(Path(path).open("w", encoding="utf-8"))  # noqa: SIM115  open as long as the process
    made.setFormatter(form)
    return made


def plain_write(name: str, to: logging.Handler) -> Write:
    """Log a line as the documentation has it."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(to)

    def write(fields: dict[str, object]) -> None:
        logger.info("%s %s %s", fields["method"], fields["path"], fields["status"], extra=fields)

    return write


class Unflushed(logging.StreamHandler[io.TextIOWrapper]):
    """A stream handler that leaves flushing to the stream's own buffer."""

    def flush(self) -> None:
        """Do nothing."""


def tuned_write(name: str, to: logging.Handler) -> Write:
    """Hand the handler a finished record; INFO is on, so the logger has nothing to decide."""
    fixed: dict[str, object] = {"level": "INFO", "logger": name}
    record_of = logging.LogRecord

    def write(fields: dict[str, object]) -> None:
        message = f"{fields['method']} {fields['path']} {fields['status']}"
        to.handle(record_of(name, logging.INFO, "", 0, {**fixed, "message": message, **fields}, (), None))

    return write


def tuned_handler(path: str = os.devnull) -> Unflushed:
    """Make the handler of the tuned row: 64 KiB of buffer."""
    from pythonjsonlogger.msgspec import MsgspecFormatter

    made = Unflushed(Path(path).open("w", encoding="utf-8", buffering=1 << 16))  # noqa: SIM115  as above
    made.setFormatter(MsgspecFormatter(timestamp="time"))
    return made


@contextlib.contextmanager
def lean_records() -> Iterator[None]:
    """Leave thread, process and task out of log records, as the logging how-to advises."""
    # Not in typeshed as writable names of the module, though the how-to says to write them.
    names = ("logThreads", "logProcesses", "logMultiprocessing")
    before = {name: getattr(logging, name) for name in names}
    for name in names:
        setattr(logging, name, False)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(logging, name, value)


@candidate(PLAIN, group=GROUP)
def plain() -> ASGIApp:
    return AccessLog(bare, plain_write("bench.access", handler(formatter())))


@candidate(TUNED, group=GROUP, around=lean_records)
def tuned() -> ASGIApp:
    return AccessLog(bare, tuned_write("bench.access.tuned", tuned_handler()))
