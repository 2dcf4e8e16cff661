"""The whole log as lines of JSON, which can be verified where there is no store; what the lines are, `reading` says.

It is read by pages, each in a transaction of its own, up to where it ended when that began: what comes later is left
out, and so are checkpoints that cover it.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection, select

from narthex.storage import Store
from narthex_plugins.audit.exporting import Format, head, json_line, lines
from narthex_plugins.audit.querying import PAGE, Query, Reader, Row, between
from narthex_plugins.audit.record import canonical
from narthex_plugins.audit.segments import Segment, all_segments, end, kept
from narthex_plugins.audit.tables import chains, checkpoints

_MARKS: Final = 1000


@dataclass(slots=True)
class _Marks:
    """The checkpoints that come, in order."""

    store: Store
    instance: str
    number: int = 0
    ready: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])

    async def next(self) -> tuple[int, str] | None:
        """Size and document of the next one."""
        if not self.ready:
            self.ready = await self.store.read(self._read)
        return None if not self.ready else self.ready[0][1:]

    def passed(self) -> None:
        """It was written."""
        self.number = self.ready.pop(0)[0]

    def _read(self, connection: Connection) -> list[tuple[int, int, str]]:
        rows = checkpoints.c
        query = select(rows.number, rows.size, rows.document).where(rows.instance == self.instance)
        found = connection.execute(query.where(rows.number > self.number).order_by(rows.number).limit(_MARKS))
        return [(number, size, document) for number, size, document in found]


async def export(reader: Reader, query: Query, kind: Format) -> AsyncIterator[tuple[int, bytes]]:
    """What fits, in pages: how many records, and their lines. JSON Lines of everything can be verified.

    Raises:
        DependencyError: the store does not answer.
    """
    if kind == "jsonl" and query == Query():
        async for page in whole(reader.store, reader.instance):
            yield page
        return
    begin = head(kind)
    async for rows in reader.all(query):
        yield len(rows), begin + lines(kind, rows)
        begin = b""
    yield 0, begin  # still there where nothing fits


async def whole(store: Store, instance: str) -> AsyncIterator[tuple[int, bytes]]:
    """The lines by pages, each with how many records are in it.

    Raises:
        DependencyError: the store does not answer.
    """
    segments, total = await store.read(partial(_extent, instance=instance))
    marks, size = _Marks(store, instance), segments[0].first if segments else 0
    for segment, following in zip(segments, (*segments[1:], None), strict=True):
        yield 0, await store.read(partial(_head, instance=instance, segment=segment))
        until = total if following is None else following.first
        while True:
            lines = bytearray()
            while (mark := await marks.next()) is not None and mark[0] <= size:
                lines += f'{{"checkpoint":{mark[1]}}}\n'.encode()
                marks.passed()
            wanted = min(until, size + PAGE, until if mark is None else mark[0])
            if lines:
                yield 0, bytes(lines)
            if size >= wanted:
                break
            rows: Sequence[Row] = await store.read(partial(between, segment=segment, first=size, until=wanted))
            yield len(rows), b"".join(map(json_line, rows))
            size = wanted


def _extent(connection: Connection, instance: str) -> tuple[Sequence[Segment], int]:
    return kept(connection, instance), end(connection, all_segments(connection, instance))


def _head(connection: Connection, instance: str, segment: Segment) -> bytes:
    """What a segment begins with: where it stands, and what its chains are."""
    place = {"first": segment.first, "frontier": segment.frontier.hex()}
    lines = b'{"segment":' + canonical({**place, "number": segment.number, "opened": segment.opened}) + b"}\n"
    own = (chains.c.instance == instance) & (chains.c.segment == segment.number)
    for description in connection.execute(select(chains.c.description).where(own)).scalars():
        lines += f'{{"begins":{description}}}\n'.encode()
    return lines
