"""The line before the writer: who is woken when, and that nobody is forgotten in it."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from narthex.store.groups import Entry
from narthex.store.pending import Pending
from tests.core.store.ground import Gate, note, run_writer


class Taker:
    """A thread that sleeps until somebody waits, and then takes all there is, once."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self.taken: list[Entry] = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()
        until(lambda: pending._asleep)

    def _take(self) -> None:
        self._pending.wait()
        self.taken = self._pending.take(100)

    def sleeps(self) -> bool:
        return self._thread.is_alive()

    def done(self) -> list[Entry]:
        self._thread.join(10)
        return self.taken


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def keep_the_loop() -> None:
    """Do not let it come round for a while."""
    time.sleep(0.02)


def test_who_joins_alone_wakes_the_taker_at_once() -> None:
    pending, entry = Pending(), Entry(None)
    taker = Taker(pending)
    pending.join(entry)
    assert taker.done() == [entry]


def test_a_crowd_is_taken_together_when_the_loop_has_come_round() -> None:
    pending, entries = Pending(), [Entry(None) for _ in range(3)]

    async def join() -> bool:
        taker = Taker(pending)
        for entry in entries:
            pending.join_in_a_crowd(entry, asyncio.get_running_loop())
            keep_the_loop()
        slept = taker.sleeps()
        await asyncio.sleep(0)
        assert taker.done() == entries
        return slept

    assert asyncio.run(join())


def test_a_loop_that_never_comes_round_keeps_nobody_waiting_but_its_own() -> None:
    pending, entries = Pending(), [Entry(None) for _ in range(3)]
    stopped = asyncio.new_event_loop()
    taker = Taker(pending)
    pending.join_in_a_crowd(entries[0], stopped)

    async def join() -> None:
        pending.join_in_a_crowd(entries[1], asyncio.get_running_loop())
        await asyncio.sleep(0)

    asyncio.run(join())
    assert taker.done() == entries[:2]
    taker = Taker(pending)
    pending.join_in_a_crowd(entries[0], stopped)
    pending.join(entries[2])
    assert taker.done() == [entries[0], entries[2]]
    stopped.close()


def test_tasks_that_were_woken_together_share_their_next_commit_too(store_url: str, tmp_path: Path) -> None:
    commits: list[None] = []

    async def main() -> None:
        with run_writer(store_url, tmp_path, committed=lambda: commits.append(None)) as writer:

            async def write() -> None:
                for number in range(30):
                    await writer.write(note(str(number)))

            gate = Gate()
            gate.shut(writer)
            tasks = [asyncio.create_task(write()) for _ in range(8)]
            await asyncio.sleep(0)
            gate.open()
            await asyncio.wait_for(asyncio.gather(*tasks), 30)

    asyncio.run(main())
    assert len(commits) < 40  # where the first one wakes the writer by himself, it is 50
