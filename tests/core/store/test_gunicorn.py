"""Workers that gunicorn forks, each with the store: imported before the fork and after it, they lose nothing."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.wire.datasette_site import request
from tests.wire.replies import ask, body, status
from tests.wire.servers import serve

CONFIG = {"plugins": {"guestbook": {"use": "narthex_contrib.guestbook:Guestbook"}}}


def look(url: str, query: str) -> list[tuple[Any, ...]]:
    """What is in the store, seen from outside."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def both_up(url: str) -> list[int]:
    """Wait until two workers are members; their pids."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.05)
        with suppress(DBAPIError):  # no tables yet
            found = [pid for (pid,) in look(url, "SELECT pid FROM narthex_members")]
            if len(set(found)) == len(found) == 2:
                return found
    raise TimeoutError("the workers did not become members")


@pytest.mark.parametrize("extra", [(), ("--preload",)], ids=["plain", "preload"])
def test_two_workers_keep_every_visit(extra: tuple[str, ...], store_url: str, tmp_path: Path) -> None:
    config = {**CONFIG, "narthex": {"store": store_url}}
    env = {"BOOT_GUEST": "tidy", "BOOT_CONFIG": json.dumps(config), "BOOT_DIARY": str(tmp_path / "diary.txt")}
    with serve("tests.wire.boot_site:app", "gunicorn", env=env, extra=["--workers=2", *extra], ready=None) as server:
        members = both_up(store_url)

        def visit(number: int) -> int:
            reply = ask(server.port, request(f"/visit/{number}"))
            assert status(reply) == 200
            return int(json.loads(body(reply))["pid"])

        with ThreadPoolExecutor(8) as pool:
            pids = list(pool.map(visit, range(200)))
        assert set(pids) <= set(members)
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    rows = look(store_url, "SELECT version, path FROM guestbook_visits ORDER BY version")
    assert look(store_url, "SELECT pid FROM narthex_members") == []
    assert {path for _, path in rows} >= {f"/visit/{number}" for number in range(200)}
    assert [version for version, _ in rows] == list(range(1, len(rows) + 1))
