"""Whatever is done to the log is found, and located. `AUDIT=full` tries every place, otherwise a sample."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from narthex_plugins.audit.chain import link_hash, mark, origin
from narthex_plugins.audit.checkpoints import BEFORE_ALL, Checkpoint
from narthex_plugins.audit.keys import LogKeys
from narthex_plugins.audit.merkle import Tree
from narthex_plugins.audit.record import NAMES, canonical
from narthex_plugins.audit.verifying import Report, Row
from tests.plugins.audit.logbook import Tape, book, tape, verify_file

FULL = os.environ.get("AUDIT") == "full"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return asyncio.run(tape(tmp_path_factory.mktemp("small"), 20, 10))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return asyncio.run(tape(tmp_path_factory.mktemp("large"), 1000, 100, each=5))


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return asyncio.run(tape(tmp_path_factory.mktemp("middle"), 120, 30, each=2))


def some(count: int, step: int) -> Sequence[int]:
    return range(0, count, 1 if FULL else step)


def flipped(value: object, bit: int) -> object:
    """The value with one bit changed."""
    if isinstance(value, int):
        return value ^ 1 << bit
    raw = bytearray(value.encode() if isinstance(value, str) else bytes(value))  # type: ignore[call-overload]
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    return raw.decode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(raw)


def bits(value: object) -> int:
    return 63 if isinstance(value, int) else 8 * len(value)  # type: ignore[arg-type]


def found_at(report: Report, position: int) -> bool:
    finding = report.finding
    return finding is not None and finding.first == finding.last == position


def test_an_untouched_log_is_good(small: Tape, large: Tape) -> None:
    for one in (small, large):
        report = one.play(published=one.checkpoints)
        assert report.finding is None
        assert (report.records, report.covered) == (len(one.rows), len(one.rows))
        assert report.chains == 2


def test_every_bit_of_twenty_records(small: Tape) -> None:
    tried = 0
    for at, row in enumerate(small.rows):
        for column, value in enumerate(row):
            if value is None:
                continue
            for bit in some(bits(value), 61):
                changed = (*row[:column], flipped(value, bit), *row[column + 1 :])
                report = small.with_row(at, changed).play()
                assert found_at(report, at), (at, column, bit, report.finding)
                tried += 1
    assert tried > 400


def fields_of(row: Row) -> Iterator[Row]:
    """The row, each time with one bit of one field of its record changed, or of what stands beside it."""
    record: bytes = row[5]
    for name in NAMES:
        key = b'"%s":' % name.encode()
        place = record.index(key) + len(key) + 1  # behind a quote, in all but null and numbers
        changed = bytearray(record)
        changed[place] ^= 1
        yield (*row[:5], bytes(changed))
    for column in range(5):
        if row[column] is not None:
            yield (*row[:column], flipped(row[column], 3), *row[column + 1 :])


def test_one_bit_of_every_field_of_a_thousand_records(large: Tape) -> None:
    for at in some(len(large.rows), 83):
        for changed in fields_of(large.rows[at]):
            report = large.with_row(at, changed).play()
            assert found_at(report, at), (at, report.finding)


def test_every_row_that_is_taken_away(middle: Tape) -> None:
    rows = middle.rows
    for at in range(len(rows)):
        report = middle.but(rows=rows[:at] + rows[at + 1 :]).play()
        assert found_at(report, at), (at, report.finding)
        assert report.finding is not None
        assert report.finding.kind == ("missing" if at < len(rows) - 1 else "cut")


def test_every_row_that_is_there_twice(middle: Tape) -> None:
    rows = middle.rows
    for at in range(len(rows)):
        beside = middle.but(rows=(*rows[: at + 1], *rows[at:])).play()
        assert found_at(beside, at + 1), (at, beside.finding)
        at_the_end = middle.but(rows=(*rows, (len(rows), *rows[at][1:]))).play()
        assert found_at(at_the_end, len(rows)), (at, at_the_end.finding)


def test_every_two_neighbours_that_change_places(middle: Tape) -> None:
    rows = middle.rows
    for at in range(len(rows) - 1):
        one, other = rows[at], rows[at + 1]
        swapped = (*rows[:at], (at, *other[1:]), (at + 1, *one[1:]), *rows[at + 2 :])
        assert found_at(middle.but(rows=swapped).play(), at)
        with_places = (*rows[:at], other, one, *rows[at + 2 :])
        report = middle.but(rows=with_places).play()
        assert report.finding is not None
        assert report.finding.first == at
        only_records = (*rows[:at], (*one[:5], other[5]), (*other[:5], one[5]), *rows[at + 2 :])
        assert found_at(middle.but(rows=only_records).play(), at)


def test_every_tail_cut_that_takes_away_what_was_published(middle: Tape) -> None:
    rows, checkpoints = middle.rows, middle.checkpoints
    for left in range(len(rows)):
        kept = tuple(one for one in checkpoints if one.size <= left)
        cut = middle.but(rows=rows[:left], checkpoints=kept)
        known = cut.play(published=checkpoints)
        assert known.finding is not None
        assert (known.finding.kind, known.finding.first, known.finding.last) == ("cut", left, len(rows) - 1)
        alone = middle.but(rows=rows[:left]).play()
        assert alone.finding is not None
        assert alone.finding.first == left


def test_a_tail_that_nothing_published_speaks_of_is_only_missed_by_its_chains_marks(middle: Tape) -> None:
    """What the reference says is not found: a cut of the newest records, together with the checkpoints over them."""
    rows = middle.rows[:-10]
    kept = tuple(one for one in middle.checkpoints if one.size <= len(rows))
    report = middle.but(rows=rows, checkpoints=kept).play(published=kept)
    assert report.finding is None
    assert report.covered < report.records


def rechained(one: Tape, first: int, change: bytes, *, key: bytes | None = None, chain: str = "") -> Tape:
    """The tape with one record changed, and every link after it computed anew: anybody can, but for the marks."""
    heads: dict[str, tuple[bytes, int]] = {}
    described = {_chain_of(text): text for text in one.begins}
    rows: list[Row] = []
    for at, row in enumerate(one.rows):
        name = chain if chain and at >= first else row[1]
        record = change if at == first else row[5]
        head, number = heads.get(name) or (origin(_json(described[name])), 0)
        link = link_hash(head, at, number + 1, record)
        heads[name] = link, number + 1
        marked = None if row[4] is None else row[4] if key is None and at < first else mark(key or b"x" * 32, link)
        rows.append((at, name, number + 1, link, marked, record))
    return one.but(rows=tuple(rows))


def _json(text: bytes) -> dict[str, object]:
    import json

    found: dict[str, object] = json.loads(text)
    return found


def _chain_of(text: bytes) -> str:
    return str(_json(text)["chain"])


def test_a_log_whose_links_were_computed_anew_is_not_the_one_that_was_signed(middle: Tape) -> None:
    for first in some(len(middle.rows), 13):
        changed = middle.rows[first][5].replace(b"because", b"forged!")
        assert changed != middle.rows[first][5]
        forged = rechained(middle, first, changed, key=middle.marking)  # even with the key of the marks
        report = forged.play()
        assert report.finding is not None
        assert report.finding.kind == "root"
        assert report.finding.first <= first <= report.finding.last < report.finding.first + 30
        without = rechained(middle, first, changed).play()
        assert without.finding is not None
        assert first <= without.finding.first < first + 30
        assert without.finding.kind == "mark"


def test_a_chain_that_was_begun_anew_in_the_middle(middle: Tape) -> None:
    name = "f" * 32
    description = canonical({**_json(middle.begins[0]), "chain": name})
    begun = middle.but(begins=(*middle.begins, description))
    forged = rechained(begun, 50, middle.rows[50][5], key=middle.marking, chain=name)
    report = forged.play()
    assert report.finding is not None
    assert report.finding.kind == "root"
    assert report.finding.first <= 50 <= report.finding.last


def test_a_chain_that_says_something_else_of_itself(middle: Tape) -> None:
    for at, text in enumerate(middle.begins):
        changed = text.replace(b'"pid":', b'"pid":1')
        begins = (*middle.begins[:at], changed, *middle.begins[at + 1 :])
        report = middle.but(begins=begins).play()
        assert report.finding is not None
        assert report.finding.kind == "link"
        assert report.finding.sequence == 1


def test_two_logs_that_were_spliced(middle: Tape, tmp_path: Path) -> None:
    stranger = asyncio.run(tape(tmp_path, 120, 30, each=2))
    head, tail = middle.rows[:60], stranger.rows[60:]
    report = middle.but(rows=(*head, *tail), begins=(*middle.begins, *stranger.begins)).play()
    assert report.finding is not None
    assert report.finding.kind == "log"
    report = middle.but(rows=(*head, *tail)).play()
    assert found_at(report, 60)
    both = middle.but(
        checkpoints=(*middle.checkpoints[:2], *stranger.checkpoints[2:]), keys=(*middle.keys, *stranger.keys)
    )
    report = both.play()
    assert report.finding is not None
    assert (report.finding.kind, report.finding.checkpoint) == ("log", 3)


def test_checkpoints_that_were_replaced_taken_away_or_doubled(middle: Tape) -> None:
    marks = middle.checkpoints
    stranger = Ed25519PrivateKey.generate()
    for at, one in enumerate(marks):
        resigned = one.signed(stranger)
        edited = replace(one, root="0" * 64)
        earlier = replace(one, time="2001-01-01T00:00:00.000000Z")
        for changed in (resigned, edited, earlier):
            report = middle.but(checkpoints=(*marks[:at], changed, *marks[at + 1 :])).play()
            assert report.finding is not None
            assert (report.finding.kind, report.finding.checkpoint) == ("signature", one.number)
        doubled = middle.but(checkpoints=(*marks[: at + 1], *marks[at:])).play()
        assert doubled.finding is not None
        assert doubled.finding.kind == "checkpoint"
        if at < len(marks) - 1:
            without = middle.but(checkpoints=(*marks[:at], *marks[at + 1 :])).play()
            assert without.finding is not None
            assert without.finding.kind == "checkpoint"


def test_a_checkpoint_of_the_right_key_over_other_records(middle: Tape) -> None:
    """Whoever has the key can sign anything, but not what was published before."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    real = [one.signed(key) for one in _chained(middle.checkpoints)]
    mine = middle.but(keys=(public,), checkpoints=tuple(_sign_all(real, key)))
    assert mine.play().finding is None
    forged = rechained(mine, 10, middle.rows[10][5].replace(b"because", b"forged!"), key=middle.marking)
    tree, roots = Tree(), []
    for row in forged.rows:
        tree.append_hash(row[3])
        roots.append(tree.root().hex())
    anew = _sign_all([replace(one, root=roots[one.size - 1]) for one in real], key)
    signed = forged.but(checkpoints=tuple(anew))
    assert signed.play().finding is None
    report = signed.play(published=mine.checkpoints)
    assert report.finding is not None
    assert report.finding.kind == "root"
    assert report.finding.first <= 10 <= report.finding.last


