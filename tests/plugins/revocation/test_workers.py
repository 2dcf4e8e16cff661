"""Revoked means revoked, over the wire: four workers, each asked over a kept-alive connection right after the call.

REVOCATION=full runs 10,000 trials on each store instead of a sample. PostgreSQL is behind a proxy that can be cut.
"""

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.core.store.conftest import _schema
from tests.plugins.revocation.proxy import Proxy
from tests.plugins.revocation.workers import ISSUER, Site, Worker, claims, narthex, site
from tests.wire.narthex_run import LIMIT

FULL = os.environ.get("REVOCATION") == "full"
TRIALS = 10_000 if FULL else 80
STOPS = 200 if FULL else 3
LONG = pytest.mark.timeout(7200 if FULL else 120)


@dataclass(slots=True)
class Place:
    """A house with four workers; the proxy that its store is behind, where there is one."""

    site: Site
    proxy: Proxy | None

    @property
    def workers(self) -> list[Worker]:
        return self.site.workers


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("workers")
    if request.param == "sqlite":
        with site(directory, f"sqlite:///{directory}/narthex.db") as running:
            yield Place(running, None)
        return
    with ExitStack() as stack:
        url = stack.enter_context(contextmanager(_schema)())
        address = urlsplit(url)
        proxy = stack.enter_context(Proxy(address.hostname or "", address.port or 5432))
        behind = url.replace(f"{address.hostname}:{address.port}", f"127.0.0.1:{proxy.port}")
        yield Place(stack.enter_context(site(directory, behind)), proxy)


@pytest.fixture
def place(house: Place) -> Place:
    """With new connections: the server closes those that nobody used for some seconds."""
    house.site.connect()
    return house


def revoke(place: Place, number: int, admin: str, token: str) -> str:
    """Revoke what a token stands on, one way or another, by one worker or another; the code to be expected."""
    worker, said = place.workers[number % 4], claims(token)
    if number % 20 == 19:
        reply = worker.insist("POST", "/_narthex/auth/logout", token)
        assert reply.status == 200, reply.body
        return "session_revoked"
    if number % 2:
        reply = worker.insist("POST", "/_narthex/auth/revoke", body={"token": token})
        assert reply.status == 200, reply.body
    else:
        order: dict[str, object] = {"token": said["jti"], "issuer": ISSUER, "expires_at": said["exp"]}
        reply = worker.insist("POST", "/_narthex/revocations", admin, order)
        assert reply.status == 201, reply.body
    return "token_revoked"


@LONG
def test_no_worker_takes_what_was_revoked(place: Place) -> None:
    admin, tokens = place.site.login("root")["access_token"], place.site.login("alice")
    for number in range(TRIALS):
        place.site.must_accept(tokens["access_token"])
        code = revoke(place, number, admin, tokens["access_token"])
        place.site.must_refuse(tokens["access_token"], code)
        tokens = place.site.login("alice") if code == "session_revoked" else place.site.refresh(tokens)
        if number % 500 == 499:
            admin = place.site.login("root")["access_token"]


@LONG
def test_a_worker_that_was_stopped_takes_nothing_when_it_goes_on(place: Place) -> None:
    """It is asked while it is stopped: what it finds first when it goes on is the request."""
    tokens = place.site.login("alice")
    for number in range(STOPS):
        place.site.must_accept(tokens["access_token"])
        stopped = place.workers[1 + number % 3]
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            reply = place.workers[0].call("POST", "/_narthex/auth/revoke", body={"token": tokens["access_token"]})
            stopped.send("GET", "/", tokens["access_token"])
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        late = stopped.receive()
        if reply.status == 200:  # else it was stopped with the lock of the store, and nothing was promised
            assert late.json()["code"] in {"token_revoked", "revocation_list_stale"}
        tokens = place.site.refresh(tokens)


def test_what_is_open_is_closed_in_every_worker(place: Place) -> None:
    tokens = place.site.login("alice")["access_token"]
    streams = [Stream(place, tokens) for _ in range(8)]
    reply = place.workers[2].insist("POST", "/_narthex/auth/logout", tokens)
    assert reply.status == 200, reply.body
    for stream in streams:
        stream.must_end()


