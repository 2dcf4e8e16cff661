"""Rising logs: versions in the order of commits, and a reader that misses nothing."""

import asyncio
import enum
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    RowMapping,
    SmallInteger,
    String,
    Table,
    Text,
    select,
)
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.types import TypeDecorator

from narthex.store import RisingLog, Store, log_columns
from narthex.store.groups import Job
from narthex.store.onetrip import written
from tests.core.store.ground import Boom, all_notes, log, metadata, note, notes, open_store, run_writer


def after(version: int, limit: int = 1000) -> Job[Sequence[RowMapping]]:
    """A job that reads on."""
    return lambda connection: log.after(connection, version, limit)


def test_versions_rise_without_gaps_in_the_order_of_appends(any_url: str, tmp_path: Path) -> None:
    async def write() -> None:
        async with open_store(any_url, tmp_path) as store:
            assert await asyncio.gather(*(store.write(note(str(n))) for n in range(700))) == list(range(1, 701))
            rows = await store.read(lambda connection: log.after(connection, 0))
            assert [(row["version"], row["text"]) for row in rows] == [(n + 1, str(n)) for n in range(700)]
            assert await store.read(log.last) == 700

    asyncio.run(write())


def test_a_reader_takes_pages_and_goes_on_where_it_was(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(lambda connection: log.append_in(connection, [{"text": str(n)} for n in range(25)]))
        pages = [writer.write_blocking(after(version, limit=10)) for version in (0, 10, 20, 25)]
        assert [[row["version"] for row in page] for page in pages] == [
            list(range(1, 11)),
            list(range(11, 21)),
            list(range(21, 26)),
            [],
        ]


def test_an_empty_log_has_no_last_and_no_rows(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        assert writer.write_blocking(log.last) == 0
        assert writer.write_blocking(lambda connection: log.append_in(connection, [])) == range(0)
        assert writer.write_blocking(all_notes) == []


def test_logs_in_one_table_do_not_see_each_other(any_url: str, tmp_path: Path) -> None:
    other = RisingLog("test:other", notes)
    with run_writer(any_url, tmp_path) as writer:
        assert writer.write_blocking(note("a")) == 1
        assert writer.write_blocking(other.appending({"text": "b"})) == 1
        assert writer.write_blocking(note("c")) == 2
        assert writer.write_blocking(all_notes) == ["a", "c"]
        assert writer.write_blocking(other.last) == 1


def test_what_was_undone_leaves_no_gap(any_url: str, tmp_path: Path) -> None:
    def append_and_raise(connection: Any) -> None:
        log.append_in(connection, [{"text": "never"}] * 10)
        raise Boom

    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(note("a"))
        with pytest.raises(Boom):
            writer.write_blocking(append_and_raise)
        assert writer.write_blocking(note("b")) == 2


@pytest.mark.parametrize("size", [1, 2, 50])
def test_rows_with_different_keys_keep_all_they_have(size: int, any_url: str, tmp_path: Path) -> None:
    rows = [{"text": "a"}, *[{"aside": "seen", "text": "b"}] * size, *[{"text": "c", "aside": "too"}] * size, {}]
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(lambda connection: log.append_in(connection, rows))
        found = writer.write_blocking(lambda connection: log.after(connection, 0))
        assert [(row["text"], row["aside"]) for row in found] == [(row.get("text"), row.get("aside")) for row in rows]


@pytest.mark.parametrize("size", [1, 50])
def test_a_row_that_does_not_fit_is_named_as_sqlalchemy_names_it(size: int, any_url: str, tmp_path: Path) -> None:
    strict = Table("strict", MetaData(), *log_columns(), Column("number", Integer, nullable=False))
    refusing = RisingLog("test:strict", strict)
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(strict.create)
        rows = [{"number": 1}] * (size - 1) + [{"number": None}]
        with pytest.raises(IntegrityError):
            writer.write_blocking(lambda connection: refusing.append_in(connection, rows))
        with pytest.raises((SQLAlchemyError, KeyError)):
            writer.write_blocking(refusing.appending({"no such column": 1}))
        assert writer.write_blocking(refusing.appending({"number": 2})) == 1


class Colour(enum.Enum):
    """A value that only its column type can write."""

    RED = "r"


class Reversed(TypeDecorator[str]):
    """A type of somebody's own."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:
        return value and value[::-1]

    def process_result_value(self, value: str | None, dialect: object) -> str | None:
        return value and value[::-1]


ROW = {
    "at": datetime(2026, 11, 22, 12, 30, 15, 250_000, tzinfo=UTC),
    "document": {"a": [1, None, "é\n\t\\N"]},
    "raw": b"\x00\xff\\",
    "colour": Colour.RED,
    "name": "Łukasz\t\\.",
    "empty": "",
}


@pytest.mark.parametrize("size", [1, 50])
@pytest.mark.parametrize("made_in_python", [False, True])
def test_every_type_comes_back_as_it_was(made_in_python: bool, size: int, any_url: str, tmp_path: Path) -> None:
    odd = Table(
        'odd "name" 100%',
        MetaData(),
        *log_columns(),
        Column("at", DateTime(timezone=True)),
        Column("document", JSON),
        Column("raw", LargeBinary),
        Column("colour", Enum(Colour, native_enum=False, length=20)),
        Column("name", Reversed(50)),
        Column("empty", Text),
        Column("made", String(20), default=(lambda: "in Python") if made_in_python else None),
    )  # fmt: skip
    book = RisingLog("test:odd", odd)
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(odd.create)
        writer.write_blocking(lambda connection: book.append_in(connection, [ROW] * size))
        found = writer.write_blocking(lambda connection: book.after(connection, 0))
        assert len(found) == size
        at = ROW["at"] if any_url.startswith("postgresql") else ROW["at"].replace(tzinfo=None)  # type: ignore[attr-defined]
        for row in found:
            made = {"made": "in Python" if made_in_python else None}
            assert {**row, "log": 0, "version": 0} == {**ROW, **made, "at": at, "log": 0, "version": 0}


PLAIN = {
    "at": ROW["at"].replace(tzinfo=None),  # type: ignore[attr-defined]
    "document": {"a": [1, None, 'é\n\t\\N"{}']},
    "absent": None,
    "raw": b"\x00\xff\\",
    "colour": Colour.RED,
    "name": 'Łukasz\t\\.,{}"NULL',
    "count": 2**60,
    "small": -3,
    "exact": Decimal("1.10"),
    "rough": 0.1,
    "yes": True,
    "day": date(2026, 11, 22),
}


@pytest.mark.parametrize("left", [set(), {"colour"}], ids=["by COPY", "in one trip"])
@pytest.mark.parametrize("size", [1, 50])
def test_plain_types_come_back_as_they_were(size: int, left: set[str], any_url: str, tmp_path: Path) -> None:
    types: list[Any] = [
        DateTime(),
        JSON(),
        Text(),
        LargeBinary(),
        Enum(Colour),
        String(50),
        BigInteger(),
        SmallInteger(),
    ]
    types += [Numeric(10, 2), Float(), Boolean(), Date()]
    columns = [Column(key, type_) for key, type_ in zip(PLAIN, types, strict=True) if key not in left]
    plain = Table("plain %", MetaData(), *log_columns(), *columns)
    book = RisingLog("test:plain", plain)
    rows = [{key: value for key, value in PLAIN.items() if key not in left}] * size
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(plain.metadata.create_all)
        assert writer.write_blocking(lambda connection: book.append_in(connection, rows)) == range(1, size + 1)
        found = writer.write_blocking(lambda connection: book.after(connection, 0))
        assert [dict(row) for row in found] == [
            {"log": "test:plain", "version": number, **row} for number, row in enumerate(rows, 1)
        ]


@pytest.mark.parametrize("size", [1, 50])
def test_a_text_that_is_too_long_is_refused_and_not_cut(size: int, postgresql_url: str, tmp_path: Path) -> None:
    short = Table("short", MetaData(), *log_columns(), Column("text", String(5)))
    book = RisingLog("test:short", short)
    with run_writer(postgresql_url, tmp_path) as writer:
        writer.write_blocking(short.create)
        with pytest.raises(DataError):
            writer.write_blocking(lambda connection: book.append_in(connection, [{"text": "123456"}] * size))
        with pytest.raises(DataError):
            writer.write_blocking(book.appending({"text": "\0"}))
        assert writer.write_blocking(book.appending({"text": "12345"})) == 1


TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    "\\N",
    "\\",
    '"',
    '\\"',
    "{}",
    "{a,b}",
    "a,b",
    "'",
    "\n\r\t",
    "é",
    "\U0001f511",
    "%s",
    "x" * 9000,
    None,
]
NUMBERS = [0, -1, 2**63 - 1, -(2**63), None]
FLOATS = [0.0, 0.1, 1e-320, 1.7976931348623157e308, float("inf"), float("-inf"), 3, None]


def test_whatever_stands_in_an_array_comes_back_as_it_was(any_url: str, tmp_path: Path) -> None:
    columns = Column("text", Text), Column("document", JSON), Column("number", BigInteger), Column("rough", Float)
    table = Table("arrays", MetaData(), *log_columns(), *columns, Column("yes", Boolean))
    book, longest = RisingLog("test:arrays", table), len(TEXTS)
    rows = [
        {
            "text": TEXTS[at],
            "document": {"a": TEXTS[at]},
            "number": NUMBERS[at % len(NUMBERS)],
            "rough": FLOATS[at % len(FLOATS)],
            "yes": (True, False, None)[at % 3],
        }
        for at in range(longest)
    ]
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(table.create)
        writer.write_blocking(lambda connection: book.append_in(connection, rows))
        found = writer.write_blocking(lambda connection: book.after(connection, 0))
        assert [{key: row[key] for key in rows[0]} for row in found] == rows


def test_an_array_is_written_by_the_driver_where_a_value_is_of_another_type() -> None:
    assert written(["a", 'b"\\'], "text[]") == '{"a","b\\"\\\\"}'
    assert written([1, None], "bigint[]") == "{1,NULL}"
    for values, array in (
        (["a", 1], "text[]"),
        ([1, True], "bigint[]"),
        ([1, 0.5], "bigint[]"),
        ([Decimal(1)], "numeric[]"),
    ):
        assert written(values, array) is values


@pytest.mark.parametrize("word", ["order", "select", "Group", "user", "limit", 'a"b', "per%cent", "with space", "$1"])
def test_names_that_mean_something_to_sql_are_names_like_any_other(word: str, any_url: str, tmp_path: Path) -> None:
    table = Table(word, MetaData(), *log_columns(), Column(word, Text), Column("exact", Numeric(4, 2)))
    book = RisingLog(word, table)
    rows: list[dict[str, Any]] = [{word: "in one trip"}] * 7 + [{word: "by COPY", "exact": Decimal(1)}] * 7
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(table.create)
        for some in (rows[:1], rows[1:7], rows[7:8], rows[8:]):
            writer.write_blocking(appending(book, some))
        found = writer.write_blocking(lambda connection: book.after(connection, 0))
        assert [one[word] for one in found] == [row[word] for row in rows]


def appending(book: RisingLog, rows: Sequence[dict[str, Any]]) -> Job[range]:
    """A job that appends rows at once."""
    return lambda connection: book.append_in(connection, rows)


def test_a_reader_of_two_stores_misses_nothing(make_store: Callable[..., Store]) -> None:
    async def follow(store: Store, writing: "asyncio.Task[Any]") -> list[str]:
        seen: list[str] = []
        version, last = 0, False
        while not last:
            last = writing.done()
            rows = await store.read(after(version))
            version += len(rows)
            assert not rows or rows[-1]["version"] == version
            seen += [row["text"] for row in rows]
        return seen

    async def main() -> None:
        stores = [make_store(), make_store()]
        for store in stores:
            await store.start()
        await stores[0].write(metadata.create_all)
        jobs = [stores[n % 2].write(note(str(n))) for n in range(1000)]
        writing = asyncio.create_task(asyncio.wait([asyncio.ensure_future(job) for job in jobs]))
        seen = await follow(stores[1], writing)
        assert sorted(map(int, seen)) == list(range(1000))
        for store in stores:
            await store.stop()

    asyncio.run(main())


def test_what_a_log_holds_is_plain_sql(any_url: str, tmp_path: Path) -> None:
    with run_writer(any_url, tmp_path) as writer:
        writer.write_blocking(lambda connection: log.append_in(connection, [{"text": json.dumps({"a": 1})}] * 8))
        texts = writer.write_blocking(lambda c: c.execute(select(notes.c.text)).scalars().all())
        assert set(texts) == {'{"a": 1}'}