def _chained(marks: Sequence[Checkpoint]) -> Sequence[Checkpoint]:
    return list(marks)


def _sign_all(marks: Sequence[Checkpoint], key: Ed25519PrivateKey) -> list[Checkpoint]:
    done: list[Checkpoint] = []
    for one in marks:
        previous = done[-1].digest() if done else BEFORE_ALL
        done.append(replace(one, previous=previous).signed(key))
    return done


# -- in a file, as somebody would do it


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LogKeys]:
    directory = tmp_path_factory.mktemp("kept")

    async def make() -> LogKeys:
        async with book("sqlite:///kept.db", directory) as log:
            for _ in range(3):
                await log.fill(10)
                await log.sign()
            await log.fill(4)
            return log.keys

    keys = asyncio.run(make())
    return directory / "kept.db", keys


@pytest.fixture
def file(kept: tuple[Path, LogKeys], tmp_path: Path) -> Path:
    shutil.copy(kept[0], tmp_path / "log.db")
    return tmp_path / "log.db"


def edit(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for name in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name[0]}")
        for one in statements:
            connection.execute(one)
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "kind", "position"),
    [
        ("UPDATE audit_records_1 SET record = replace(record, 'because', 'BECAUSE') WHERE position = 7", "link", 7),
        ("UPDATE audit_records_1 SET record = '{' WHERE position = 7", "link", 7),
        ("UPDATE audit_records_1 SET record = CAST(x'ff22' AS TEXT) WHERE position = 7", "link", 7),
        ("UPDATE audit_records_1 SET hash = zeroblob(32) WHERE position = 7", "link", 7),
        ("UPDATE audit_records_1 SET hash = 7 WHERE position = 7", "malformed", 7),
        ("UPDATE audit_records_1 SET mark = zeroblob(16) WHERE position = 7", "mark", 7),
        ("UPDATE audit_records_1 SET sequence = 70 WHERE position = 7", "sequence", 7),
        ("UPDATE audit_records_1 SET chain = 'x' WHERE position = 7", "chain", 7),
        ("UPDATE audit_records_1 SET chain = CAST(x'ff' AS TEXT) WHERE position = 7", "chain", 7),
        ("UPDATE audit_records_1 SET position = 99 WHERE position = 7", "missing", 7),
        ("DELETE FROM audit_records_1 WHERE position = 7", "missing", 7),
        ("DELETE FROM audit_records_1 WHERE position >= 27", "cut", 27),
        ("DROP TABLE audit_records_1", "unreadable", 0),
        ("UPDATE audit_checkpoints SET document = '{}' WHERE number = 2", "checkpoint", 10),
        ("DELETE FROM audit_checkpoints WHERE number = 1", "checkpoint", 0),
        ("UPDATE audit_chains SET description = 'x'", "chain", 0),
        ("UPDATE audit_segments SET first = 3", "segment", 3),
    ],
)
def test_a_file_that_was_edited_by_hand(
    file: Path, kept: tuple[Path, LogKeys], statement: str, kind: str, position: int
) -> None:
    assert verify_file(file, kept[1]).finding is None
    edit(file, statement)
    finding = verify_file(file, kept[1]).finding
    assert finding is not None
    assert (finding.kind, finding.first) == (kind, position), finding


