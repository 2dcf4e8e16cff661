"""What verifying reads: the store, or an export of it.

An export is JSON Lines, in order of position; each line is one of these:

    {"segment":{"first":...,"frontier":"...","number":...,"opened":"..."}}
    {"begins":{...}}                                          what a chain is, before its first record
    {"chain":"...","hash":"...","position":...,"record":{...},"sequence":...}
    {"checkpoint":{...}}                                      where as many records went before as it covers
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from narthex.store.engines import driver_connection, is_world, translated
from narthex.store.groups import first_line
from narthex_plugins.audit.checkpoints import Checkpoint, CheckpointError, parse
from narthex_plugins.audit.merkle import HASH
from narthex_plugins.audit.record import canonical
from narthex_plugins.audit.segments import Segment, all_segments, end
from narthex_plugins.audit.tables import chains, checkpoints
from narthex_plugins.audit.verifying import Bad, Finding, Report, Row, Verifier

Progress = Callable[[int, int], None]
"""Told how many records were verified, and how many there are, 0 where nobody knows."""
PAGE: Final = 2000
"""Records that are read at a time."""
_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
LONGEST: Final = 1 << 20
"""Bytes of an export's line at most."""


def verify_store(connection: Connection, instance: str, verifier: Verifier, progress: Progress | None = None) -> Report:
    """Verify what the store holds now, in order. Memory: a page of records, and what the verifier needs.

    Raises:
        SQLAlchemyError: the store does not answer.
    """
    try:
        _feed(connection, instance, verifier, progress or _nobody)
        return verifier.finish()
    except Bad as bad:
        return verifier.report(bad.finding)
    except DBAPIError as error:
        if not _of_the_store(error):
            raise
        return verifier.report(_unreadable(error, verifier.size))
    except (TypeError, ValueError, AttributeError) as error:  # what should be a number is none, and the like
        at = verifier.size
        return verifier.report(
            Finding(kind="malformed", says=f"the store holds what it should not: {error}", first=at, last=at)
        )


def verify_lines(lines: Iterable[bytes], verifier: Verifier, progress: Progress | None = None) -> Report:
    """Verify an export.

    Args:
        lines: of it, each with its end or without.
        verifier: new.
        progress: is told how many records were verified.

    Raises:
        OSError: it cannot be read.
    """
    tell = progress or _nobody
    try:
        batch: list[Row] = []
        for number, text in enumerate(lines, 1):
            line = _line(text, number, verifier.size + len(batch))
            if line.record:
                batch.append(_row(line, number, verifier.size + len(batch)))
                if len(batch) < PAGE:
                    continue
            _give(verifier, batch)
            batch = []
            tell(verifier.size, 0)
            if not line.record:
                _take(line, verifier)
        _give(verifier, batch)
        report = verifier.finish()
    except Bad as bad:
        return verifier.report(bad.finding)
    if report.records and not report.covered:  # whoever has no key can write such an export
        last = report.first + report.records - 1
        says = "nothing in it is signed: it may come from anybody"
        return replace(report, finding=Finding(kind="unsigned", says=says, first=report.first, last=last))
    return report


# -- from the store


@dataclass(slots=True)
class _Marks:
    """The checkpoints of the store, one after the other."""

    connection: Connection
    instance: str
    next: Checkpoint | None = None
    number: int = 0
    page: Sequence[str] = ()

    def advance(self, at: int) -> None:
        """Go to the one after."""
        if not self.page:
            own = (checkpoints.c.instance == self.instance) & (checkpoints.c.number > self.number)
            found = select(checkpoints.c.number, checkpoints.c.document).where(own)
            rows = self.connection.execute(found.order_by(checkpoints.c.number).limit(PAGE)).all()
            self.page = [row.document for row in reversed(rows)]
            self.number = rows[-1].number if rows else self.number
        if not self.page:
            self.next = None
            return
        *rest, document = self.page
        self.page = rest
        try:
            self.next = parse(document)
        except (CheckpointError, TypeError) as error:
            says = f"a checkpoint cannot be read: {error}"
            raise Bad(Finding(kind="checkpoint", says=says, first=at, last=at)) from None


def _feed(connection: Connection, instance: str, verifier: Verifier, progress: Progress) -> None:
    every = all_segments(connection, instance)
    total = end(connection, every)
    last = _last_document(connection, instance)
    first = 0 if last is None else last.first
    marks = _Marks(connection, instance)
    marks.advance(0)
    there = [one for one in every if one.first >= first]
    for segment, after in zip(there, [*there[1:], None], strict=True):
        verifier.segment(segment.number, segment.first, _split(segment.frontier))
        for description in _descriptions(connection, instance, segment.number):
            verifier.begins(description)
        until = total if after is None else after.first
        _feed_segment(connection, segment, until, verifier, marks, lambda done: progress(done, total))
    while marks.next is not None:
        verifier.checkpoint(marks.next)
        marks.advance(verifier.size)


def _feed_segment(
    connection: Connection,
    segment: Segment,
    until: int,
    verifier: Verifier,
    marks: _Marks,
    progress: Callable[[int], None],
) -> None:
    while True:
        while marks.next is not None and marks.next.size <= verifier.size:
            verifier.checkpoint(marks.next)
            marks.advance(verifier.size)
        wanted = min(until, verifier.size + PAGE)
        if marks.next is not None:
            wanted = min(wanted, marks.next.size)
        if verifier.size >= wanted:
            return
        rows = _page(connection, segment, verifier.size, wanted - verifier.size)
        if not rows:
            return
        verifier.records(rows)
        progress(verifier.size)


