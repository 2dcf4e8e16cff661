"""Real servers on loopback, as child processes: `with serve("package.module:app", "granian") as server:`.

The repository root is on the child's path, so that `tests.wire.apps...` can be named as the app.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


class ServerExitedError(Exception):
    """The server ended, or did not get ready in time; `code` is its exit status, None where it had to be ended."""

    def __init__(self, code: int | None, output: str) -> None:
        super().__init__(f"exit status {code}\n{output}")
        self.code = code
        self.output = output


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        url: "http://127.0.0.1:<port>", no slash at the end, no root path.
        port: the port it listens on.
        process: the child; its process group holds the workers too.
    """

    url: str
    port: int
    process: subprocess.Popen[bytes]
    _log: IO[bytes]

    @property
    def pid(self) -> int:
        """Process id of the server, the parent where there are workers."""
        return self.process.pid

    def output(self) -> str:
        """What it has written so far, stdout and stderr together."""
        return Path(self._log.name).read_text(errors="replace")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the parent process only."""
        self.process.send_signal(number)

    def wait(self, timeout: float = 10) -> int:
        """Wait until it has ended by itself; give the exit status."""
        return self.process.wait(timeout)


def _uvicorn(http: str, ws: str) -> Callable[[str, int, str], list[str]]:
    def command(target: str, port: int, root_path: str) -> list[str]:
        argv = ["uvicorn", target, f"--port={port}", f"--http={http}", f"--ws={ws}", f"--root-path={root_path}"]
        return [*argv, "--timeout-graceful-shutdown=1", "--log-level=warning"]

    return command


def _hypercorn(target: str, port: int, root_path: str) -> list[str]:
    return ["hypercorn", target, f"--bind=127.0.0.1:{port}", f"--root-path={root_path}", "--graceful-timeout=1"]


def _granian(target: str, port: int, root_path: str) -> list[str]:
    prefix = [f"--url-path-prefix={root_path}"] if root_path else []
    return ["granian", target, "--interface=asgi", f"--port={port}", *prefix, "--workers-kill-timeout=1"]


def _gunicorn(target: str, port: int, root_path: str) -> list[str]:
    # UvicornWorker takes no root path of its own; SCRIPT_NAME in the environment is for WSGI only.
    if root_path:
        raise ValueError("gunicorn's UvicornWorker has no root path")
    # Its control socket is one for all of a user's gunicorns: two at a time would speak of each other in their logs.
    served_by = ["--worker-class=uvicorn.workers.UvicornWorker", "--no-control-socket"]
    return ["gunicorn", target, f"--bind=127.0.0.1:{port}", *served_by]


COMMANDS: Mapping[str, Callable[[str, int, str], list[str]]] = {
    "uvicorn": _uvicorn("auto", "auto"),
    "uvicorn-h11": _uvicorn("h11", "wsproto"),
    "uvicorn-httptools": _uvicorn("httptools", "websockets"),
    "hypercorn": _hypercorn,
    "granian": _granian,
    "gunicorn": _gunicorn,
}


@contextmanager
def serve(
    target: str,
    server: str = "uvicorn",
    *,
    root_path: str = "",
    env: Mapping[str, str] | None = None,
    extra: Sequence[str] = (),
    directory: Path | None = None,
    ready: str | None = "/",
    timeout: float = 30,
) -> Iterator[Server]:
    """Serve `target` ("package.module:attribute") with a server of COMMANDS; end it when the block is left.

    Args:
        target: the app, imported by the child.
        server: a key of COMMANDS.
        root_path: the server's own option for it (`--root-path`, granian's `--url-path-prefix`).
        env: added to the child's environment.
        extra: further arguments of the server.
        directory: the child's working directory, the repository root unless given.
        ready: a path that is asked for until anything answers; None waits for the open port only.
        timeout: seconds to get ready in.

    Raises:
        ServerExitedError: it ended before it was ready, or was not ready in time.
    """
    port = free_port()
    argv = [*COMMANDS[server](target, port, root_path), *extra]
    with launch([str(BIN / argv[0]), *argv[1:]], port, env, directory=directory, ready=ready, timeout=timeout) as child:
        yield child


@contextmanager
def launch(
    argv: Sequence[str],
    port: int,
    env: Mapping[str, str] | None = None,
    *,
    directory: Path | None = None,
    ready: str | None = "/",
    timeout: float = 30,
) -> Iterator[Server]:
    """Run any command that will listen on `port`, for example `narthex run`; see `serve`."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environ = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(env or {})}
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environ,
            cwd=directory or ROOT,
            start_new_session=True,
        )
        server = Server(f"http://127.0.0.1:{port}", port, process, log)
        try:
            _wait_until_ready(server, ready, time.monotonic() + timeout)
            yield server
        finally:
            _stop(process)


def free_port() -> int:
    """Give a loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: Server, path: str | None, deadline: float) -> None:
    # A parent process may listen before its worker has the app, and answers nothing until then.
    while time.monotonic() < deadline:
        code = server.process.poll()
        if code is not None:
            raise ServerExitedError(code, server.output())
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1) as probe:
            if path is None:
                return
            probe.settimeout(max(0.1, deadline - time.monotonic()))
            probe.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            if probe.recv(64).startswith(b"HTTP/1.1 "):
                return
        time.sleep(0.02)
    raise ServerExitedError(None, server.output())


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server, and after three seconds whatever is left of its process group."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(3)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
