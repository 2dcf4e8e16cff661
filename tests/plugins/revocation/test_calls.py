"""The calls over the wire, with four workers: by whom, of what, beside one another, and what they close."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.plugins.revocation.workers import ISSUER, Place, Worker, claims, narthex, opened, tell
from tests.wire.narthex_run import LIMIT

OPEN = 50


def test_a_revoked_subject_is_out_everywhere_and_comes_back_by_logging_in(place: Place) -> None:
    admin, tokens = place.site.login("root")["access_token"], place.site.login("alice")
    order: dict[str, object] = {"subject": claims(tokens["access_token"])["sub"], "reason": "left"}
    assert place.workers[1].insist("POST", "/_narthex/revocations", admin, order).status == 201
    assert "accepted" not in place.site.codes(tokens["access_token"])
    _until_accepted_again(place)


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
    assert place.site.codes(token) <= {"token_revoked", "revocation_list_stale"}
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
    others = worker.insist("GET", f"/_narthex/sessions?subject={claims(alice)['sub']}", root).json()["sessions"]
    assert [one["id"] for one in others if one["id"] == mine and one["live"]] == [mine]
    assert worker.insist("DELETE", f"/_narthex/sessions/{mine}", root).json() == {"ended": True}
    assert place.site.codes(alice) <= {"session_revoked", "revocation_list_stale"}


def test_the_list_is_for_admins_and_says_who_did_what_and_why(place: Place) -> None:
    alice, root = place.site.login("alice")["access_token"], place.site.login("root")["access_token"]
    worker, path = place.workers[2], "/_narthex/revocations"
    order: dict[str, object] = {"token": "somebody's", "issuer": "https://other.example", "reason": "stolen"}
    for method in ("GET", "POST", "DELETE"):
        assert worker.insist(method, path, alice, order).json()["code"] == "permission_denied"
        assert worker.insist(method, path).status == 401
    assert worker.insist("POST", path, root, order).status == 201
    newest = worker.insist("GET", f"{path}?limit=1", root).json()["revocations"][0]
    assert (newest["token"], newest["issuer"], newest["reason"]) == tuple(order.values())
    assert newest["by"] == claims(root)["sub"]
    assert worker.insist("DELETE", f"{path}/{newest['version']}", root).json()["code"] == "revocation_final"


@pytest.mark.parametrize("odd", ["%00", "a%00b", "%FF", "%ED%A0%80", "x" * 3000, "..", "%20", "'", "%F0%9F%94%91"])
def test_no_session_has_such_an_id_and_no_name_does_harm(place: Place, odd: str) -> None:
    root = place.site.login("root")["access_token"]
    worker = place.workers[0]
    ended = worker.insist("DELETE", f"/_narthex/sessions/{odd}", root)
    listed = worker.insist("GET", f"/_narthex/sessions?subject={odd}", root)
    assert ended.status in {200, 400, 404}, ended.body
    assert listed.status in {200, 400}, listed.body
    if listed.status == 200:
        assert listed.json() == {"sessions": []}


def test_what_two_workers_revoke_at_once_is_revoked_and_stands_in_the_list_twice(place: Place) -> None:
    root = place.site.login("root")["access_token"]
    for _ in range(5):
        token = place.site.login("alice")["access_token"]
        place.site.must_accept(token)
        order: dict[str, object] = {"token": claims(token)["jti"], "issuer": ISSUER}
        for worker in place.workers[:2]:
            worker.send("POST", "/_narthex/revocations", root, order)
        replies = [worker.receive() for worker in place.workers[:2]]
        assert {reply.status for reply in replies} == {201}, replies
        assert replies[0].json()["version"] != replies[1].json()["version"]
        assert place.site.codes(token) <= {"token_revoked", "revocation_list_stale"}


def test_a_session_that_was_revoked_is_not_refreshed(place: Place) -> None:
    root = place.site.login("root")["access_token"]
    for by in ("session", "subject"):
        tokens = place.site.login("alice")
        said = claims(tokens["access_token"])
        order: dict[str, object] = {by: said["sid" if by == "session" else "sub"]}
        stop = threading.Event()
        newest = [tokens]
        other = Worker(http.client.HTTPConnection(urlsplit(place.site.house.url).netloc, timeout=LIMIT), 0)

        def refresh(
            worker: Worker = other, newest: list[dict[str, str]] = newest, stop: threading.Event = stop
        ) -> None:
            while not stop.is_set():
                body: dict[str, object] = {"refresh_token": newest[-1]["refresh_token"]}
                reply = worker.call("POST", "/_narthex/auth/refresh", body=body)
                if reply.status == 200:
                    newest.append(reply.json())
                elif reply.status != 503:
                    return

        refreshing = threading.Thread(target=refresh)
        refreshing.start()
        place.site.house.until(lambda newest=newest: len(newest) > 1)  # type: ignore[misc]
        assert place.workers[1].insist("POST", "/_narthex/revocations", root, order).status == 201
        said_then = place.site.codes(newest[-1]["access_token"])
        refreshing.join(LIMIT)
        stop.set()
        other.close()
        for one in (tokens, newest[-1]):
            assert "accepted" not in place.site.codes(one["access_token"]) | said_then
    _until_accepted_again(place)


def _until_accepted_again(place: Place) -> None:
    """What is issued in the second of a subject's revocation is refused as well; in the next one it is good."""
    place.site.house.until(lambda: place.site.codes(place.site.login("alice")["access_token"]) == {"accepted"})


