"""The series of one process: which there are, and where their numbers lie."""

import logging
import os
import threading
import weakref
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final

from narthex.metrics import Instrument, Record
from narthex_plugins.metrics.families import Family, Labels, Row
from narthex_plugins.metrics.sheet import EXAMPLE_WORDS, Cells, Chunk, Sheet, examples

OTHER: Final = "other"
"""What stands for every label value of the series beyond the most that a metric may have."""
_LONGEST: Final = 200  # characters of a label value
_log = logging.getLogger("narthex.plugins.metrics")
_ledgers: "weakref.WeakSet[Ledger]" = weakref.WeakSet()


class Table:
    """The series of one metric.

    Attributes:
        series: label values to the numbers and where among them.
        examples: likewise to where exemplars lie.
    """

    def __init__(self, family: Family, ledger: "Ledger") -> None:
        self.family = family
        self.series: dict[Labels, tuple[Cells, int]] = {}
        self.examples: dict[Labels, tuple[Chunk, int]] = {}
        self._ledger = ledger
        self._full = False

    def new(self, labels: Labels) -> tuple[Cells, int]:
        """A series that the table does not have, or the one that stands for all that are too many.

        Raises:
            ValueError: not as many values as the metric has labels.
        """
        if len(labels) != len(self.family.labels):
            raise ValueError(f"{self.family.name} has the labels {self.family.labels}, not {len(labels)}")
        labels = tuple(map(_clean, labels))
        ledger = self._ledger
        with ledger.lock:
            if labels not in self.series and len(self.series) >= ledger.most:
                labels = (OTHER,) * len(labels)
                if not self._full:
                    self._full = True
                    _log.warning("%s has %d series; more are counted as %r", self.family.name, ledger.most, OTHER)
            if labels not in self.series:
                chunk, at, place = ledger.sheet.take(self.family.width)
                self.place(labels, chunk, at, place)
            return self.series[labels]

    def place(self, labels: Labels, chunk: Chunk, at: int, place: int) -> None:
        """Have the series at numbers that were taken for it."""
        self._ledger.sheet.name_series(self.family, labels, place)
        self.series[labels] = (chunk.cells, at)

    def new_examples(self, labels: Labels) -> tuple[Chunk, int]:
        """Room for the exemplars of a series."""
        with self._ledger.lock:
            if labels not in self.examples:
                chunk, at, place = self._ledger.sheet.take((self.family.width - 1) * EXAMPLE_WORDS)
                self._ledger.sheet.name_series(self.family, labels, place, exemplars=True)
                self.examples[labels] = chunk, at
            return self.examples[labels]

    def rows(self) -> list[Row]:
        """Its rows as they are now."""
        width = self.family.width
        rows: list[Row] = []
        for labels, (cells, at) in tuple(self.series.items()):
            room = self.examples.get(labels)
            shown = {} if room is None else examples(room[0].raw, room[1], self.family)
            rows.append(Row(self.family, labels, cells[at : at + width].tolist(), shown))
        return rows


class Ledger:
    """What a process has counted; a sink of the facade.

    Args:
        make_sheet: a new sheet, for this process or a child that it has forked.
        most: series that a metric may have.
        bounds: of histograms that have none of their own.

    Attributes:
        caches: whatever else remembers where numbers lie; emptied in a forked child.
    """

    def __init__(self, make_sheet: Callable[[], Sheet], most: int, bounds: tuple[float, ...]) -> None:
        self.most = most
        self.sheet = make_sheet()
        self.lock = threading.Lock()
        self.caches: list[dict[Any, Any]] = []
        self._make_sheet = make_sheet
        self._bounds = bounds
        self._tables: dict[str, Table] = {}
        _ledgers.add(self)

    def instrument(self, instrument: Instrument) -> Record:
        """What takes the values of an instrument. Cost: 0.3 µs a value."""
        table = self.table(Family.of(instrument, self._bounds))
        if (table.family.kind, table.family.labels) != (instrument.kind, instrument.labels):
            _log.error("%s is two metrics; only the first is shown", instrument.name)
            return lambda _value, _labels: None
        return _record(table)

    def table(self, family: Family) -> Table:
        """The table of a family, made if need be."""
        return self._tables.setdefault(family.name, Table(family, self))

    def rows(self) -> list[Row]:
        """All rows as they are now."""
        return [row for table in tuple(self._tables.values()) for row in table.rows()]

    def close(self) -> None:
        """Count among the dead from now on. What is still counted is seen by nobody."""
        _ledgers.discard(self)
        self._make_sheet = lambda: Sheet(None, _nowhere)
        self._begin_anew()

    def forked(self) -> None:
        """In a child: begin a sheet of its own, for what lies in the parent's is the parent's to write."""
        self.lock = threading.Lock()  # a thread that is not here any more may have held the other
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.sheet.close()
        self.sheet = self._make_sheet()
        for table in self._tables.values():
            table.series.clear()
            table.examples.clear()
        for cache in self.caches:
            cache.clear()


def _nowhere(_error: OSError) -> None:
    """Memory of our own cannot fail."""


def _in_child() -> None:
    for ledger in tuple(_ledgers):
        ledger.forked()


os.register_at_fork(after_in_child=_in_child)


def _record(table: Table) -> Record:
    match table.family.kind:
        case "counter":
            return _counting(table)
        case "gauge":
            return _setting(table)
        case "histogram":
            return _observing(table)


def _counting(table: Table) -> Record:
    series, new = table.series, table.new

    def count(value: float, labels: Labels) -> None:
        if not value >= 0.0:
            raise ValueError(f"{table.family.name} is a counter: it cannot go by {value}")
        cells, at = series.get(labels) or new(labels)
        cells[at] += value

    return count


def _setting(table: Table) -> Record:
    series, new = table.series, table.new

    def put(value: float, labels: Labels) -> None:
        cells, at = series.get(labels) or new(labels)
        cells[at] = value

    return put


def _observing(table: Table) -> Record:
    series, new, bounds = table.series, table.new, table.family.bounds
    total = table.family.width - 1

    def observe(value: float, labels: Labels) -> None:
        if value != value:  # noqa: PLR0124  not a number: the sum would never be one again
            raise ValueError(f"{table.family.name} cannot observe {value}")
        cells, at = series.get(labels) or new(labels)
        cells[at + bisect_left(bounds, value)] += 1.0
        cells[at + total] += value

    return observe


def _clean(label: object) -> str:
    """A label value that can be shown: text, not too long, and in UTF-8."""
    return str(label)[:_LONGEST].encode(errors="replace").decode()
