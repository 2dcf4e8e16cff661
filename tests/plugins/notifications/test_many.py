"""The list of a long queue: pages by an index, whatever the filter. NOTIFICATIONS=full stores 100,000 and is timed."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from narthex.testing import Client
from narthex_plugins.notifications.looking import page_of
from narthex_plugins.notifications.plugin import Notifications
from narthex_plugins.notifications.queue import STATUSES, new_id
from narthex_plugins.notifications.tables import queue
from tests.plugins.notifications.site import Admin

FULL = os.environ.get("NOTIFICATIONS") == "full"
COUNT = 100_000 if FULL else 3_000
PATH = "/_narthex/notifications"
QUERIES = ["", *(f"?status={status}" for status in STATUSES), "?channel=ops", "?status=dead&channel=ops&limit=1000"]


def made(number: int) -> dict[str, Any]:
    """Most were sent, as it is; some of each status."""
    status = STATUSES[number // 10 % 6] if number % 10 == 0 else "sent"
    due = 4e9 if status in ("queued", "sending", "failed") else None
    fixed = {
        "instance": "notifications",
        "template": "message",
        "data": "{}",
        "attempts": 1,
        "allowed": 15,
        "error": "",
    }
    channel = "ops" if number % 3 else "lines"
    return {
        **fixed,
        "id": new_id(1e9 + number),
        "channel": channel,
        "status": status,
        "created": 1e9 + number,
        "due": due,
    }


@pytest.fixture
def client(store_url: str, tmp_path: Path) -> Iterator[Client]:
    seats: dict[str, Any] = {"who": {"use": f"{Admin.__module__}:Admin"}}
    table = {"log": {"ops": {}, "lines": {}}, "deliver": False, "keep": "36500d", "keep_dead": "36500d"}
    with Client(config={"narthex": {"store": store_url}, "plugins": {**seats, Notifications.name: table}}) as opened:
        yield opened


def fill(start: int) -> Callable[[Connection], object]:
    rows = [made(number) for number in range(start, min(start + 1000, COUNT))]
    return lambda connection: connection.execute(insert(queue), rows)


def test_a_page_of_a_long_queue_is_found_by_an_index(client: Client, store_url: str) -> None:
    from narthex.clock import SystemClock
    from narthex.store import Store
    from narthex.store.address import parse

    async def work() -> list[str]:
        store = Store(parse(store_url, Path()), SystemClock())
        await store.start()
        try:
            for start in range(0, COUNT, 1000):
                await store.write(fill(start))
            await store.write(lambda connection: connection.exec_driver_sql("ANALYZE"))  # as autovacuum would
            return await store.read(plans) if store_url.startswith("sqlite") else []
        finally:
            await store.stop()

    for plan in client.run(work()):
        assert "USING INDEX notifications_queue" in plan or "USING INDEX sqlite_autoindex" in plan, plan
        assert "TEMP B-TREE" not in plan
    for query in QUERIES:
        took = list[float]()
        for _ in range(20 if FULL else 1):
            began = time.perf_counter()
            reply = client.get(PATH + query)
            took.append(1000 * (time.perf_counter() - began))
            assert reply.status == 200
        assert len(reply.json()["notifications"]) >= 10
        took.sort()
        print(f"{COUNT} stored, {query or 'all'}: {took[len(took) // 2]:.1f} ms, at most {took[-1]:.1f}")  # noqa: T201


def plans(connection: Connection) -> list[str]:
    found = list[str]()
    for status, channel in (("", ""), ("dead", ""), ("", "ops"), ("sent", "ops")):
        asked = page_of("notifications", status, channel, "f" * 32, 100).compile(connection)
        text = str(asked)
        names = asked.positiontup or ()
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(asked.params[name] for name in names))
        found.append(" ".join(str(row[3]) for row in rows))
    return found
