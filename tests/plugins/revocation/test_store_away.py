"""The table of docs/explanation/consistency.md, row by row: what requests and calls get of a store that is not fine."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.plugins.revocation.hindering import hindered
from tests.plugins.revocation.proxy import Proxy
from tests.plugins.revocation.workers import Place, Worker, claims, code_of, place_on, tell
from tests.slow import sampled

FULL = os.environ.get("REVOCATION") == "full"
TRIALS = 100 if FULL else 2
LONG = pytest.mark.timeout(7200 if FULL else 400)


@pytest.fixture(scope="module", params=sampled(["sqlite", "postgresql"], lambda store: store == "sqlite"))
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A house whose lease is longer than a client of these tests waits for anything: a call that waits for it fails."""
    with place_on(request.param, tmp_path_factory.mktemp("patient"), lease="60s") as made:
        yield made


def revoked(worker: Worker, token: str) -> int:
    return worker.call("POST", "/_narthex/auth/revoke", body={"token": token}).status


def stale(place: Place, good: str, *workers: Worker) -> bool:
    """Whether these workers, or all, refuse a good token because their list is too old."""
    found = [worker.call("GET", "/", good) for worker in workers or place.workers]
    return {code_of(reply) for reply in found} == {"revocation_list_stale"}


def test_a_store_that_is_fine_a_call_waits_for_no_lease(patient: Place) -> None:
    patient.site.connect()
    for worker in patient.workers:
        token = patient.site.login("alice")["access_token"]
        patient.site.must_accept(token)
        assert revoked(worker, token) == 200
        assert patient.site.codes(token) == {"token_revoked"}


def test_one_process_is_stopped_a_call_waits_for_its_lease_unless_it_shares_the_page(patient: Place) -> None:
    if patient.proxy is not None:
        pytest.skip("on PostgreSQL it does wait: test_workers.py, with a lease of a second")
    patient.site.connect()
    token = patient.site.login("alice")["access_token"]
    patient.site.must_accept(token)
    os.kill(patient.workers[1].pid, signal.SIGSTOP)
    try:
        assert revoked(patient.workers[0], token) == 200
    finally:
        os.kill(patient.workers[1].pid, signal.SIGCONT)
    assert patient.site.codes(token) == {"token_revoked"}


def test_a_store_that_is_slow_within_half_of_the_lease_refuses_nobody(patient: Place) -> None:
    """On PostgreSQL, where a look is some ten round trips of 0.1 s; on SQLite a worker's locks take as long."""
    patient.site.connect()
    good, token = patient.site.login("root")["access_token"], patient.site.login("alice")["access_token"]
    patient.site.must_accept(token)

    def look_and_revoke() -> None:
        said = [patient.site.codes(good) for _ in range(100)]
        assert said == [{"accepted"}] * 100
        assert revoked(patient.workers[1], token) == 200
        patient.site.connect()  # the call may have taken longer than a server waits for a client
        assert patient.site.codes(token) == {"token_revoked"}

    if patient.proxy is None:
        with hindered(patient.workers[0].pid, "fcntl", "delay_enter=100000", patient.site.directory / "narthex.db-shm"):
            look_and_revoke()
        return
    patient.proxy.delay = 0.05
    try:
        look_and_revoke()
    finally:
        patient.proxy.mend()


@LONG
def test_a_store_that_is_slower_is_waited_for_and_then_everybody_is_refused(place: Place) -> None:
    said: list[str] = []
    for number in range(TRIALS):
        said += _slowed(place, place.workers[number % 4], place.workers[(number + 1) % 4])
        place.site.connect()
    assert set(said) <= {"token_revoked", "revocation_list_stale"}, said
    place.site.house.until(lambda: "the list of revocations can be looked at again" in place.site.house.stderr)
    assert "the list of revocations cannot be looked at" in place.site.house.stderr
    tell(f"{TRIALS} times slow: {len(said)} requests, 0 accepted, {said.count('revocation_list_stale')} stale")


def _slowed(place: Place, slow: Worker, revoking: Worker) -> list[str]:
    """What everybody says of a token that was revoked before the store was slow: on SQLite, for one of them."""
    token, good = place.site.login("alice")["access_token"], place.site.login("root")["access_token"]
    place.site.must_accept(token)
    assert revoked(revoking, token) == 200
    with ExitStack() as stack:
        if place.proxy is None:
            shm = place.site.directory / "narthex.db-shm"
            stack.enter_context(hindered(slow.pid, "fcntl", "delay_enter=1500000", shm))
            place.site.house.until(lambda: stale(place, good, slow))
        else:
            place.proxy.delay = 0.5
            stack.callback(place.proxy.mend)
            place.site.house.until(lambda: stale(place, good))
        place.site.house.until(lambda: max(place.site.gauge("narthex_revocation_staleness_seconds")) > 1)
        said = place.site.said(token)
    place.site.must_accept(good)
    return said + place.site.said(token)


