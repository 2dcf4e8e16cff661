"""Metric families, and what the processes' values of them come to. Plain values in and out."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from narthex.metrics import Instrument, Kind, Over

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric, and how the values of one series of it lie side by side.

    A counter or gauge has one. A histogram has one per bucket, not cumulated, that without an upper bound the last,
    and after them the sum of what was observed.
    """

    name: str
    kind: Kind
    help: str
    labels: Labels
    bounds: tuple[float, ...] = ()
    over: Over = "sum"

    @property
    def width(self) -> int:
        """How many values a series has."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1

    @classmethod
    def of(cls, instrument: Instrument, bounds: Sequence[float]) -> "Family":
        """The family of an instrument; `bounds` are for histograms that have none of their own."""
        own = (instrument.buckets or tuple(bounds)) if instrument.kind == "histogram" else ()
        return cls(instrument.name, instrument.kind, instrument.help, instrument.labels, tuple(own), instrument.over)

    def document(self) -> list[Any]:
        """As it stands in a file."""
        return [self.name, self.kind, self.help, list(self.labels), list(self.bounds), self.over]

    @classmethod
    def read(cls, document: Sequence[Any]) -> "Family":
        """The inverse of `document`."""
        name, kind, meaning, labels, bounds, over = document
        return cls(name, kind, meaning, tuple(labels), tuple(map(float, bounds)), over)


class Exemplar(NamedTuple):
    """An observation, and the trace that it was made in."""

    value: float
    time: float
    trace_id: str


class Row(NamedTuple):
    """The values of one series in one process, and of a histogram an exemplar of each bucket that has one."""

    family: Family
    labels: Labels
    values: Sequence[float]
    exemplars: dict[int, Exemplar] = {}  # noqa: RUF012  a default that nobody changes


class Totals:
    """What the rows of all processes come to. Of a family that two of them know differently the first one's form holds.

    Attributes:
        families: by name.
        series: name to label values to values.
        exemplars: name and label values to bucket to the latest.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.families: dict[str, Family] = {}
        self.series: dict[str, dict[Labels, list[float]]] = {}
        self.exemplars: dict[tuple[str, Labels], dict[int, Exemplar]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Add one; what cannot be added to the others, of another release say, is left out."""
        family = self.families.setdefault(row.family.name, row.family)
        if (family.kind, family.labels) != (row.family.kind, row.family.labels):
            return
        values, same = row.values, family.bounds == row.family.bounds
        if not same:
            values = rebucketed(values, row.family.bounds, family.bounds)
        series = self.series.setdefault(family.name, {})
        known = series.get(row.labels)
        if known is None:
            series[row.labels] = list(values)
        elif family.over == "max":
            series[row.labels] = [max(pair) for pair in zip(known, values, strict=True)]
        else:
            series[row.labels] = [sum(pair) for pair in zip(known, values, strict=True)]
        if row.exemplars and same:
            latest = self.exemplars.setdefault((family.name, row.labels), {})
            for bucket, one in row.exemplars.items():
                if bucket not in latest or latest[bucket].time < one.time:
                    latest[bucket] = one

    def rows(self) -> list[Row]:
        """One row per series; without exemplars."""
        return [
            Row(self.families[name], labels, values)
            for name, series in self.series.items()
            for labels, values in series.items()
        ]


def rebucketed(values: Sequence[float], old: Sequence[float], new: Sequence[float]) -> list[float]:
    """The values of a histogram in other buckets: each count moves to the first that surely holds it."""
    counts = [0.0] * (len(new) + 1)
    for bound, count in zip((*old, float("inf")), values, strict=False):
        counts[bisect_left(new, bound)] += count
    return [*counts, values[-1]]
