"""The store as plugins have it: open from start to stop, closed before and after, and never a hang."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from narthex.clock import SystemClock
from narthex.errors import DependencyError, StartError
from narthex.store import Store, Tables
from narthex.store.address import parse
from tests.core.store.ground import Boom, all_names, all_notes, log, metadata, name, note, open_store
from tests.core.store.other_process import line, other
from tests.wire.servers import free_port


def opened(url: str, directory: Path) -> Store:
    """A store, not started."""
    return Store(parse(url, directory), SystemClock())


def test_what_was_written_is_read(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            assert await store.write(name("a")) == "a"
            assert await store.read(all_names) == ["a"]
            assert store.post(name("b"))
            assert await asyncio.to_thread(store.write_blocking, name("c")) == "c"
            assert await asyncio.to_thread(store.read_blocking, all_names) == ["a", "b", "c"]

    asyncio.run(main())


def test_a_store_that_is_not_open_refuses_everything(any_url: str, tmp_path: Path) -> None:
    async def refused(store: Store) -> None:
        for ask in (lambda: store.write(name("a")), lambda: store.read(all_names)):
            with pytest.raises(DependencyError, match="not open"):
                await ask()
        assert not store.post(name("a"))
        assert (await store.health()).status == "fail"

    async def main() -> None:
        store = opened(any_url, tmp_path)
        await refused(store)
        await store.start()
        assert (await store.health()).status == "pass"
        await store.stop()
        await refused(store)
        await store.stop()

    asyncio.run(main())


def test_a_memory_outlives_its_writers_connection(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store("memory", tmp_path) as store:
            assert await store.write(note("a")) == 1
            with pytest.raises(DependencyError):
                await store.write(Connection.invalidate)
            assert await store.write(note("b")) == 2
            assert await store.read(all_notes) == ["a", "b"]

    asyncio.run(main())


def test_a_store_opens_again_after_it_was_closed(store_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        store = opened(store_url, tmp_path)
        ids = set()
        for number in range(3):
            await store.start()
            await store.write(metadata.create_all)
            assert await store.write(note(str(number))) == number + 1
            ids.add(store.membership.id)
            await store.stop()
        assert len(ids) == 3

    asyncio.run(main())


def test_what_waits_at_stop_is_there_after_the_next_start(store_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(store_url, tmp_path) as store:
            for number in range(2000):
                assert store.post(note(str(number)))
        async with open_store(store_url, tmp_path) as store:
            assert len(await store.read(lambda connection: log.after(connection, 0, 5000))) == 2000

    asyncio.run(main())


def test_readers_do_not_wait_for_the_writer(store_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(store_url, tmp_path) as store:
            await store.write(name("a"))
            gate = threading.Event()
            writing = asyncio.create_task(store.write(lambda c: (name("b")(c), gate.wait(30))))
            await asyncio.sleep(0.05)
            assert await asyncio.wait_for(store.read(all_names), 5) == ["a"]
            gate.set()
            await writing
            assert await store.read(all_names) == ["a", "b"]

    asyncio.run(main())


def test_reading_and_writing_at_once_is_never_refused(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            for _ in range(20):
                found = await asyncio.gather(
                    *(store.write(note("x")) for _ in range(8)), *(store.read(all_notes) for _ in range(8))
                )
                assert len(found) == 16

    asyncio.run(main())


def test_a_readers_exception_is_its_own(any_url: str, tmp_path: Path) -> None:
    def boom(connection: Connection) -> None:
        raise Boom

    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            with pytest.raises(Boom):
                await store.read(boom)
            with pytest.raises(DBAPIError):
                await store.read(lambda connection: connection.exec_driver_sql("SELECT nonsense"))
            for _ in range(20):  # every reader's connection is as good as before
                assert await store.read(all_names) == []

    asyncio.run(main())


def test_readers_at_stop_get_an_answer(any_url: str, tmp_path: Path) -> None:
    def slow(connection: Connection) -> list[str]:
        time.sleep(0.02)
        return all_names(connection)

    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            tasks = [asyncio.create_task(store.read(slow)) for _ in range(20)]
            await asyncio.sleep(0.01)
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        assert [one for one in done if one != [] and not isinstance(one, DependencyError)] == []

    asyncio.run(main())


def test_a_reader_that_a_stop_overtakes_gets_an_answer(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            assert store._readers is not None
            store._readers.shutdown()  # as `stop` does in its thread, between our look and our asking
            with pytest.raises(DependencyError, match="not open"):
                await store.read(all_names)

    asyncio.run(main())


def test_sqlite_readers_cannot_write(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store("sqlite:///narthex.db", tmp_path) as store:
            with pytest.raises((DBAPIError, DependencyError)):
                await store.read(name("a"))
            assert await store.read(all_names) == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///nowhere/narthex.db", "nowhere does not exist"),
        ("postgresql://narthex:hidden@127.0.0.1:{port}/narthex", "refused"),
    ],
)
def test_a_store_that_cannot_be_opened_says_why_and_no_password(url: str, reason: str, tmp_path: Path) -> None:
    async def main() -> None:
        store = opened(url.format(port=free_port()), tmp_path)
        with pytest.raises(StartError, match=reason) as raised:
            await store.start()
        assert "hidden" not in str(raised.value)
        assert store._writing is None

    asyncio.run(main())


def test_a_start_that_fails_half_way_leaves_nothing_open(store_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        store = opened(store_url, tmp_path)
        before = set(threading.enumerate())
        with pytest.raises(Exception, match="no_such_package"):
            await store.start([Tables("broken", MetaData(), "no_such_package.revisions")])
        assert store._writing is None
        assert store._turnstile is None
        left = {thread.name for thread in set(threading.enumerate()) - before}
        assert not [name for name in left if name.startswith("narthex")]
        await store.start()
        await store.stop()

    asyncio.run(main())


def test_posts_of_a_process_that_just_ends_are_written(store_url: str, tmp_path: Path) -> None:
    with other("leave", store_url) as process:
        assert process.wait(30) == 0

    async def main() -> None:
        async with open_store(store_url, tmp_path) as store:
            assert await store.read(log.last) == 500

    asyncio.run(main())


def test_a_forked_child_is_refused_and_its_parent_unharmed(any_url: str) -> None:
    with other("fork", any_url) as process:
        assert line(process) == ["child", "5"]
        assert line(process) == ["parent", "1", "1"]
        assert process.wait(10) == 0


def test_only_one_process_is_inside_exclusive_at_a_time(make_store: Callable[..., Store]) -> None:
    async def main() -> None:
        first, second = make_store(), make_store()
        await first.start()
        await second.start()
        inside: list[str] = []

        def enter(store: Store, who: str) -> None:
            with store.exclusive():
                inside.extend([who, who])

        if first.address.file is not None:
            with first.exclusive():
                thread = threading.Thread(target=enter, args=[second, "second"])
                thread.start()
                await asyncio.sleep(0.05)
                assert inside == []
            await asyncio.to_thread(thread.join, 10)
            assert inside == ["second", "second"]
        await first.stop()
        await second.stop()

    asyncio.run(main())
