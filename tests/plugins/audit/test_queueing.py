"""The queue between requests and the store: nothing is lost unseen, and its memory has an end."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from narthex.errors import DependencyError
from narthex_plugins import audit
from narthex_plugins.audit.queueing import NoteQueue
from narthex_plugins.audit.recording import Note, Said, Words
from tests.plugins.audit.house import BOB, plugin_of, recorded, recording, records

LOG = logging.getLogger("test")
LIMIT = 100


def note(number: int) -> Said:
    words = Words(str(number), None, "success", "", None, None, None, {})
    return Said(0.0, words, None, None, None, None)


class Store:
    """Takes what it is given, but while it is shut; nothing at all of what is `poisoned`."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.kept: list[str] = []
        self.tries = 0
        self.poisoned = ""

    def keep(self, notes: Sequence[Note], *, again: bool) -> None:
        self.tries += 1
        if not self.open.is_set():
            raise DependencyError("shut")
        names = [one.words.action for one in notes if isinstance(one, Said)]
        if self.poisoned in names:
            raise ValueError(self.poisoned)
        self.kept += names


def queue_of(store: Store, lost: list[int] | None = None) -> NoteQueue:
    return NoteQueue(store, LIMIT, 0.001, (lost if lost is not None else []).append, LOG)


def test_notes_are_written_in_order_and_a_stop_writes_the_rest() -> None:
    store = Store()
    store.open.set()
    queue = queue_of(store)
    queue.put(note(0))  # before it begins: that waits
    queue.start("test")
    for number in range(1, 50):
        queue.put(note(number))
    queue.stop()
    assert store.kept == [str(number) for number in range(50)]
    assert (queue.lost, len(queue)) == (0, 0)


def test_a_store_that_does_not_answer_is_tried_again_and_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    queue = queue_of(store)
    queue.start("test")
    queue.put(note(1))
    wait(lambda: store.tries > 1)
    since = queue.since
    assert since is not None
    store.open.set()
    wait(lambda: store.kept == ["1"])
    queue.stop()
    assert queue.lost == 0
    assert queue.since is None
    assert "cannot be written, and wait" in caplog.text


def test_who_waits_for_room_goes_on_when_there_is_some() -> None:
    store = Store()
    queue = queue_of(store)
    queue.start("test")
    for number in range(LIMIT):
        queue.put(note(number))
    wait(lambda: queue.full and store.tries > 0)

    async def crowd() -> None:
        waiting = [asyncio.create_task(queue.room()) for _ in range(20)]
        await asyncio.sleep(0.01)
        assert not any(one.done() for one in waiting)
        store.open.set()
        await asyncio.wait_for(asyncio.gather(*waiting), 60)

    asyncio.run(crowd())
    queue.stop()
    assert len(store.kept) == LIMIT


def test_what_does_not_fit_any_more_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    store, lost = Store(), list[int]()
    queue = queue_of(store, lost)
    queue.start("test")
    queue.put(note(0))
    wait(lambda: store.tries > 0)
    for number in range(1, 2 * LIMIT + 7):
        queue.put(note(number))
    assert (queue.lost, sum(lost)) == (7, 7)
    assert "audit records were lost" in caplog.text
    store.open.set()
    queue.stop()
    assert len(store.kept) == 2 * LIMIT


def test_one_that_cannot_be_written_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    store.open.set()
    store.poisoned = "3"
    queue = queue_of(store)
    queue.start("test")
    for number in range(6):
        queue.put(note(number))
    queue.stop()
    assert store.kept == ["0", "1", "2", "4", "5"]
    assert queue.lost == 1
    assert "could not be written" in caplog.text


def test_a_full_queue_refuses_before_the_app_where_the_file_says_so() -> None:
    with recording(queue=LIMIT, full="refuse") as client:
        plugin = plugin_of(client)
        plugin._queue._busy = LIMIT  # as if so many were on their way to a store that does not take them
        reply = client.post("/x", headers=BOB)
        assert (reply.status, reply.json()["code"]) == (503, "intent_unrecorded")
        assert client.get("/x", BOB).status == 200
        with pytest.raises(DependencyError):
            audit.record("order.placed")
        plugin._queue._busy = 0
        assert client.post("/x", headers=BOB).status == 200
        assert [one["outcome"] for one in recorded(client, 1)] == ["success"]


def test_a_request_waits_after_its_answer_where_the_queue_is_full() -> None:
    with recording(queue=LIMIT) as client:
        queue = plugin_of(client)._queue
        queue._busy = LIMIT
        threading.Timer(0.1, lambda: setattr(queue, "_busy", 0)).start()  # the thread writes what came, and makes room
        assert client.post("/x", headers=BOB).status == 200
        assert len(records(client)) == 1  # it was written before the exchange had ended


def wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)
