"""The writer: results, errors and cancellations reach whom they belong to, and what is acknowledged is there."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from narthex.errors import ContractError, DependencyError
from narthex.store import engines
from narthex.store.groups import Job
from narthex.store.writer import Writer
from tests.core.store.ground import Boom, Gate, all_names, all_notes, boom, name, note, run_writer


def together(writer: Writer, *jobs: Job[Any]) -> list[Any]:
    """Have the jobs written in one group; give results, and exceptions in their place."""

    async def write() -> list[Any]:
        gate = Gate()
        gate.shut(writer)
        waiting = asyncio.gather(*(writer.write(job) for job in jobs), return_exceptions=True)
        await asyncio.sleep(0.01)
        gate.open()
        return await asyncio.wait_for(waiting, 30)

    return asyncio.run(write())


def test_results_come_back_in_order(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        assert together(writer, name("a"), note("x"), name("b"), note("y")) == ["a", 1, "b", 2]
        assert writer.write_blocking(all_names) == ["a", "b"]
        assert writer.write_blocking(all_notes) == ["x", "y"]


def test_an_exception_reaches_only_its_waiter(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        first, second, third = together(writer, name("a"), boom, name("b"))
        assert (first, third) == ("a", "b")
        assert isinstance(second, Boom)
        assert writer.write_blocking(all_names) == ["a", "b"]


def test_a_name_that_is_taken_costs_its_neighbours_nothing(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        done = together(writer, note("x"), name("a"), name("a"), note("y"), note("z"))
        assert isinstance(done.pop(2), IntegrityError)
        assert done == [1, "a", 2, 3]
        assert writer.write_blocking(all_notes) == ["x", "y", "z"]


def test_a_job_that_raises_alone_leaves_nothing(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        with pytest.raises(Boom):
            writer.write_blocking(boom)
        assert writer.write_blocking(all_names) == []


def test_a_job_that_hides_its_error_costs_no_neighbour_its_record(any_url: str, tmp_path: Path) -> None:
    def hides(connection: Connection) -> str:
        try:
            name("a")(connection)
        except IntegrityError:
            return "hidden"
        return "written"

    with run_writer(any_url, tmp_path) as writer:
        first, second, third = together(writer, name("a"), name("b"), hides)
        assert (first, second) == ("a", "b")
        assert third == "hidden" or isinstance(third, ContractError)
        assert writer.write_blocking(all_names) == ["a", "b"]


def test_a_job_that_ends_the_transaction_is_not_taken_for_written(tmp_path: Path) -> None:
    def rolls_back(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    with run_writer(f"sqlite:///{tmp_path}/narthex.db", tmp_path) as writer:
        done = together(writer, name("a"), rolls_back)
        written = writer.write_blocking(all_names)
        assert [one for one in done if isinstance(one, str)] == written


@pytest.mark.parametrize("error", [StopIteration, SystemExit, asyncio.CancelledError])
def test_odd_exceptions_of_a_job_stop_neither_writer_nor_neighbours(
    error: type[BaseException], any_url: str, tmp_path: Path
) -> None:
    def odd(connection: Connection) -> None:
        raise error

    with run_writer(any_url, tmp_path) as writer:
        first, second, third = together(writer, name("a"), odd, name("b"))
        assert (first, third) == ("a", "b")
        assert isinstance(second, RuntimeError)
        with pytest.raises(RuntimeError, match=error.__name__):
            writer.write_blocking(odd)


def test_many_waiters_share_a_commit(any_url: str, tmp_path: Path) -> None:
    commits: list[None] = []
    with run_writer(any_url, tmp_path, committed=lambda: commits.append(None)) as writer:
        assert len(together(writer, *(note(str(number)) for number in range(200)))) == 200
    assert len(commits) == 2


def test_strict_callers_wait_for_room(any_url: str, tmp_path: Path) -> None:
    async def crowd(writer: Writer) -> None:
        gate = Gate()
        gate.shut(writer)
        tasks = [asyncio.create_task(writer.write(note(str(number)))) for number in range(50)]
        await asyncio.sleep(0.02)
        assert len(writer) == 3
        assert not any(task.done() for task in tasks)
        gate.open()
        assert len(set(await asyncio.wait_for(asyncio.gather(*tasks), 30))) == 50

    with run_writer(any_url, tmp_path, limit=3) as writer:
        asyncio.run(crowd(writer))
        assert len(writer.write_blocking(all_notes)) == 50


def test_posts_without_room_are_dropped_and_counted(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path, limit=3) as writer:
        gate = Gate()
        gate.shut(writer)
        assert [writer.post(note(str(number))) for number in range(5)] == [True, True, True, False, False]
        assert writer.dropped == 2
        gate.open()
        assert writer.write_blocking(all_notes) == ["0", "1", "2"]


def test_a_cancelled_caller_stops_nobody_else(any_url: str, tmp_path: Path) -> None:
    async def give_up(writer: Writer) -> None:
        gate = Gate()
        gate.shut(writer)
        impatient = asyncio.create_task(writer.write(note("of nobody")))
        patient = asyncio.create_task(writer.write(note("of somebody")))
        await asyncio.sleep(0.01)
        impatient.cancel()
        await asyncio.sleep(0)
        gate.open()
        assert await asyncio.wait_for(patient, 30) == 2
        assert impatient.cancelled()

    with run_writer(any_url, tmp_path) as writer:
        asyncio.run(give_up(writer))
        assert writer.write_blocking(all_notes) == ["of nobody", "of somebody"]


def test_a_caller_cancelled_in_the_queue_writes_nothing(any_url: str, tmp_path: Path) -> None:
    async def give_up(writer: Writer) -> None:
        gate = Gate()
        gate.shut(writer)
        writer.post(note("first"))
        queueing = asyncio.create_task(writer.write(note("never")))
        await asyncio.sleep(0.01)
        queueing.cancel()
        gate.open()
        await asyncio.wait([queueing])
        assert await writer.write(note("last")) == 2

    with run_writer(any_url, tmp_path, limit=1) as writer:
        asyncio.run(give_up(writer))
        assert writer.write_blocking(all_notes) == ["first", "last"]


def test_loops_and_threads_write_side_by_side(any_url: str, tmp_path: Path) -> None:
    def loop(writer: Writer) -> None:
        async def write() -> None:
            versions = await asyncio.gather(*(writer.write(note("loop")) for _ in range(100)))
            assert sorted(versions) == versions

        asyncio.run(write())

    def plain(writer: Writer) -> None:
        versions = [writer.write_blocking(note("thread")) for _ in range(20)]
        assert sorted(versions) == versions

    with run_writer(any_url, tmp_path) as writer:
        threads = [threading.Thread(target=work, args=[writer]) for work in (loop, plain) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(writer.write_blocking(all_notes)) == ["loop"] * 300 + ["thread"] * 60


def test_a_loop_that_is_gone_stops_nobody(any_url: str, tmp_path: Path) -> None:
    async def leave(writer: Writer) -> None:
        waiter = asyncio.create_task(writer.write(note("left behind")))
        await asyncio.sleep(0.01)
        waiter.cancel()

    with run_writer(any_url, tmp_path) as writer:
        gate = Gate()
        gate.shut(writer)
        asyncio.run(leave(writer))
        gate.open()
        assert writer.write_blocking(note("still here")) == 2


def test_stop_writes_what_waits(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        gate = Gate()
        gate.shut(writer)
        for number in range(1200):
            assert writer.post(note(str(number)))
        stopping = threading.Thread(target=writer.stop)
        stopping.start()
        gate.open()
        stopping.join(30)
        writer.start()
        assert len(writer.write_blocking(all_notes)) == 1200


def test_what_a_stop_overtakes_gets_an_answer(any_url: str, tmp_path: Path) -> None:
    async def race(writer: Writer) -> None:
        tasks = [asyncio.create_task(writer.write(note(str(number)))) for number in range(20)]
        stopping = asyncio.create_task(asyncio.to_thread(writer.stop))
        while not stopping.done():
            tasks.append(asyncio.create_task(writer.write(note("late"))))
            await asyncio.sleep(0)
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
        assert [one for one in done if not isinstance(one, int | DependencyError)] == []

    with run_writer(any_url, tmp_path) as writer:
        for _ in range(5):
            asyncio.run(race(writer))
            writer.start()


def test_callers_in_the_queue_get_an_answer_when_the_writer_is_stuck(
    any_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(writer: Writer) -> list[Any]:
        tasks = [asyncio.create_task(writer.write(note(str(number)))) for number in range(5)]
        await asyncio.sleep(0.01)
        await asyncio.to_thread(writer.stop)
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)

    monkeypatch.setattr("narthex.store.writer.PATIENCE", 0.05)
    gate = Gate()
    with run_writer(any_url, tmp_path, limit=1) as writer:
        gate.shut(writer)
        thread = writer._thread
        try:
            assert all(isinstance(one, DependencyError) for one in asyncio.run(stop(writer)))
        finally:
            gate.open()
        assert thread is not None
        thread.join(10)
        assert not thread.is_alive()
        assert writer.dropped == 0


def test_a_writer_that_does_not_run_refuses(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        writer.stop()
        writer.stop()
        with pytest.raises(DependencyError, match="not open"):
            asyncio.run(writer.write(note("late")))
        with pytest.raises(DependencyError, match="not open"):
            writer.write_blocking(note("late"))
        assert not writer.post(note("late"))
        assert writer.dropped == 1


def test_a_job_that_waits_for_its_own_writer_is_told_so(tmp_path: Path) -> None:
    with run_writer("memory", tmp_path) as writer, pytest.raises(ContractError):
        writer.write_blocking(lambda _connection: writer.write_blocking(note("never")))


def test_a_link_that_fails_costs_no_acknowledgement(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("mmap closed or invalid")

    with run_writer("memory", tmp_path, committed=fail) as writer:
        assert writer.write_blocking(note("a")) == 1
        assert writer.write_blocking(note("b")) == 2
    assert "mmap closed" in caplog.text


def test_a_locked_database_is_the_worlds_fault_and_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY", 0.05)
    with run_writer("sqlite:///narthex.db", tmp_path) as writer:
        somebody = sqlite3.connect(tmp_path / "narthex.db", isolation_level=None)
        somebody.execute("BEGIN IMMEDIATE")
        with pytest.raises(DependencyError) as raised:
            writer.write_blocking(note("a"))
        assert "locked" not in str(raised.value)
        writer.post(note("b"))
        while not writer.dropped:
            threading.Event().wait(0.01)
        somebody.execute("ROLLBACK")
        somebody.close()
        assert writer.write_blocking(note("c")) == 1


def test_a_connection_the_server_closed_while_idle_costs_no_record(postgresql_url: str, tmp_path: Path) -> None:
    with run_writer(postgresql_url, tmp_path) as writer:
        for number in range(3):
            with pytest.raises(Boom):
                writer.write_blocking(boom)
            end(writer.write_blocking(backend), postgresql_url, tmp_path)
            assert writer.write_blocking(note(str(number))) == number + 1


def test_a_connection_lost_in_mid_job_is_no_silent_loss(postgresql_url: str, tmp_path: Path) -> None:
    def dies(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with run_writer(postgresql_url, tmp_path) as writer:
        done = together(writer, name("a"), dies, name("b"))
        assert all(isinstance(one, DependencyError) for one in done)
        assert writer.write_blocking(all_names) == []
        assert writer.write_blocking(name("a")) == "a"


@pytest.mark.parametrize("ends", ["ROLLBACK", "COMMIT"])
def test_a_job_that_ends_the_transaction_of_the_driver_is_found_out(ends: str, store_url: str, tmp_path: Path) -> None:
    with run_writer(store_url, tmp_path) as writer:
        done = together(writer, name("a"), lambda connection: connection.exec_driver_sql(ends), name("b"))
        written = writer.write_blocking(all_names)
        assert {one for one in done if isinstance(one, str)} <= set(written)
        assert writer.write_blocking(name("c")) == "c"
        assert writer.write_blocking(all_names) == sorted([*written, "c"])


@pytest.mark.parametrize("ends", [Connection.rollback, Connection.commit, Connection.close, Connection.invalidate])
def test_a_job_that_ends_the_transaction_of_sqlalchemy_is_found_out(
    ends: Job[None], store_url: str, tmp_path: Path
) -> None:
    with run_writer(store_url, tmp_path) as writer:
        done = together(writer, name("a"), ends, name("b"))
        assert isinstance(done[1], Exception)
        written = writer.write_blocking(all_names)
        assert {one for one in done if isinstance(one, str)} <= set(written)
        assert writer.write_blocking(name("c")) == "c"


def leaves_savepoint_open(connection: Connection) -> str:
    """A job that begins a savepoint, writes behind it and forgets to end it."""
    connection.begin_nested()
    return name("b")(connection)


def test_a_savepoint_left_open_costs_nobody_a_record(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        assert together(writer, name("a"), leaves_savepoint_open, name("c")) == ["a", "b", "c"]
        assert not writer.write_blocking(Connection.in_nested_transaction)
        assert writer.write_blocking(name("d")) == "d"
        assert writer.write_blocking(all_names) == ["a", "b", "c", "d"]


def test_a_savepoint_left_open_in_a_group_that_is_run_apart_costs_nobody_a_record(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        *written, failed, last = together(writer, name("a"), leaves_savepoint_open, boom, name("c"))
        assert [*written, last] == ["a", "b", "c"]
        assert isinstance(failed, Boom)
        assert not writer.write_blocking(Connection.in_nested_transaction)
        assert writer.write_blocking(all_names) == ["a", "b", "c"]


def test_a_savepoint_left_open_by_a_job_that_raises_is_undone_with_it(any_url: str, tmp_path: Path) -> None:
    def raises(connection: Connection) -> None:
        leaves_savepoint_open(connection)
        raise Boom

    with run_writer(any_url, tmp_path) as writer:
        first, failed, last = together(writer, name("a"), raises, name("c"))
        assert (first, last) == ("a", "c")
        assert isinstance(failed, Boom)
        assert not writer.write_blocking(Connection.in_nested_transaction)
        assert writer.write_blocking(all_names) == ["a", "c"]


def backend(connection: Connection) -> int:
    """The server's process."""
    return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def end(pid: int, url: str, directory: Path) -> None:
    """End a server's process, by another connection."""
    with run_writer(url, directory) as other:
        assert other.write_blocking(
            lambda connection: connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        )