def _page(connection: Connection, segment: Segment, position: int, limit: int) -> Sequence[Row]:
    """Rows from a position on, by the driver itself: SQLAlchemy's rows would be half of what verifying costs."""
    sqlite = connection.dialect.name == "sqlite"
    sign = "?" if sqlite else "%s"
    record = "CAST(record AS BLOB)" if sqlite else "convert_to(record, 'UTF8')"
    statement = (
        f"SELECT position, chain, sequence, hash, mark, {record}"  # noqa: S608  no input
        f" FROM {segment.table.name} WHERE position >= {sign} ORDER BY position LIMIT {sign}"
    )
    raw = driver_connection(connection)
    try:
        try:
            found: Sequence[Row] = raw.execute(statement, (position, limit)).fetchall()
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
            found = _tolerant(raw, statement, (position, limit))
    except Exception as error:
        raise translated(error, connection, statement) from error
    return found


def _unreadable(error: DBAPIError, position: int) -> Finding:
    says = f"the store cannot be read from record {position} on: {first_line(error)}"
    return Finding(kind="unreadable", says=says, first=position, last=position)


def _text(found: bytes) -> str:
    return found.decode("utf-8", "surrogateescape")


def _of_the_store(error: DBAPIError) -> bool:
    """Whether the error is that of a store that was changed: a table that is gone, a file that is no database."""
    return not is_world(error) or getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def _tolerant(raw: Any, statement: str, values: tuple[int, int]) -> Sequence[Row]:
    """The same where a text is not UTF-8 any more: somebody has written into the file."""
    raw.text_factory = _text
    try:
        found: Sequence[Row] = raw.execute(statement, values).fetchall()
        return found
    finally:
        raw.text_factory = str


def _descriptions(connection: Connection, instance: str, segment: int) -> Iterator[bytes]:
    own = (chains.c.instance == instance) & (chains.c.segment == segment)
    for text in connection.execute(select(chains.c.description).where(own)).scalars():
        yield text.encode("utf-8", "surrogateescape")


def _last_document(connection: Connection, instance: str) -> Checkpoint | None:
    own = select(checkpoints.c.document).where(checkpoints.c.instance == instance)
    found = connection.execute(own.order_by(checkpoints.c.number.desc()).limit(1)).scalar()
    try:
        return None if found is None else parse(found)
    except (CheckpointError, TypeError):
        return None  # `_Marks` will come to it


def _split(flat: bytes) -> list[bytes]:
    return [flat[at : at + HASH] for at in range(0, len(flat), HASH)]


def _nobody(_done: int, _total: int) -> None:
    """Nobody wants to know."""


# -- from an export


class _Segment(msgspec.Struct, frozen=True):
    number: int
    first: int
    frontier: str


class _Line(msgspec.Struct, frozen=True):
    position: int = -1
    chain: str = ""
    sequence: int = -1
    hash: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")
    begins: msgspec.Raw = msgspec.Raw(b"")
    checkpoint: msgspec.Raw = msgspec.Raw(b"")
    segment: _Segment | None = None


_decode_line: Final = msgspec.json.Decoder(_Line).decode


def _line(text: bytes, number: int, at: int) -> _Line:
    try:
        if len(text) > LONGEST:
            raise ValueError(f"longer than {LONGEST} bytes")  # noqa: TRY301  told as the others are
        return _decode_line(text)
    except (msgspec.MsgspecError, ValueError) as error:
        says = f"line {number} is no line of an export: {error}"
        raise Bad(Finding(kind="malformed", says=says, first=at, last=at)) from None


def _row(line: _Line, number: int, at: int) -> Row:
    try:
        return line.position, line.chain, line.sequence, bytes.fromhex(line.hash), None, bytes(line.record)
    except ValueError:
        says = f"line {number} has no hash"
        raise Bad(Finding(kind="malformed", says=says, first=at, last=at)) from None


def _give(verifier: Verifier, batch: Sequence[Row]) -> None:
    """Have records verified; where their JSON was written anew, in its canonical form."""
    try:
        verifier.records(batch)
    except Bad as bad:
        if bad.finding.kind != "link":
            raise
        left = [row for row in batch if row[0] >= verifier.size]
        rewritten = [(*row[:5], _canonical(row[5])) for row in left]
        if [row[5] for row in left] == [row[5] for row in rewritten]:
            raise
        verifier.records(rewritten)


def _canonical(record: bytes) -> bytes:
    try:
        return canonical(json.loads(record))
    except ValueError:
        return record


def _take(line: _Line, verifier: Verifier) -> None:
    """A line that is no record."""
    at = verifier.size
    if line.segment is not None:
        segment = line.segment
        try:
            frontier = _split(bytes.fromhex(segment.frontier))
        except ValueError:
            says = f"segment {segment.number} does not say what was before it"
            raise Bad(Finding(kind="segment", says=says, first=at, last=at)) from None
        verifier.segment(segment.number, segment.first, frontier)
    elif line.begins:
        verifier.begins(_canonical(bytes(line.begins)))
    elif line.checkpoint:
        try:
            one = parse(bytes(line.checkpoint))
        except CheckpointError as error:
            says = f"a checkpoint cannot be read: {error}"
            raise Bad(Finding(kind="checkpoint", says=says, first=at, last=at)) from None
        verifier.checkpoint(one)
