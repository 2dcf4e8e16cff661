"""The audit trail of the demo: a login, a forbidden call and a revocation are one log, and a change of it is found."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.contrib.demo.conftest import NARTHEX, Served, free_port, served
from tests.contrib.demo.test_office import tour, typed


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("audit")
    environ = {"SHOP_DATA": str(directory / "data")}
    with served((*NARTHEX, "demo", "--port", str(free_port())), directory, **environ) as running:
        yield running


def test_login_forbidden_call_and_revocation_are_one_chain_and_an_edit_is_found(demo: Served, tmp_path: Path) -> None:
    for name in ("alice", "adam"):
        (login,) = tour(demo, f" -c {name}.jar ")
        typed(login, tmp_path)
    subject = json.loads((tmp_path / "alice.json").read_text())["subject"]
    _, alice_may_not, *_ = tour(demo, "-b alice.jar")
    typed(alice_may_not, tmp_path)
    (revoke,) = tour(demo, "/_narthex/revocations")
    typed(revoke, tmp_path)
    look, verify = tour(demo, " audit ")
    here = demo.out.parent  # where the demo was started: it names its file from there
    lines = wait_for(lambda: typed(look, here), "revocation.subject")
    assert f"{subject}  auth.login /_narthex/auth/login  success 200" in lines
    assert f"{subject}  http.GET /office/orders  refused 403" in lines
    assert "http.POST /_narthex/revocations  success 201" in lines
    found = json.loads(typed(f"{look} --json", here))["records"]
    assert len({one["chain"] for one in found}) == 1
    assert typed(verify, here).startswith("good: ")
    assert httpx.get(f"http://{demo.address}/readyz").status_code == 200

    edit(here / "data" / "narthex.db", subject)
    bad = typed(f"{verify} || true", here)
    login = next(one for one in found if one["action"] == "auth.login" and one["actor"] == subject)
    assert f"record {login['id']} at position {login['position']}" in bad


def edit(database: Path, subject: str) -> None:
    """Change a record by hand: the first of alice's is said to be somebody else's."""
    store = sqlite3.connect(database)
    for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        store.execute(f"DROP TRIGGER {name}")
    change = "UPDATE audit_records_1 SET record = replace(record, ?, 'somebody') WHERE record LIKE ?"
    store.execute(change, (subject, f"%auth.login%{subject}%"))
    store.commit()
    store.close()


def wait_for(look: Callable[[], str], words: str) -> str:
    deadline = time.monotonic() + 60
    while words not in (lines := look()):
        assert time.monotonic() < deadline, lines
        time.sleep(0.1)
    return lines
