"""The way in for `narthex reload` and `narthex log-level`: a socket of this user alone, named for the configuration.

One JSON line in, one JSON line out. It lies in a directory of mode 0700, below $XDG_RUNTIME_DIR where there is one;
where none can be made, SIGHUP still works.
"""

import asyncio
import hashlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from narthex.serve.exits import Exit
from narthex.serve.following import Outcome
from narthex.serve.line import dump
from narthex.serve.messages import tell

_PATIENCE: Final = 120.0  # seconds a command waits for its answer: plugins may take their time to start
_HEARD: Final = 5.0  # seconds a caller may take to say what it wants
_ROOM: Final = 100  # bytes of a socket's path, on every system
_Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Order = Mapping[str, Any]
Orders = Mapping[str, Callable[[Order], Awaitable[Outcome]]]
"""What is done for each `do`."""
RELOAD: Final[Order] = MappingProxyType({"do": "reload"})


@asynccontextmanager
async def control(config: Path, orders: Orders) -> AsyncGenerator[None]:
    """Answer the commands of whoever may reach this process, within the block."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, orders)

    try:
        try:
            server, path = await _open(config, answer)
        except FileNotFoundError:  # the last of the others has just taken the directory away
            server, path = await _open(config, answer)
    except OSError as error:
        tell(f"`narthex reload` cannot reach this process ({error}); SIGHUP can")
        yield
        return
    try:
        yield
    finally:
        server.close()
        with suppress(OSError):  # whoever tidies up may have taken the directory away
            path.unlink()
        _tidy(path.parent)


async def _open(config: Path, answer: _Answer) -> tuple[asyncio.Server, Path]:
    path = _directory() / f"{_name(config)}-{os.getpid()}.sock"
    path.unlink(missing_ok=True)  # of a process that had our number before us
    try:
        with _short(path) as short:
            return await asyncio.start_unix_server(answer, short), path
    except OSError:
        _tidy(path.parent)
        raise


@contextmanager
def _short(path: Path) -> Generator[str]:
    """The path in as few bytes as an address has room for (108 on Linux): by way of its open directory."""
    if len(os.fsencode(path)) < _ROOM or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _tidy(directory: Path) -> None:
    with suppress(OSError):  # others are still there
        directory.rmdir()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, orders: Orders) -> None:
    with suppress(OSError, ValueError, TimeoutError):
        said: object = json.loads(await asyncio.wait_for(reader.readline(), _HEARD))
        order = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        obey = orders.get(str(order.get("do")))
        outcome = Outcome(refused="unknown order", exit=Exit.USAGE) if obey is None else await obey(order)
        writer.write(dump(asdict(outcome)))
        await writer.drain()
    writer.close()


def ask_all(config: Path, order: Order = RELOAD) -> dict[int, Outcome]:
    """Have every `narthex run` of this user that follows the file carry out an order.

    Returns:
        Process id to what became of it; empty where none runs.

    Raises:
        OSError: the directory of the sockets is not ours alone.
    """
    answers: dict[int, Outcome] = {}
    for path in sorted(_directory().glob(f"{_name(config)}-*.sock")):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_PATIENCE)
            try:
                with _short(path) as short:
                    line.connect(short)
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)  # left by a process that was killed, or just gone
                continue
            answers[int(path.stem.rpartition("-")[2])] = _ask(line, order)
    return answers


def _ask(line: socket.socket, order: Order) -> Outcome:
    """What one process answers; one that does not must not keep the others from being asked."""
    try:
        line.sendall(dump(dict(order)))
        with line.makefile("rb") as answer:
            said = answer.readline()
    except TimeoutError:
        return Outcome(refused=f"no answer within {_PATIENCE:g} s", exit=Exit.FINDING)
    except OSError:
        said = b""
    if not said.endswith(b"\n"):
        return Outcome(refused="it ended meanwhile", exit=Exit.FINDING)
    return Outcome.heard(cast("dict[str, Any]", json.loads(said)))


def _directory() -> Path:
    """The directory of our sockets, made where it is missing.

    Raises:
        OSError: it cannot be made, or somebody else could put sockets there.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(runtime, "narthex") if runtime else Path(tempfile.gettempdir(), f"narthex-{os.getuid()}")
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{path} is not a directory of ours alone")
    return path


def _name(config: Path) -> str:
    return hashlib.sha256(os.fsencode(config.resolve())).hexdigest()[:16]
