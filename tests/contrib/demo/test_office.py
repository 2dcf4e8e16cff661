"""The office behind the shop, as the tour has one try it: three roles, why, a rule in shadow mode, a revoked user."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.contrib.demo.conftest import NARTHEX, Served, free_port, served


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A demo of its own: alice is revoked in it."""
    with served((*NARTHEX, "demo", "--port", str(free_port())), tmp_path_factory.mktemp("office")) as running:
        yield running


@pytest.fixture(scope="module")
def here(demo: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are typed, after everybody has logged in, an order was placed and a ledger fetched."""
    directory = tmp_path_factory.mktemp("here")
    for name in ("alice", "erin", "adam"):
        (login,) = tour(demo, f" -c {name}.jar ")
        assert set(json.loads(typed(login, directory))) == {"subject", "expires_in"}
    httpx.post(f"http://{demo.address}/api/orders", json={"customer": "Grace", "item": "rope"}).raise_for_status()
    httpx.get(f"http://{demo.address}/download?rows=1").raise_for_status()
    return directory


def tour(demo: Served, words: str) -> list[str]:
    """The commands of the tour with these words in them."""
    return [line.strip() for line in demo.told.read_text("utf-8").splitlines() if words in line]


def typed(line: str, directory: Path) -> str:
    """What a command prints."""
    command = ["sh", "-c", line]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=directory)
    return done.stdout


def code(text: str) -> object:
    """The code of a refusal, or None."""
    said = json.loads(text)
    return said.get("code") if isinstance(said, dict) else None


def test_each_role_may_what_the_file_says(demo: Served, here: Path) -> None:
    figures, *_ = tour(demo, "/office/figures")
    alice, erin = tour(demo, f"{demo.address}/office/orders")[:2]
    assert json.loads(typed(figures, here))["orders"] == 2
    assert code(typed(alice, here)) == "role_required"
    assert [order["id"] for order in json.loads(typed(erin, here))] == [2, 1]
    refused, done = (typed(line, here) for line in tour(demo, "-X DELETE"))
    assert (code(refused), json.loads(done)["customer"]) == ("role_required", "Grace")
    assert httpx.get(f"http://{demo.address}/office/figures").json()["code"] == "authentication_required"


def test_what_was_refused_is_explained_with_rule_and_line(demo: Served, here: Path) -> None:
    (command,), (endpoint,) = tour(demo, " explain DELETE "), tour(demo, "/_narthex/explain?")
    told, found = typed(command, here), json.loads(typed(endpoint, here))
    assert "refused with 403 role_required, by access" in told
    assert (found["allowed"], found["roles"], found["verdict"]["code"]) == (False, ["engineer"], "role_required")
    assert found["verdict"]["rule"].endswith(" DELETE /office/orders/**")
    assert found["verdict"]["rule"] in told


def test_a_rule_in_shadow_mode_counts_whom_it_would_refuse(demo: Served, here: Path) -> None:
    (line,) = tour(demo, "/access-soon/denials")
    (row,) = json.loads(typed(line, here))["denials"]
    assert (row["code"], row["shadow"], row["count"]) == ("authentication_required", True, 1)
    assert row["rule"].endswith(" /download")


def test_what_a_revoked_user_has_open_ends(demo: Served, here: Path) -> None:
    (stream,) = tour(demo, "/stream &")
    jar = (here / "alice.jar").read_text().split()
    cookie = {"cookie": f"{jar[-2]}={jar[-1]}", "origin": f"http://{demo.address}"}
    command = ["sh", "-c", stream.removesuffix("&")]
    with (
        subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, text=True) as following,
        connect(f"ws://{demo.address}/ws?name=alice", additional_headers=cookie) as chat,
    ):
        assert following.stdout is not None
        assert following.stdout.readline() == "id: 1\n"
        chat.recv(timeout=10)
        (revoke,) = tour(demo, "/_narthex/revocations")
        assert json.loads(typed(revoke, here))["kind"] == "subject"
        with pytest.raises(ConnectionClosed):
            chat.recv(timeout=10)
        following.stdout.read()
        assert following.wait(10) == 0  # its last chunk came: the stream has ended, and was not cut off
    assert code(typed(tour(demo, "/office/figures")[-1], here)) in {"session_over", "subject_revoked"}
