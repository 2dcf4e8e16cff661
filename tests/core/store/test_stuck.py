"""A writer that cannot go on: callers get an answer, and once it can, it does."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from narthex.errors import DependencyError
from narthex.store import Store
from narthex.store.writer import LOOKS, Writer
from tests.core.store.ground import Gate, all_names, all_notes, log, name, note, open_store, run_writer
from tests.core.store.other_process import line, other


@contextmanager
def impatience(store: Store) -> Iterator[None]:
    """A tenth of a second of patience, where a deployment has ten; only for what is stuck for good."""
    patience, store._patience = store._patience, 0.1
    yield
    store._patience = patience


@contextmanager
def frozen(url: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process of the deployment that was stopped while it held the write lock."""
    with other("freeze", url) as process:
        assert process.stdin is not None
        assert line(process) == ["up"]
        process.stdin.write("\n")
        process.stdin.flush()
        assert line(process) == ["inside"]
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)


def give_up(writer: Writer | None) -> None:
    """Look as often as it takes."""
    assert writer is not None
    for _ in range(LOOKS + 1):
        writer.look()


async def answers(store: Store) -> None:
    """Wait until the store takes records again."""
    end = time.monotonic() + 30
    while (await store.health()).status != "pass":
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def test_callers_are_refused_while_a_stopped_process_holds_the_lock(store_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(store_url, tmp_path) as store:
            with frozen(store_url), impatience(store):
                with pytest.raises(DependencyError, match="does not answer"):
                    await asyncio.wait_for(store.write(name("a")), 30)
                assert (await asyncio.wait_for(store.health(), 30)).status == "fail"
                assert await store.read(all_names) == []
            await answers(store)
            assert await store.write(name("b")) == "b"
            assert await store.read(all_names) == ["b"]

    asyncio.run(main())


def test_a_stopped_process_loses_its_lock_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(postgresql_url, tmp_path) as store:
            with frozen(f"{postgresql_url}%20-cidle_in_transaction_session_timeout%3D1s") as process:
                assert await asyncio.wait_for(store.write(note("a")), 30) == 1
                process.send_signal(signal.SIGCONT)
                assert await asyncio.to_thread(line, process) == ["written"]  # in a transaction of its own, anew
            assert await store.read(all_notes) == ["a", "of the one that was stopped"]

    asyncio.run(main())


def test_a_stop_of_a_writer_that_is_stuck_ends_and_answers(
    any_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        gate = Gate()
        with run_writer(any_url, tmp_path) as writer:
            thread = writer._thread
            asked = asyncio.create_task(writer.write(gate))
            assert await asyncio.to_thread(gate.entered)
            await asyncio.wait_for(asyncio.to_thread(writer.stop), 30)
            with pytest.raises(DependencyError):
                await asyncio.wait_for(asked, 30)
            gate.open()
            assert thread is not None
            await asyncio.to_thread(thread.join, 30)

    monkeypatch.setattr("narthex.store.writer.PATIENCE", 0.05)
    asyncio.run(main())


def test_waiting_callers_are_refused_and_posts_are_kept(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            gate = Gate()
            gate.shut(store)
            asked = [asyncio.create_task(store.write(note("asked"))) for _ in range(3)]
            asked.append(asyncio.create_task(asyncio.to_thread(store.write_blocking, note("asked"))))
            assert store.post(note("posted"))
            while len(store._writer or ()) < 5:
                await asyncio.sleep(0.001)
            give_up(store._writer)
            done = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
            assert {type(one) for one in done} == {DependencyError}
            gate.open()
            await answers(store)
            assert await store.read(all_notes) == ["posted"]

    asyncio.run(main())


def test_callers_that_wait_for_room_are_refused_too(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        with run_writer(any_url, tmp_path, limit=1) as writer:
            gate = Gate()
            gate.shut(writer)
            tasks = [asyncio.create_task(writer.write(note(str(number)))) for number in range(5)]
            await asyncio.sleep(0.01)
            give_up(writer)
            done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
            assert {type(one) for one in done} == {DependencyError}
            gate.open()

    asyncio.run(main())


def test_looks_at_a_writer_that_works_refuse_nobody(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        with run_writer(any_url, tmp_path) as writer:
            for number in range(30):
                assert await writer.write(note(str(number))) == number + 1
                writer.look()

    asyncio.run(main())


def test_a_record_refused_in_the_group_that_is_stuck_is_whole_or_not_there(any_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            gate = Gate()

            def slow(connection: Connection) -> None:
                note("x")(connection)
                gate(connection)
                note("y")(connection)

            asked = asyncio.create_task(store.write(slow))
            assert await asyncio.to_thread(gate.entered)
            give_up(store._writer)
            with pytest.raises(DependencyError):
                await asyncio.wait_for(asked, 30)
            gate.open()
            await answers(store)
            assert await store.read(all_notes) in ([], ["x", "y"])
            assert await store.write(note("z")) == await store.read(log.last)

    asyncio.run(main())
