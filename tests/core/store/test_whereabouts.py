"""A store whose files are moved, deleted or replaced while it is open acknowledges nothing that would not be there."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from narthex.errors import DependencyError
from narthex.store import engines
from narthex.store.address import parse
from narthex.store.engines import writing
from narthex.store.whereabouts import PERIOD, Whereabouts
from tests.core.store.ground import all_notes, note, open_store

URL = "sqlite:///narthex.db"


def delete(file: Path) -> None:
    file.unlink()


def delete_log(file: Path) -> None:
    file.with_name("narthex.db-wal").unlink()


def replace(file: Path) -> None:
    """As somebody who puts a backup back."""
    shutil.copy(file, file.with_name("backup.db"))
    file.with_name("backup.db").rename(file)


def move_directory(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))


@pytest.mark.parametrize("harm", [delete, delete_log, replace, move_directory])
def test_after_harm_to_its_files_nothing_is_acknowledged_or_read(
    harm: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "place"
    place.mkdir()

    async def main() -> list[str]:
        async with open_store(URL, place) as store:
            assert await store.write(note("before")) == 1
            assert await store.read(all_notes) == ["before"]
            harm(place / "narthex.db")
            left = there(place)
            await asyncio.sleep(2 * PERIOD)
            for _ in range(3):
                with pytest.raises(DependencyError, match="could not be written"):
                    await store.write(note("after"))
                with pytest.raises(DependencyError, match="could not be read"):
                    await store.read(all_notes)
            assert (await store.health()).status == "fail"
            return left

    left = asyncio.run(main())
    assert "deleted or replaced while it was open" in caplog.text
    assert [name for name in there(place) if name not in left] == []  # and SQLite made no new ones


def there(place: Path) -> list[str]:
    return [file.name for file in place.iterdir()] if place.is_dir() else []


def test_a_file_that_comes_back_is_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "narthex.db"

    async def main() -> None:
        async with open_store(URL, tmp_path) as store:
            assert await store.write(note("before")) == 1
            file.rename(tmp_path / "aside")
            await asyncio.sleep(2 * PERIOD)
            with pytest.raises(DependencyError):
                await store.write(note("refused"))
            (tmp_path / "aside").rename(file)
            assert await store.write(note("after")) >= 2
            found = await store.read(all_notes)
            assert (found[0], found[-1]) == ("before", "after")

    asyncio.run(main())


def test_a_log_that_sqlite_itself_removed_is_not_missed(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(URL, tmp_path) as store:
            for number in range(1, 4):
                with pytest.raises(DependencyError):
                    await store.write(Connection.invalidate)  # the only connection: with it the log goes
                assert "narthex.db-wal" not in there(tmp_path)
                await asyncio.sleep(2 * PERIOD)
                assert await store.write(note(str(number))) == number
            assert await store.read(all_notes) == ["1", "2", "3"]
            with pytest.raises(DependencyError):
                await store.write(Connection.invalidate)  # now a reader is connected, and the log stays
            assert await store.read(all_notes) == ["1", "2", "3"]
            assert await store.write(note("4")) == 4
            delete_log(tmp_path / "narthex.db")
            await asyncio.sleep(2 * PERIOD)
            with pytest.raises(DependencyError):
                await store.write(note("never"))

    asyncio.run(main())


def test_a_store_behind_a_symbolic_link_is_the_one_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "narthex.db").symlink_to(tmp_path / "real" / "shop.db")

    async def main() -> None:
        async with open_store(URL, tmp_path) as linked, open_store("sqlite:///real/shop.db", tmp_path) as real:
            assert await linked.write(note("a")) == 1
            assert await real.write(note("b")) == 2
            assert await linked.read(all_notes) == ["a", "b"]
            assert linked.link.page() == real.link.page()

    asyncio.run(main())
    assert [file.name for file in tmp_path.iterdir() if file.is_file() and not file.is_symlink()] == []


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write anywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_directory_that_cannot_be_written_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve()
        (place / "narthex.db").touch(mode=0o666)
        place.chmod(0o555)
        with as_nobody(), pytest.raises(PermissionError) as raised:
            engines.make_file(parse(URL, place))
        assert (raised.value.strerror or "").startswith(f"its directory {place} cannot be written")
        assert there(place) == ["narthex.db"]
        place.chmod(0o755)


def test_a_file_system_that_can_keep_no_log_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(f"file:{tmp_path}/narthex.db?vfs=unix-dotfile", uri=True)  # it has no shared memory
    with pytest.raises(sqlite3.OperationalError, match="no write-ahead log"):
        engines._keep_a_log(connection, None)
    connection.close()


def test_a_log_that_grew_is_cut_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_LOG_LIMIT", 100_000)
    log = tmp_path / "narthex.db-wal"

    async def main() -> None:
        async with open_store(URL, tmp_path) as store:
            slow = create_engine(f"sqlite:///{tmp_path}/narthex.db").connect()
            slow.exec_driver_sql("BEGIN")
            slow.exec_driver_sql("SELECT count(*) FROM notes").scalar_one()  # a reader that takes its time
            for _ in range(150):
                await asyncio.gather(*(store.write(note("x" * 200)) for _ in range(64)))
            grown = log.stat().st_size
            slow.close()
            for _ in range(4):
                await store.write(note("y"))
            assert log.stat().st_size <= 100_000 < grown

    asyncio.run(main())


def test_a_file_that_is_replaced_between_making_and_opening_is_not_opened(tmp_path: Path) -> None:
    engines.make_file(parse(URL, tmp_path))
    whereabouts = Whereabouts(tmp_path / "narthex.db")
    (tmp_path / "narthex.db").unlink()
    engine = writing(parse(URL, tmp_path), whereabouts)
    with pytest.raises(Exception, match="deleted or replaced"), engine.connect():
        raise AssertionError
    assert there(tmp_path) == []
