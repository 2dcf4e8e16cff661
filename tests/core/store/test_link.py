"""The link: whoever has to look is told, in this process and in others, also after the connection was lost."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from narthex.link import postgres
from narthex.store import Store
from tests.core.store.ground import Boom, name, open_store
from tests.core.store.other_process import line, other


def announcing(store: Store, topic: str, text: str = "") -> Callable[[Connection], Any]:
    """A job that announces, and writes a name if there is one."""

    def job(connection: Connection) -> None:
        store.link.announce(connection, topic)
        if text:
            name(text)(connection)

    return job


async def changed(store: Store, topic: str, mark: int, within: float = 10) -> float:
    """Wait until the mark is another one; give the seconds."""
    begun = time.monotonic()
    while store.link.mark(topic) == mark:
        assert time.monotonic() - begun < within, "the mark did not change"
        await asyncio.sleep(0.001)
    return time.monotonic() - begun


def test_the_mark_changes_and_listeners_are_called(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            heard = asyncio.Event()
            unsubscribe = store.link.subscribe("notes", heard.set)
            await asyncio.sleep(0.05)
            heard.clear()
            for _ in range(3):
                mark = store.link.mark("notes")
                await store.write(announcing(store, "notes"))
                await changed(store, "notes", mark)
                await asyncio.wait_for(heard.wait(), 10)
                heard.clear()
            unsubscribe()
            unsubscribe()
            await store.write(announcing(store, "notes"))
            await asyncio.sleep(0.1)
            assert not heard.is_set()

    asyncio.run(main())


def test_other_topics_keep_their_marks(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            marks = store.link.mark("notes"), store.link.mark("others")
            await store.write(announcing(store, "notes"))
            await changed(store, "notes", marks[0])
            assert store.link.mark("others") == marks[1]

    asyncio.run(main())


def test_a_failing_listener_does_not_keep_the_others_from_hearing(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            failed, heard = asyncio.Event(), asyncio.Event()

            def fail() -> None:
                failed.set()
                raise Boom

            store.link.subscribe("notes", fail)
            store.link.subscribe("notes", heard.set)
            await store.write(announcing(store, "notes"))
            await asyncio.wait_for(heard.wait(), 10)
            assert failed.is_set()

    asyncio.run(main())


def test_whoever_sees_the_mark_finds_what_was_written(make_store: Callable[..., Store]) -> None:
    async def main() -> None:
        writing, reading = make_store(), make_store()
        await writing.start()
        await reading.start()
        await writing.write(lambda c: c.exec_driver_sql("CREATE TABLE names (name VARCHAR(200) PRIMARY KEY)"))
        for number in range(20):
            mark = reading.link.mark("names")
            task = asyncio.create_task(writing.write(announcing(writing, "names", str(number))))
            await changed(reading, "names", mark)
            found = await reading.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM names").scalar_one())
            assert found == number + 1
            await task
        await reading.stop()
        await writing.stop()

    asyncio.run(main())


def test_another_process_sees_a_change_at_once(store_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(store_url, tmp_path) as store:
            with other("watch", store_url) as process:
                assert await asyncio.to_thread(line, process) == ["up"]
                await store.write(announcing(store, "notes"))
                committed = time.monotonic()
                told = [await asyncio.to_thread(line, process) for _ in range(2)]
                ((_, seen, _),) = [words for words in told if words[0] == "changed"]
                assert ["heard"] in told
                assert float(seen) - committed < 0.5

    asyncio.run(main())


def test_a_change_in_another_process_is_heard_here(store_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(store_url, tmp_path) as store:
            heard = asyncio.Event()
            store.link.subscribe("notes", heard.set)
            with other("announce", store_url) as process:
                assert await asyncio.to_thread(line, process) == ["up"]
                assert process.stdin is not None
                await asyncio.sleep(0.1)
                for _ in range(3):
                    heard.clear()
                    mark = store.link.mark("notes")
                    process.stdin.write("\n")
                    process.stdin.flush()
                    await changed(store, "notes", mark)
                    await asyncio.wait_for(heard.wait(), 5)

    asyncio.run(main())


def test_what_a_stop_still_writes_is_announced(make_store: Callable[..., Store]) -> None:
    async def main() -> None:
        leaving, staying = make_store(), make_store()
        await leaving.start()
        await staying.start()
        mark = staying.link.mark("notes")
        leaving.post(lambda _connection: time.sleep(0.05))
        for _ in range(600):  # more than one group
            leaving.post(lambda _connection: None)
        leaving.post(announcing(leaving, "notes"))
        await leaving.stop()
        await changed(staying, "notes", mark)
        assert staying.link.mark("notes") > mark
        await staying.stop()

    asyncio.run(main())


def test_stores_in_other_schemas_do_not_hear_each_other(postgresql_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(postgresql_url, tmp_path) as store:
            mark = store.link.mark("notes")
            stranger = postgres.PostgresLink(store.address.url.set(query={}))
            await stranger.start()
            strange = stranger.mark("notes")
            await store.write(announcing(store, "notes"))
            await changed(store, "notes", mark)
            assert stranger.mark("notes") == strange
            await stranger.stop()

    asyncio.run(main())


def test_a_lost_listener_comes_back_and_takes_everything_for_changed(postgresql_url: str, tmp_path: Path) -> None:
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE query = 'SELECT current_schema()' AND application_name = '{}'"
    )

    async def main() -> None:
        url = f"{postgresql_url}&application_name=listener-test"
        async with open_store(url, tmp_path) as store:
            heard = asyncio.Event()
            store.link.subscribe("notes", heard.set)
            for _ in range(3):
                mark = store.link.mark("notes")
                killed = await store.write(lambda c: c.exec_driver_sql(kill.format("listener-test")).scalar_one())
                assert killed == 1
                assert await changed(store, "notes", mark) < 5
                await asyncio.wait_for(heard.wait(), 5)
                heard.clear()
                mark = store.link.mark("notes")
                await store.write(announcing(store, "notes"))
                await changed(store, "notes", mark)

    asyncio.run(main())


def test_no_notification_is_lost_between_two_rounds_of_listening(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with open_store(postgresql_url, tmp_path) as store:
            before = store.link.mark("notes")
            monkeypatch.setattr(postgres, "PATIENCE", 0.002)
            await asyncio.sleep(0.05)
            await asyncio.gather(*(store.write(announcing(store, "other")) for _ in range(5)))
            for count in range(1, 200):
                await store.write(announcing(store, "notes"))
                await changed(store, "notes", before + count - 1)
            assert store.link.mark("notes") >= before + 199  # more where the connection was lost meanwhile
            monkeypatch.setattr(postgres, "PATIENCE", 5.0)

    asyncio.run(main())


def test_a_link_without_a_server_starts_and_keeps_trying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from sqlalchemy import make_url

    from tests.wire.servers import free_port

    async def main() -> None:
        link = postgres.PostgresLink(make_url(f"postgresql://narthex:hidden@127.0.0.1:{free_port()}/narthex"))
        monkeypatch.setattr(postgres, "PATIENCE", 1.0)
        await asyncio.wait_for(link.start(), 5)
        assert link.mark("notes") == 0
        await link.stop()

    asyncio.run(main())
    assert "link to the other processes is down" in caplog.text
    assert "hidden" not in caplog.text