class Stream:
    """An endless answer, on a connection of its own, that has begun."""

    def __init__(self, place: Place, token: str) -> None:
        address = urlsplit(place.site.house.url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT)
        self._connection.request("GET", "/stream", headers={"authorization": f"Bearer {token}"})
        self._response = self._connection.getresponse()
        assert (self._response.status, self._response.read(5)) == (200, b"tick\n")

    def must_end(self) -> None:
        """Read on to its end, which the timeout of the connection limits only where nothing comes any more."""
        ticks = 0
        while self._response.read(5) and ticks < 20 * LIMIT:
            ticks += 1
        self._connection.close()
        assert ticks < 20 * LIMIT


def test_a_revoked_subject_is_out_everywhere_and_comes_back_by_logging_in(place: Place) -> None:
    admin, tokens = place.site.login("root")["access_token"], place.site.login("alice")
    order: dict[str, object] = {"subject": claims(tokens["access_token"])["sub"], "reason": "left"}
    assert place.workers[1].insist("POST", "/_narthex/revocations", admin, order).status == 201
    assert "accepted" not in place.site.codes(tokens["access_token"])
    # What is issued in the second of the revocation is refused as well; in the next one it is good.
    place.site.house.until(lambda: place.site.codes(place.site.login("alice")["access_token"]) == {"accepted"})


def test_a_command_revokes_in_every_worker(place: Place) -> None:
    if place.proxy is None:
        pytest.skip("docs/howto/revoke.md is followed on SQLite")
    token = place.site.login("alice")["access_token"]
    said = claims(token)
    place.site.must_accept(token)
    shown = narthex(place.site.directory, "sessions", "list", said["sub"])
    assert said["sid"] in shown.stdout, shown.stderr
    done = narthex(place.site.directory, "tokens", "revoke", "--token", said["jti"], "--reason", "lost")
    assert done.returncode == 0, done.stderr
    place.site.connect()
    place.site.must_refuse(token, "token_revoked")
    assert "lost" in narthex(place.site.directory, "tokens", "revoked", "--limit", "1").stdout
    assert narthex(place.site.directory, "sessions", "end", said["sid"]).stdout == "ended\n"
    assert narthex(place.site.directory, "sessions", "end", said["sid"]).returncode == 1


def test_users_see_and_end_their_own_sessions_and_admins_all(place: Place) -> None:
    alice, root = place.site.login("alice")["access_token"], place.site.login("root")["access_token"]
    worker, mine = place.workers[3], claims(alice)["sid"]
    listed = worker.insist("GET", "/_narthex/sessions", alice).json()["sessions"]
    assert [one["id"] for one in listed if one["current"]] == [mine]
    theirs = claims(root)["sid"]
    assert worker.insist("GET", f"/_narthex/sessions?subject={claims(root)['sub']}", alice).status == 403
    assert worker.insist("DELETE", f"/_narthex/sessions/{theirs}", alice).json()["code"] == "session_unknown"
    assert worker.insist("DELETE", f"/_narthex/sessions/{mine}", root).json() == {"ended": True}
    place.site.must_refuse(alice, "session_revoked")


def test_without_a_store_everybody_refuses_in_the_end_and_nobody_takes_what_was_revoked(place: Place) -> None:
    if place.proxy is None:
        pytest.skip("SQLite is a file, which nobody can be cut off from")
    tokens, good = place.site.login("alice"), place.site.login("root")["access_token"]
    place.site.must_accept(tokens["access_token"])
    order: dict[str, object] = {"token": tokens["access_token"]}
    assert place.workers[0].call("POST", "/_narthex/auth/revoke", body=order).status == 200
    place.proxy.cut()
    try:
        place.site.house.until(lambda: place.site.codes(good) == {"revocation_list_stale"})
        assert place.site.codes(tokens["access_token"]) <= {"revocation_list_stale", "token_revoked"}
        assert place.workers[0].call("POST", "/_narthex/auth/revoke", body={"token": good}).status == 503
    finally:
        place.proxy.mend()
    place.site.house.until(lambda: place.site.codes(tokens["access_token"]) == {"token_revoked"})
