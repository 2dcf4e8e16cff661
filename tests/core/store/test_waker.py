"""From the writer's thread into a loop: everything arrives, in order, once."""

import asyncio
import os
import threading

from narthex.store.bell import Bell
from narthex.store.groups import Entry
from narthex.store.pending import Pending
from narthex.store.waker import Waker


def test_what_is_carried_arrives_in_order() -> None:
    async def main() -> None:
        arrived: list[int] = []
        waker = Waker(asyncio.get_running_loop(), arrived.append)

        def carry() -> None:
            for number in range(50_000):
                waker.carry(number)

        await asyncio.to_thread(carry)
        waker.close()
        assert arrived == list(range(50_000))

    asyncio.run(main())


def test_what_is_under_way_arrives_at_the_close_and_what_is_late_after_it() -> None:
    async def main() -> None:
        arrived: list[int] = []
        waker = Waker(asyncio.get_running_loop(), arrived.append)
        for number in range(70_000):  # more than a pipe holds
            waker.carry(number)
        waker.close()
        assert arrived == list(range(70_000))
        await asyncio.to_thread(waker.carry, 70_000)
        await asyncio.sleep(0)
        assert arrived[-1] == 70_000

    asyncio.run(main())


def test_a_bell_gives_its_files_back() -> None:
    before = set(_open_files())
    for _ in range(10):
        Bell(blocking=True).ring()
    assert set(_open_files()) - before == set()


def test_who_joins_is_taken_whoever_sleeps() -> None:
    pending = Pending()
    taken: list[Entry] = []

    def take() -> None:
        while len(taken) < 40_000:
            pending.wait()
            taken.extend(pending.take(64))

    def join() -> None:
        for _ in range(10_000):
            pending.join(Entry(None))

    threads = [threading.Thread(target=work) for work in (take, join, join, join, join)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(taken), len(pending)) == (40_000, 0)


def _open_files() -> list[int]:
    """File descriptors of this process."""
    found = []
    for number in range(256):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found
