"""Revoked means revoked, over the wire: four workers, each asked over a kept-alive connection right after the call.

REVOCATION=full runs 10,000 trials on each store instead of a sample.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.revocation.workers import ISSUER, Site, claims, site
from tests.wire.narthex_run import House

TRIALS = 10_000 if os.environ.get("REVOCATION") == "full" else 60
LONG = pytest.mark.timeout(7200 if TRIALS > 1000 else 120)


@pytest.fixture
def running(tmp_path: Path, store_url: str) -> Iterator[Site]:
    with site(tmp_path, store_url) as serving:
        yield serving


def revoke(running: Site, number: int, admin: str, tokens: dict[str, Any]) -> str:
    """Revoke what a token stands on, one way or another, by one worker or another; the code to be expected."""
    worker, token = running.workers[number % 4], tokens["access_token"]
    said = claims(token)
    if number % 20 == 19:
        reply = worker.call("POST", "/_narthex/auth/logout", token)
        assert reply.status == 200, reply.body
        return "session_revoked"
    if number % 2:
        reply = worker.call("POST", "/_narthex/auth/revoke", body={"token": token})
        assert reply.status == 200, reply.body
    else:
        order: dict[str, object] = {"token": said["jti"], "issuer": ISSUER, "expires_at": said["exp"]}
        reply = worker.call("POST", "/_narthex/revocations", admin, order)
        assert reply.status == 201, reply.body
    return "token_revoked"


@LONG
def test_no_worker_takes_what_was_revoked(running: Site) -> None:
    admin, tokens = running.login("root")["access_token"], running.login("alice")
    for number in range(TRIALS):
        assert running.accepted_by_all(tokens["access_token"])
        code = revoke(running, number, admin, tokens)
        replies = running.ask(tokens["access_token"])
        assert [reply.status for reply in replies] == [401] * 4, (number, replies)
        assert {reply.json()["code"] for reply in replies} == {code}
        tokens = running.login("alice") if code == "session_revoked" else running.refresh(tokens)
        if number % 500 == 499:
            admin = running.login("root")["access_token"]


def test_a_revoked_subject_is_out_everywhere_and_comes_back_by_logging_in(running: Site) -> None:
    admin, tokens = running.login("root")["access_token"], running.login("alice")
    assert running.accepted_by_all(tokens["access_token"])
    order: dict[str, object] = {"subject": claims(tokens["access_token"])["sub"], "reason": "left"}
    assert running.workers[1].call("POST", "/_narthex/revocations", admin, order).status == 201
    assert [reply.status for reply in running.ask(tokens["access_token"])] == [401] * 4
    until_accepted(running.house, running)


def until_accepted(house: House, running: Site) -> None:
    """What is issued in the second of the revocation is refused as well; in the next one it is good."""
    house.until(lambda: running.accepted_by_all(running.login("alice")["access_token"]))
