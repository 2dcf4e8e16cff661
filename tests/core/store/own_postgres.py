"""A PostgreSQL of a test's own, on a free port, which may be restarted and killed.

`initdb` and the server refuse to run as root: then they run as the user `postgres`, in a directory of its own.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.wire.servers import free_port


def programs() -> Path | None:
    """The directory of the newest PostgreSQL's programs, on the path or where Debian has them; None without one."""
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if on_path is not None:
        return Path(on_path).resolve().parent
    return found[-1].parent if found else None


def _user() -> str | None:
    """Whom to run it as; None for ourselves."""
    return "postgres" if os.geteuid() == 0 else None


@dataclass
class Server:
    """A cluster in a directory, running or not.

    Attributes:
        url: of its one database.
    """

    bin: Path
    directory: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql://narthex@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Make the cluster."""
        auth = ["--auth=trust", "--username=narthex", "--no-instructions", "--encoding=UTF8", "--locale=C"]
        self._run([str(self.bin / "initdb"), "--pgdata", str(self.directory / "data"), *auth]).wait(60)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.directory}"]
        options = [word for setting in settings for word in ("-c", setting)]
        self.process = self._run([str(self.bin / "postgres"), "-D", str(self.directory / "data"), *options])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            assert self.process.poll() is None, (self.directory / "log").read_text()
            time.sleep(0.02)
        raise TimeoutError((self.directory / "log").read_text())

    def stop(self, how: signal.Signals) -> None:
        """Stop it: SIGINT is "fast", SIGQUIT is "immediate" and leaves a crash to recover from."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def _run(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, user=_user(), cwd=self.directory)


@contextmanager
def own_postgres(bin_: Path) -> Iterator[Server]:
    """A server that runs while the block does. Gone with all its files afterwards."""
    # Not below pytest's own directory: nobody but its owner may enter that, and the server may be somebody else.
    directory = Path(tempfile.mkdtemp(prefix="narthex-postgres-"))
    try:
        user = _user()
        if user is not None:
            os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
        server = Server(bin_, directory, free_port())
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
