"""Revoked means revoked, over the wire: four workers, each asked over a kept-alive connection right after the call.

REVOCATION=full runs 10,000 trials on each store instead of a sample, REVOCATION=2500 a part of them.
"""

import os
import signal
import time

import pytest

from tests.plugins.revocation.workers import ISSUER, Place, claims, code_of, tell

SIZE = os.environ.get("REVOCATION", "")
FULL = SIZE == "full"
TRIALS = 10_000 if FULL else int(SIZE or 80)
STOPS = 200 if FULL else 3
LONG = pytest.mark.timeout(7200 if SIZE else 400)


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
    took: list[float] = []
    stale = 0
    for number in range(TRIALS):
        place.site.must_accept(tokens["access_token"])
        began = time.perf_counter()
        code = revoke(place, number, admin, tokens["access_token"])
        took.append(1000 * (time.perf_counter() - began))
        said = place.site.said(tokens["access_token"])
        assert set(said) <= {code, "revocation_list_stale"}, said
        stale += said.count("revocation_list_stale")
        tokens = place.site.login("alice") if code == "session_revoked" else place.site.refresh(tokens)
        if number % 500 == 499:
            admin = place.site.login("root")["access_token"]
    took.sort()
    tell(
        f"{TRIALS} trials, {4 * TRIALS} requests right after the call: 0 accepted, {stale} refused for staleness; "
        f"the call took {took[len(took) // 2]:.1f} ms, {took[len(took) * 99 // 100]:.1f} ms at the 99th percentile"
    )


@LONG
def test_a_worker_that_was_stopped_takes_nothing_when_it_goes_on(place: Place) -> None:
    """It is asked while it is stopped: what it finds first when it goes on is the request."""
    tokens = place.site.login("alice")
    said: list[str] = []
    for number in range(STOPS):
        place.site.must_accept(tokens["access_token"])
        stopped = place.workers[1 + number % 3]
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            reply = place.workers[0].call("POST", "/_narthex/auth/revoke", body={"token": tokens["access_token"]})
            stopped.send("GET", "/", tokens["access_token"])
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        late = code_of(stopped.receive())
        if reply.status == 200:  # else it was stopped with the lock of the store, and nothing was promised
            assert late in {"token_revoked", "revocation_list_stale"}
            said.append(late)
        tokens = place.site.refresh(tokens)
    assert said, "the store was locked each time"
    tell(f"{len(said)} of {STOPS} calls returned; 0 accepted, {said.count('revocation_list_stale')} stale")


@LONG
def test_the_worker_that_revokes_is_stopped_in_the_middle_of_it(place: Place) -> None:
    """At another point each time. Once its answer is there nobody takes the token, the others and itself."""
    tokens, stale, found = place.site.login("alice"), 0, 0
    for number in range(STOPS):
        place.site.must_accept(tokens["access_token"])
        revoking = place.workers[number % 4]
        revoking.send("POST", "/_narthex/auth/revoke", body={"token": tokens["access_token"]})
        time.sleep(number * 7 % 40 * 0.001)
        os.kill(revoking.pid, signal.SIGSTOP)
        try:
            others = [worker for worker in place.workers if worker is not revoking]
            for worker in others:
                worker.send("GET", "/", tokens["access_token"])
            before = [code_of(worker.receive()) for worker in others]
            time.sleep(0.02)
        finally:
            os.kill(revoking.pid, signal.SIGCONT)
        found += before.count("accepted")
        assert set(before) <= {"accepted", "token_revoked", "revocation_list_stale"}  # nothing was promised yet
        reply = revoking.receive()
        if reply.status != 200:  # the store had no patience with it
            reply = revoking.insist("POST", "/_narthex/auth/revoke", body={"token": tokens["access_token"]})
        assert reply.status == 200, reply.body
        stale += place.site.must_refuse(tokens["access_token"], "token_revoked")
        tokens = place.site.refresh(tokens)
    tell(f"{STOPS} calls, 0 accepted after them, {stale} stale; {found} accepted before them, as they may be")


@LONG
def test_every_worker_is_stopped_at_some_time_and_none_takes_what_was_revoked(place: Place) -> None:
    """Each for longer than its lease, at any point of whatever it does."""
    tokens, stale = place.site.login("alice"), 0
    for number in range(STOPS // 2 + 1):
        place.site.must_accept(tokens["access_token"])
        stopped = place.workers[number % 4]
        for worker in place.workers:
            worker.send("GET", "/", tokens["access_token"])  # it may be in the middle of a check
        os.kill(stopped.pid, signal.SIGSTOP)
        time.sleep(1.1)
        os.kill(stopped.pid, signal.SIGCONT)
        for worker in place.workers:
            worker.receive()
        reply = place.workers[(number + 1) % 4].insist(
            "POST", "/_narthex/auth/revoke", body={"token": tokens["access_token"]}
        )
        assert reply.status == 200, reply.body
        stale += place.site.must_refuse(tokens["access_token"], "token_revoked")
        tokens = place.site.refresh(tokens)
    tell(f"{STOPS // 2 + 1} stops: 0 accepted, {stale} refused for staleness")