@LONG
def test_without_a_store_everybody_refuses_in_the_end_and_nobody_takes_what_was_revoked(place: Place) -> None:
    if place.proxy is None:
        pytest.skip("SQLite is a file, which nobody can be cut off from; its locks that fail are the next test")
    said: list[str] = []
    for number in range(TRIALS):
        said += _cut_off(place, place.proxy, place.workers[number % 4])
        place.site.connect()
    assert set(said) <= {"token_revoked", "revocation_list_stale"}, said
    tell(f"{TRIALS} times cut off: {len(said)} requests, 0 accepted, {said.count('revocation_list_stale')} stale")


def _cut_off(place: Place, proxy: Proxy, revoking: Worker) -> list[str]:
    """What everybody says of a token that was revoked before nobody reached the store any more."""
    said: list[str] = []
    token, good = place.site.login("alice")["access_token"], place.site.login("root")["access_token"]
    place.site.must_accept(token)
    assert revoked(revoking, token) == 200
    proxy.cut()
    try:
        while not stale(place, good):
            said += place.site.said(token)
        reply = place.workers[0].call("POST", "/_narthex/auth/revoke", body={"token": good})
        assert (reply.status, reply.json()["error"]) == (503, "temporarily_unavailable")
        order: dict[str, object] = {"token": claims(good)["jti"]}
        reply = place.workers[0].call("POST", "/_narthex/revocations", good, order)
        assert (reply.status, reply.json()["code"]) == (503, "revocation_list_stale")
        said += place.site.said(token)
    finally:
        proxy.mend()
    place.site.house.until(lambda: place.site.codes(token) == {"token_revoked"})
    place.site.must_accept(good)
    return said


@LONG
def test_one_worker_that_is_cut_off_refuses_and_the_others_go_on_and_revoke(place: Place) -> None:
    said: list[str] = []
    for number in range(TRIALS):
        tokens, good = place.site.login("alice"), place.site.login("root")["access_token"]
        place.site.must_accept(tokens["access_token"])
        off = place.workers[number % 4]
        others = [worker for worker in place.workers if worker is not off]
        if place.proxy is None:
            with hindered(off.pid, "fcntl", "error=EIO", place.site.directory / "narthex.db-shm"):
                said += _revoke_beside(place, off, others, tokens["access_token"], good)
        else:
            place.proxy.cut(off.pid)
            try:
                said += _revoke_beside(place, off, others, tokens["access_token"], good)
            finally:
                place.proxy.mend()
        place.site.connect()
        place.site.must_accept(good)
        assert place.site.codes(tokens["access_token"]) <= {"token_revoked", "revocation_list_stale"}
    assert set(said) <= {"token_revoked", "revocation_list_stale"}, said
    stales = said.count("revocation_list_stale")
    tell(f"{TRIALS} times one of four cut off: {len(said)} requests, 0 accepted, {stales} stale")


def _revoke_beside(place: Place, off: Worker, others: list[Worker], token: str, good: str) -> list[str]:
    """What everybody says of a token that was revoked while one worker is cut off."""
    reply = others[0].insist("POST", "/_narthex/auth/revoke", body={"token": token})
    assert reply.status == 200, reply.body
    said = place.site.said(token)
    place.site.house.until(lambda: stale(place, good, off))
    for worker in others:
        assert worker.insist("GET", "/", good).status == 200
    return said + place.site.said(token)


def test_a_store_that_takes_no_writes_refuses_calls_and_nobody_else(place: Place) -> None:
    """SQLite has no room on its disk; PostgreSQL's table is locked by somebody, whom its writer has to wait for."""
    token, admin = place.site.login("alice")["access_token"], place.site.login("root")["access_token"]
    place.site.must_accept(token)
    order: dict[str, object] = {"token": claims(token)["jti"]}
    with ExitStack() as stack:
        if place.proxy is None:
            wal = place.site.directory / "narthex.db-wal"
            stack.enter_context(hindered(place.workers[2].pid, "pwrite64", "error=ENOSPC", wal))
        else:
            locking = stack.enter_context(psycopg.connect(_url(place.site.directory)))
            locking.execute("LOCK TABLE revocation_log IN SHARE MODE")
        reply = place.workers[2].call("POST", "/_narthex/revocations", admin, order)
        assert (reply.status, reply.json().get("code")) == (503, "dependency_unavailable"), reply.body
        place.site.connect()
        place.site.must_accept(admin)
    reply = place.workers[2].insist("POST", "/_narthex/revocations", admin, order)  # to ask again does no harm
    assert reply.status == 201, reply.body
    assert place.site.codes(token) <= {"token_revoked", "revocation_list_stale"}


def _url(directory: Path) -> str:
    lines = (directory / "narthex.toml").read_text().splitlines()
    return next(line.partition(" = ")[2].strip('"') for line in lines if line.startswith("store = "))


def test_who_is_nobody_needs_no_list(place: Place) -> None:
    """Anonymous requests go on whatever the store does; the look of this worker is stopped."""
    if place.proxy is None:
        pytest.skip("the same code; on PostgreSQL the store can be cut off")
    good = place.site.login("root")["access_token"]
    place.proxy.cut()
    try:
        place.site.house.until(lambda: stale(place, good))
        assert [worker.call("GET", "/").status for worker in place.workers] == [200] * 4
    finally:
        place.proxy.mend()
    place.site.must_accept(good)
    assert claims(good)["sub"]
