"""Several processes deliver to a receiver that fails half the time and dies; one of them is killed in mid-send.

NOTIFICATIONS=full has ten workers and 2,000 notifications instead of two and 60.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from narthex_plugins.notifications.tables import attempts, queue
from tests.plugins.notifications.receiver import SECRET, Answer, receiving, until
from tests.wire.narthex_run import House, narthex_run

FULL = os.environ.get("NOTIFICATIONS") == "full"
WORKERS, COUNT = (10, 2000) if FULL else (2, 60)
pytestmark = pytest.mark.timeout(1800 if FULL else 300)

APP = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from narthex_plugins.notifications import notify


async def tell(request):
    count = int(request.path_params["n"])
    return JSONResponse([await notify("ops", "message", {"subject": str(n), "text": ""}) for n in range(count)])


app = Starlette(routes=[Route("/tell/{n}", tell)])
"""
FILE = """
[narthex]
store = "STORE"

[plugins.notifications]
poll = "200ms"

[plugins.notifications.webhook.ops]
url = "http://127.0.0.1:PORT/hook"
secret = { file = "webhook.key" }
allow = ["127.0.0.0/8"]
attempts = 100
backoff = "50ms"
longest = "200ms"
timeout = "TIMEOUT"
trip = 1000
"""


def lay_out(directory: Path, store: str, port: int, timeout: str) -> str:
    """The app and its key; the file's text."""
    (directory / "telling.py").write_text(APP)
    (directory / "webhook.key").write_text(SECRET)
    return FILE.replace("STORE", store).replace("PORT", str(port)).replace("TIMEOUT", timeout)


def rows(store: str, *what: Any) -> list[Any]:
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = connection.execute(select(*what)).all()
    engine.dispose()
    return list(found)


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Callable[..., House]]:
    with ExitStack() as stack:

        def start(port: int, workers: int, timeout: str = "2s") -> House:
            text = lay_out(tmp_path, store_url, port, timeout)
            return stack.enter_context(narthex_run("telling:app", tmp_path, text, workers=workers))

        yield start


def test_all_arrive_whatever_the_receiver_does(running: Callable[..., House], store_url: str) -> None:
    dice = random.Random(1)

    def answer(_number: int, _path: str) -> Answer:
        drawn = dice.random()
        return (500 if drawn < 0.5 else 0 if drawn < 0.6 else 204), {}

    with receiving(answer=answer) as receiver:
        house = running(receiver.port, WORKERS)
        ids = [id_ for _ in range(COUNT // 20) for id_ in json.loads(house.get("/tell/20"))]
        until(lambda: len(receiver.taken) >= len(ids), 1200 if FULL else 60)
        until(lambda: {status for (status,) in rows(store_url, queue.c.status)} == {"sent"})
        assert receiver.wrong == []
        assert set(receiver.taken) == set(ids)
        made = rows(store_url, attempts.c.outcome)
        assert len(made) >= len(receiver.seen) - sum(count - 1 for count in receiver.taken.values())
        assert [outcome for (outcome,) in made].count("sent") == len(ids)
        doubles = sum(receiver.taken.values()) - len(ids)
        print(f"{len(ids)} notifications, {len(receiver.seen)} attempts, {WORKERS} workers: {doubles} doubles")  # noqa: T201  for -s


def test_what_a_killed_worker_was_sending_is_sent_by_another(running: Callable[..., House], store_url: str) -> None:
    hold, began = threading.Event(), threading.Event()

    def answer(_number: int, _path: str) -> Answer:
        began.set()
        hold.wait(60)
        return 204, {}

    with receiving(answer=answer) as receiver:
        house = running(receiver.port, 2, timeout="2s")
        house.get("/tell/1")
        assert began.wait(60)
        ((holder,),) = rows(store_url, attempts.c.worker)
        os.kill(int(holder.rpartition(":")[2]), signal.SIGKILL)
        killed = time.monotonic()
        hold.set()
        until(lambda: len(receiver.seen) >= 2)
        took = time.monotonic() - killed
        until(lambda: rows(store_url, queue.c.status) == [("sent",)])
        assert [outcome for (outcome,) in rows(store_url, attempts.c.outcome)] == ["lost", "sent"]
        assert len({headers["webhook-id"] for _, headers, _ in receiver.seen}) == 1
        print(f"killed in mid-send: again after {took:.1f} s, {sum(receiver.taken.values()) - 1} double")  # noqa: T201
