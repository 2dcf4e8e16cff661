"""`narthex run` with auth and revocation, and a kept-alive connection to each of its workers."""

import http.client
import json
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
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

    def insist(self, method: str, path: str, token: str = "", body: dict[str, object] | None = None) -> Reply:
        """Ask again while the answer is 503, which a loaded machine may give where a look takes too long."""
        deadline = time.monotonic() + LIMIT
        while (reply := self.call(method, path, token, body)).status == 503 and time.monotonic() < deadline:
            pass
        return reply

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Site:
    """A running house and its workers."""

    house: House
    directory: Path
    count: int
    workers: list[Worker] = field(default_factory=list)

    def connect(self) -> None:
        """Have a new connection to each of the workers: the app answers with its process id."""
        self.close()
        address, found = urlsplit(self.house.url), dict[int, Worker]()

        def one_more() -> bool:
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT)
            connection.request("GET", "/")
            with connection.getresponse() as response:
                worker = Worker(connection, int(response.read()))
            if found.setdefault(worker.pid, worker) is not worker:
                worker.close()
            return len(found) == self.count

        self.house.until(one_more)
        self.workers = list(found.values())

    def close(self) -> None:
        """Let the connections go."""
        for worker in self.workers:
            worker.close()
        self.workers = []

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

    def must_accept(self, token: str) -> None:
        """Wait until every worker takes it: none has a reason not to."""
        self.house.until(lambda: all(reply.status == 200 for reply in self.ask(token)))

    def codes(self, token: str) -> set[str]:
        """What the workers say to a token, asked at once; "accepted" where they take it."""
        return {"accepted" if reply.status == 200 else reply.json()["code"] for reply in self.ask(token)}

    def must_refuse(self, token: str, code: str) -> None:
        """Nobody takes it, from now on; who could look says why."""
        found = self.codes(token)
        assert found <= {code, "revocation_list_stale"}, found
        self.house.until(lambda: self.codes(token) == {code})


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
        running = Site(house, directory, workers)
        running.connect()
        yield running
        running.close()
