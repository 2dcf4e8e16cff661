"""Membership: who serves is listed, who left or died is not."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from narthex.store import Store
from narthex.store.members import Membership
from tests.core.store.ground import open_store
from tests.core.store.other_process import line, other


class StoppedClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    monotonic = boottime = now


def test_a_member_says_who_it_is_and_what_it_has_seen(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            store.membership.digest = "abc"
            store.membership.seen["test:notes"] = 7
            await store.write(store.membership.beat)
            (member,) = await store.members()
            assert (member.id, member.pid, member.node) == (store.membership.id, os.getpid(), socket.gethostname())
            assert (member.digest, member.seen) == ("abc", {"test:notes": 7})
            assert 0 <= member.age < 5

    asyncio.run(main())


def test_who_has_not_read_so_far_is_named_until_it_says_so(make_store: Callable[..., Store]) -> None:
    async def main() -> None:
        here, there, elsewhere = make_store(), make_store(), make_store()
        for store in (here, there, elsewhere):
            await store.start()
        try:
            await here.saw("grants", 3)
            await there.saw("grants", 2)
            await elsewhere.saw("something else", 1)
            assert await here.behind("grants", 3) == [f"{socket.gethostname()}:{os.getpid()}"]
            assert await here.behind("grants", 2) == await there.behind("grants", 3) == []
            await there.saw("grants", 3)
            assert await here.behind("grants", 3) == []
        finally:
            for store in (here, there, elsewhere):
                await store.stop()

    asyncio.run(main())


def test_who_stops_has_left(make_store: Callable[..., Store]) -> None:
    async def main() -> None:
        first, second = make_store(), make_store()
        await first.start()
        await second.start()
        assert {one.id for one in await first.members()} == {first.membership.id, second.membership.id}
        await second.stop()
        assert [one.id for one in await first.members()] == [first.membership.id]
        await first.stop()

    asyncio.run(main())


def test_who_falls_silent_is_gone_after_the_ttl_and_comes_back(any_url: str, tmp_path: Path) -> None:
    silent, alive = Membership(StoppedClock(), 0.2), Membership(StoppedClock(), 0.2)

    async def main() -> None:
        async with open_store(any_url, tmp_path, clock=alive._clock, ttl=60) as store:
            store.membership = alive
            await store.write(silent.beat)
            await store.write(alive.beat)
            alive._clock.time += 0.3  # type: ignore[attr-defined]
            await asyncio.sleep(0.3)  # PostgreSQL has a clock of its own
            assert await store.members() == []
            await store.write(alive.beat)
            assert [one.id for one in await store.members()] == [alive.id]
            silent._clock.time += 0.3  # type: ignore[attr-defined]
            await store.write(silent.beat)
            assert {one.id for one in await store.members()} >= {silent.id}

    asyncio.run(main())


def test_the_next_beat_sweeps_away_who_is_gone(any_url: str, tmp_path: Path) -> None:
    clock = StoppedClock()
    gone = Membership(clock, 0.2)

    async def main() -> None:
        async with open_store(any_url, tmp_path, clock=clock, ttl=0.2) as store:
            await store.write(gone.beat)
            clock.time += 0.3
            await asyncio.sleep(0.3)
            await store.write(store.membership.beat)
            rows = await store.read(lambda c: c.exec_driver_sql("SELECT id FROM narthex_members").scalars().all())
            assert rows == [store.membership.id]

    asyncio.run(main())


def test_members_of_an_earlier_boot_are_gone_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store("sqlite:///narthex.db", tmp_path) as store:
            member = store.membership
            boot, member._boot = member._boot, "an earlier boot"
            await store.write(member.beat)
            member._boot = boot
            member.begin()
            assert await store.members() == []
            await store.write(member.beat)
            assert [one.id for one in await store.members()] == [member.id]
            rows = await store.read(lambda c: c.exec_driver_sql("SELECT id FROM narthex_members").scalars().all())
            assert rows == [store.membership.id]

    asyncio.run(main())


def test_a_killed_process_disappears_after_the_ttl(store_url: str, tmp_path: Path) -> None:
    async def gone_after(store: Store, member: str) -> float:
        begun = time.monotonic()
        while member in {one.id for one in await store.members()}:
            assert time.monotonic() - begun < 20
            await asyncio.sleep(0.02)
        return time.monotonic() - begun

    async def main() -> None:
        async with open_store(store_url, tmp_path, ttl=1.0) as store:
            with other("member", store_url) as process:
                _, member = await asyncio.to_thread(line, process)
                await asyncio.sleep(1.2)  # it beats
                assert {one.id for one in await store.members()} == {store.membership.id, member}
                process.send_signal(signal.SIGKILL)
                assert 0.3 < await gone_after(store, member) < 5

    asyncio.run(main())


def test_a_beat_that_fails_is_not_the_last(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path, ttl=0.6) as store:
            await store.write(lambda c: c.exec_driver_sql("ALTER TABLE narthex_members RENAME TO elsewhere"))
            await asyncio.sleep(1)  # every beat of that second fails, and the last good one grows too old
            await store.write(lambda c: c.exec_driver_sql("ALTER TABLE elsewhere RENAME TO narthex_members"))
            async with asyncio.timeout(10):
                while not (found := await store.members()):
                    await asyncio.sleep(0.05)
            assert [one.id for one in found] == [store.membership.id]

    asyncio.run(main())