def test_a_record_that_somebody_put_at_the_end_is_not_vouched_for(file: Path, kept: tuple[Path, LogKeys]) -> None:
    with closing(sqlite3.connect(file)) as connection:
        chain, sequence, link, record = connection.execute(
            "SELECT chain, sequence, hash, record FROM audit_records_1 ORDER BY position DESC LIMIT 1"
        ).fetchone()
        forged = link_hash(link, 34, sequence + 1, record.encode())
        connection.execute(
            "INSERT INTO audit_records_1 (position, chain, sequence, hash, record) VALUES (?, ?, ?, ?, ?)",
            (34, chain, sequence + 1, forged, record),
        )
        connection.commit()
    finding = verify_file(file, kept[1]).finding
    assert finding is not None
    assert finding.kind == "mark"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records_1 SET record = '' WHERE position = 1",
        "DELETE FROM audit_records_1 WHERE position = 1",
        "DELETE FROM audit_records_1",
        "REPLACE INTO audit_records_1 (position, chain, sequence, hash, record) VALUES (1, '', 1, x'', '')",
        "INSERT INTO audit_logs (instance, log, started) VALUES ('audit', '', '') ON CONFLICT DO UPDATE SET log = ''",
        "UPDATE audit_chains SET description = ''",
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_keys",
        "UPDATE audit_segments SET first = 0",
        "UPDATE audit_logs SET log = ''",
    ],
)
def test_triggers_refuse_what_is_no_addition(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute(statement)
