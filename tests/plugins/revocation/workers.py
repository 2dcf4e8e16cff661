"""`narthex run` with auth and revocation, and a kept-alive connection to each of its workers."""

import http.client
import json
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.wire.narthex_run import APPS, LIMIT, House, narthex_run

PASSWORD: Final = "correct horse battery"
ISSUER: Final = "https://shop.example"
TOML: Final = """
[narthex]
store = "{store}"
secret_key = {{ file = "secret.key" }}

[plugins.auth]
issuer = "https://shop.example"
algorithm = "ES256"
passwords = {{ memory = 8192, passes = 1, lanes = 1 }}

[plugins.revocation]
lease = "{lease}"
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: str

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Worker:
    """One worker, over a connection that is kept open."""

    def __init__(self, connection: http.client.HTTPConnection, pid: int) -> None:
        self._connection = connection
        self.pid = pid

    def send(self, method: str, path: str, token: str = "", body: dict[str, object] | None = None) -> None:
        """Ask without waiting for the answer."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["content-type"] = "application/json"
        self._connection.request(method, path, data, headers)

    def receive(self) -> Reply:
        """The answer to what was sent."""
        with self._connection.getresponse() as response:
            return Reply(response.status, response.read().decode())

    def call(self, method: str, path: str, token: str = "", body: dict[str, object] | None = None) -> Reply:
        """Ask, and wait."""
        self.send(method, path, token, body)
        return self.receive()

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Site:
    """A running house and its workers."""

    house: House
    directory: Path
    workers: list[Worker] = field(default_factory=list)

    def ask(self, token: str) -> list[Reply]:
        """Show every worker a token, at once."""
        for worker in self.workers:
            worker.send("GET", "/", token)
        return [worker.receive() for worker in self.workers]

    def login(self, name: str) -> dict[str, Any]:
        """The tokens of a new session."""
        body: dict[str, object] = {"username": name, "password": PASSWORD}
        reply = self.workers[0].call("POST", "/_narthex/auth/login", body=body)
        assert reply.status == 200, reply.body
        return reply.json()

    def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """The next tokens of a session."""
        body = {"refresh_token": tokens["refresh_token"]}
        reply = self.workers[0].call("POST", "/_narthex/auth/refresh", body=body)
        assert reply.status == 200, reply.body
        return reply.json()

    def accepted_by_all(self, token: str) -> bool:
        """Whether every worker takes it."""
        return all(reply.status == 200 for reply in self.ask(token))


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    text = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def narthex(directory: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on the file of the directory."""
    command = [sys.executable, "-P", "-m", "narthex", *arguments, "--config", str(directory / "narthex.toml")]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False, cwd=APPS)


@contextmanager
def site(directory: Path, store: str, *, workers: int = 4, lease: str = "1s") -> Iterator[Site]:
    """Serve, with an account `admin` and one `alice`."""
    (directory / "secret.key").write_text("0123456789abcdef" * 4)
    with narthex_run("shop:app", directory, TOML.format(store=store, lease=lease), workers=workers) as house:
        assert house.url, house.stderr
        for arguments in (("alice",), ("root", "--admin")):
            done = narthex(directory, "users", "add", *arguments, "--password-stdin", text=PASSWORD)
            assert done.returncode == 0, done.stderr
        with connected(house, directory, workers) as running:
            yield running


@contextmanager
def connected(house: House, directory: Path, count: int) -> Iterator[Site]:
    """A connection to each of the workers; the app answers with its process id."""
    address = urlsplit(house.url)
    found: dict[int, Worker] = {}
    with ExitStack() as stack:

        def one_more() -> bool:
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT)
            connection.request("GET", "/")
            with connection.getresponse() as response:
                pid = int(response.read())
            worker = Worker(connection, pid)
            stack.callback(worker.close)
            found.setdefault(pid, worker)
            return len(found) == count

        house.until(one_more)
        yield Site(house, directory, list(found.values()))
