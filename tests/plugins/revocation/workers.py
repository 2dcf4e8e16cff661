"""`narthex run` with auth and revocation, and a kept-alive connection to each of its workers."""

import http.client
import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.core.store.conftest import _schema
from tests.plugins.revocation.proxy import Proxy
from tests.wire.narthex_run import APPS, LIMIT, House, begin

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

[plugins.gauges]
use = "tests.plugins.revocation.gauges:Gauges"

[plugins.revocation]
lease = "{lease}"
"""


IDLE: Final = (http.client.RemoteDisconnected, ConnectionError)
"""A server closes a connection that nobody used for five seconds, which a loaded machine may need for anything."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: str

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def opened(url: str) -> tuple[http.client.HTTPConnection, int]:
    """A new connection, and the process id of the worker that has taken it."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=LIMIT)
    connection.request("GET", "/")
    with connection.getresponse() as response:
        return connection, int(response.read())


class Worker:
    """One worker, over a connection that is kept open; over another one to the same where the server has closed it."""

    def __init__(self, connection: http.client.HTTPConnection, pid: int) -> None:
        self._connection = connection
        self._said: tuple[str, str, bytes | None, dict[str, str]] = ("GET", "/", None, {})
        self.pid = pid

    def send(self, method: str, path: str, token: str = "", body: dict[str, object] | None = None) -> None:
        """Ask without waiting for the answer."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["content-type"] = "application/json"
        self._said = (method, path, data, headers)
        try:
            self._connection.request(*self._said)
        except IDLE:
            self._ask_again()

    def receive(self) -> Reply:
        """The answer to what was sent."""
        try:
            return self._receive()
        except IDLE:
            self._ask_again()
            return self._receive()

    def _receive(self) -> Reply:
        with self._connection.getresponse() as response:
            return Reply(response.status, response.read().decode())

    def _ask_again(self) -> None:
        deadline, pid = time.monotonic() + LIMIT, 0
        while pid != self.pid:
            assert time.monotonic() < deadline, f"worker {self.pid} takes no connection"
            self._connection.close()
            self._connection, pid = opened(f"http://{self._connection.host}:{self._connection.port}")
        self._connection.request(*self._said)

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
        found: dict[int, Worker] = {}

        def one_more() -> bool:
            worker = Worker(*opened(self.house.url))
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

    def said(self, token: str) -> list[str]:
        """What each worker says to a token, asked at once: a code, or "accepted"."""
        return [code_of(reply) for reply in self.ask(token)]

    def codes(self, token: str) -> set[str]:
        """The same without saying who."""
        return set(self.said(token))

    def must_refuse(self, token: str, *codes: str) -> int:
        """Nobody takes it, from now on; who could look says why. How many could not at first."""
        said = self.said(token)
        assert set(said) <= {*codes, "revocation_list_stale"}, said
        self.house.until(lambda: self.codes(token) <= set(codes))
        return said.count("revocation_list_stale")

    def gauge(self, name: str) -> list[float]:
        """What each worker says of one of its gauges."""
        replies = [worker.call("GET", "/_narthex/gauges") for worker in self.workers]
        return [reply.json()[name] for reply in replies]


def code_of(reply: Reply) -> str:
    """Its code, or "accepted"."""
    return "accepted" if reply.status == 200 else str(reply.json()["code"])


def tell(figures: str) -> None:
    """Print what was counted, for who runs the tests with `-s`."""
    print(f"\n{figures}")  # noqa: T201  asked for


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    text = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def narthex(directory: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on the file of the directory."""
    command = [sys.executable, "-P", "-m", "narthex", *arguments, "--config", str(directory / "narthex.toml")]
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}  # see test_clocks.py
    env["PYTHONPATH"] = str(APPS.parents[2])
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=4 * LIMIT, check=False, cwd=APPS, env=env
    )


@contextmanager
def _running(house: House) -> Iterator[House]:
    try:
        house.until(house.serving, 4 * LIMIT)  # each worker is a second of a processor, which others want as well
        assert house.url, house.stderr
        yield house
    finally:
        house.kill()
        house.wait()


@contextmanager
def site(directory: Path, store: str, *, workers: int = 4, lease: str = "1s", more: str = "") -> Iterator[Site]:
    """Serve `lasting:app`, with an account `root` that is an admin and one `alice`; `more` is put into the file."""
    (directory / "secret.key").write_text("0123456789abcdef" * 4)
    toml = TOML.format(store=store, lease=lease) + more
    with _running(begin("lasting:app", directory, toml, workers=workers)) as house:
        for arguments in (("alice",), ("root", "--admin")):
            done = narthex(directory, "users", "add", *arguments, "--password-stdin", text=PASSWORD)
            assert done.returncode == 0, done.stderr
        running = Site(house, directory, workers)
        running.connect()
        yield running
        running.close()


@dataclass(slots=True)
class Place:
    """A house with four workers; the proxy that its store is behind, where there is one."""

    site: Site
    proxy: Proxy | None

    @property
    def workers(self) -> list[Worker]:
        return self.site.workers


@contextmanager
def place_on(store: str, directory: Path, **more: Any) -> Iterator[Place]:
    """A house on "sqlite", or on "postgresql" behind a proxy; keyword arguments are those of `site`."""
    if store == "sqlite":
        with site(directory, f"sqlite:///{directory}/narthex.db", **more) as running:
            yield Place(running, None)
        return
    with ExitStack() as stack:
        url = stack.enter_context(contextmanager(_schema)())
        address = urlsplit(url)
        proxy = stack.enter_context(Proxy(address.hostname or "", address.port or 5432))
        behind = url.replace(f"{address.hostname}:{address.port}", f"127.0.0.1:{proxy.port}")
        yield Place(stack.enter_context(site(directory, behind, **more)), proxy)