def test_a_worker_that_boots_as_others_revoke_takes_nothing_that_was_revoked(place: Place) -> None:
    """One is killed and started again, twice. On SQLite its page of marks is another then: somebody took it away."""
    revoked: list[str] = []
    for _ in range(2):
        (place.site.directory / "narthex.db-link").unlink(missing_ok=True)
        known = {worker.pid for worker in place.workers}
        os.kill(place.workers[3].pid, signal.SIGKILL)
        place.workers.pop().close()
        while _answering(place) in known:
            revoked.append(_revoked(place, place.workers[0]))
        place.site.connect()
        assert all("accepted" not in place.site.codes(token) for token in revoked[-20:])
        revoked += [_revoked(place, worker) for worker in place.workers]


def _answering(place: Place) -> int:
    """The process id of whoever takes a new connection."""
    connection, pid = opened(place.site.house.url)
    connection.close()
    return pid


def _revoked(place: Place, worker: Worker) -> str:
    """A token that one worker has just revoked, and nobody takes."""
    token = str(place.site.login("alice")["access_token"])
    place.site.must_accept(token)
    reply = worker.insist("POST", "/_narthex/auth/revoke", body={"token": token})
    assert reply.status == 200, reply.body
    assert "accepted" not in place.site.codes(token)
    return token


def test_fifty_sockets_and_streams_are_closed_in_every_worker(place: Place) -> None:
    token = place.site.login("alice")["access_token"]
    other = place.site.login("root")["access_token"]
    with ExitStack() as stack:
        sockets = [stack.enter_context(_socket(place, token)) for _ in range(OPEN // 2)]
        streams = [stack.enter_context(_stream(place, token)) for _ in range(OPEN // 2)]
        kept = stack.enter_context(_socket(place, other))
        ends: list[float] = []
        readers = [
            *(threading.Thread(target=_until_closed, args=(one, ends)) for one in sockets),
            *(threading.Thread(target=_until_ended, args=(one, ends)) for one in streams),
        ]
        for reader in readers:
            reader.start()
        began = time.monotonic()
        reply = place.workers[2].insist("POST", "/_narthex/auth/logout", token)
        assert reply.status == 200, reply.body
        returned = time.monotonic()
        for reader in readers:
            reader.join(LIMIT)
        assert len(ends) == OPEN
        kept.send("still here")
        assert kept.recv(LIMIT) == "still here"
    tell(
        f"{OPEN} sockets and streams: the last closed {1000 * (max(ends) - began):.0f} ms after the call began, "
        f"{1000 * (max(ends) - returned):.0f} ms after it returned"
    )


@contextmanager
def _socket(place: Place, token: str) -> Iterator[ClientConnection]:
    address = place.site.house.url.replace("http:", "ws:")
    headers = {"authorization": f"Bearer {token}"}
    with connect(f"{address}/socket", additional_headers=headers, open_timeout=LIMIT) as opened:
        yield opened


@contextmanager
def _stream(place: Place, token: str) -> Iterator[http.client.HTTPResponse]:
    """An event stream that has begun and says nothing more."""
    connection = http.client.HTTPConnection(urlsplit(place.site.house.url).netloc, timeout=LIMIT)
    connection.request("GET", "/silent", headers={"authorization": f"Bearer {token}"})
    response = connection.getresponse()
    assert (response.status, response.readline()) == (200, b"data: 0\n")
    yield response
    connection.close()


def _until_closed(opened: ClientConnection, ends: list[float]) -> None:
    try:
        opened.recv(LIMIT)
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code == 4401:
            ends.append(time.monotonic())


def _until_ended(response: http.client.HTTPResponse, ends: list[float]) -> None:
    try:
        response.read()  # to its last chunk; a connection that was cut raises
    except (TimeoutError, http.client.HTTPException):
        return
    ends.append(time.monotonic())
