"""Numbers to judge by, said once: as PromQL for a Prometheus, and as arithmetic for a house that watches itself.

A measure is a number that figures come to over a while: a level, a rate, a share, a quantile. It knows how it is asked
of Prometheus, how it is worked out of two looks at the house's own figures, and which series would have it come to a
given value, so that a rule made of it can be put to the test.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Look = tuple[float, ...]
"""What a measure takes down at one moment."""
Phases = Sequence[tuple[float, int]]
"""Values, and for how many steps each lasts."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric as it stands, of all processes of a server.

    Attributes:
        labels: their names.
        series: label values to one number; of a histogram to the counts of its buckets, not cumulated, and the sum.
        bounds: upper bounds of a histogram's buckets but for the last, which has none.
    """

    labels: tuple[str, ...]
    series: Mapping[tuple[str, ...], Sequence[float]]
    bounds: tuple[float, ...] = ()


class Figures(Protocol):
    """The house's own figures. Offered by the plugin metrics."""

    @property
    def leads(self) -> bool:
        """Whether this process is the one of its server that acts on them, so that not each of them does."""
        ...

    async def look(self) -> Mapping[str, Figure]:
        """Every metric by its name, of all workers.

        Raises:
            OSError: they could not be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Match:
    """A condition on a label.

    Attributes:
        values: any of them fits.
        fits: False where none of them does.
        other: a value that is none of them, for tests.
    """

    label: str
    values: tuple[str, ...]
    fits: bool = True
    other: str = "other"

    def __str__(self) -> str:
        """As PromQL has it."""
        single = len(self.values) == 1
        operator = ("=" if self.fits else "!=") if single else "=~" if self.fits else "!~"
        return f'{self.label}{operator}"{"|".join(self.values)}"'

    def holds(self, value: str) -> bool:
        """Whether it holds of a value."""
        return (value in self.values) is self.fits

    def example(self, *, holds: bool) -> str:
        """A value of which it holds, or not."""
        return self.values[0] if holds is self.fits else self.other


Where = tuple[Match, ...]


def _total(figures: Mapping[str, Figure], metric: str, where: Where) -> list[Sequence[float]]:
    figure = figures.get(metric)
    if figure is None:
        return []
    places = [(figure.labels.index(one.label), one) for one in where if one.label in figure.labels]
    return [
        values for labels, values in figure.series.items() if all(match.holds(labels[place]) for place, match in places)
    ]


def _selected(metric: str, where: Where, job: str, *more: str) -> str:
    inside = ",".join([*([f'job="{job}"'] if job else []), *map(str, where), *more])
    return f"{metric}{{{inside}}}" if inside else metric


class Measure(Protocol):
    """A number that figures come to."""

    def promql(self, job: str, window: str) -> str:
        """How Prometheus is asked for it; `job` may be empty."""
        ...

    def look(self, figures: Mapping[str, Figure]) -> Look:
        """Take down what is needed."""
        ...

    def value(self, before: Look, now: Look, seconds: float) -> float | None:
        """What it came to between two looks; None where nobody can say."""
        ...

    def series(self, phases: Phases, step: float, labels: Mapping[str, str]) -> list[tuple[str, list[float]]]:
        """Series, and their values at each step, that have it come to these values one after the other."""
        ...


def _named(metric: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())  # no quote is in any of them
    return f"{metric}{{{inside}}}"


def _example(where: Where, *, holds: bool = True) -> dict[str, str]:
    return {one.label: one.example(holds=holds) for one in where}


def _rising(phases: Phases, step: float, rate: float = 1.0) -> list[float]:
    """A counter that rises by each phase's value a second, times `rate`."""
    total, totals = 0.0, [0.0]
    for value, steps in phases:
        for _ in range(steps):
            total += value * rate * step
            totals.append(total)
    return totals


@dataclass(frozen=True, slots=True)
class Level:
    """A gauge, as it stands: the greatest of its series."""

    metric: str
    where: Where = ()

    def promql(self, job: str, window: str) -> str:  # noqa: ARG002  a level needs no window
        """The greatest, by job."""
        return f"max by (job) ({_selected(self.metric, self.where, job)})"

    def look(self, figures: Mapping[str, Figure]) -> Look:
        """The greatest; nothing where there is no such gauge."""
        return tuple(sorted(values[0] for values in _total(figures, self.metric, self.where))[-1:])

    def value(self, before: Look, now: Look, seconds: float) -> float | None:  # noqa: ARG002
        """What it is now."""
        return now[0] if now else None

    def series(self, phases: Phases, step: float, labels: Mapping[str, str]) -> list[tuple[str, list[float]]]:  # noqa: ARG002
        """One gauge."""
        first = [phases[0][0]]
        return [
            (
                _named(self.metric, {**labels, **_example(self.where)}),
                first + [value for value, steps in phases for _ in range(steps)],
            )
        ]


@dataclass(frozen=True, slots=True)
class Rate:
    """What counters rise by a second, all together."""

    metric: str
    where: Where = ()

    def promql(self, job: str, window: str) -> str:
        """The sum of the rates, by job."""
        return f"sum by (job) (rate({_selected(self.metric, self.where, job)}[{window}]))"

    def look(self, figures: Mapping[str, Figure]) -> Look:
        """Their sum; 0 where nothing has been counted yet."""
        return (sum(values[0] for values in _total(figures, self.metric, self.where)),)

    def value(self, before: Look, now: Look, seconds: float) -> float | None:
        """The rise, unless they have begun anew."""
        return (now[0] - before[0]) / seconds if now[0] >= before[0] else None

    def series(self, phases: Phases, step: float, labels: Mapping[str, str]) -> list[tuple[str, list[float]]]:
        """One counter."""
        return [(_named(self.metric, {**labels, **_example(self.where)}), _rising(phases, step))]


@dataclass(frozen=True, slots=True)
class Share:
    """What part of the rise of a counter falls to some of its series.

    Attributes:
        where: those series.
        least: rises a second below which it is nobody's business; of three requests one may fail.
    """

    metric: str
    where: Where
    least: float = 0.0

    def promql(self, job: str, window: str) -> str:
        """A quotient, where there is enough to divide by."""
        part = f"sum by (job) (rate({_selected(self.metric, self.where, job)}[{window}]))"
        whole = f"sum by (job) (rate({_selected(self.metric, (), job)}[{window}]))"
        return f"{part} / ({whole} > {self.least:g})"

    def look(self, figures: Mapping[str, Figure]) -> Look:
        """Part and whole."""
        return (
            sum(values[0] for values in _total(figures, self.metric, self.where)),
            sum(values[0] for values in _total(figures, self.metric, ())),
        )

    def value(self, before: Look, now: Look, seconds: float) -> float | None:
        """The quotient of the rises."""
        part, whole = (new - old for new, old in zip(now, before, strict=True))
        return part / whole if part >= 0 and whole > self.least * seconds else None

    def series(self, phases: Phases, step: float, labels: Mapping[str, str]) -> list[tuple[str, list[float]]]:
        """Two counters, that fit and that do not, ten times as fast as has to be."""
        rate = max(self.least, 0.1) * 10
        rest = [(1.0 - value, steps) for value, steps in phases]
        return [
            (_named(self.metric, {**labels, **_example(self.where)}), _rising(phases, step, rate)),
            (_named(self.metric, {**labels, **_example(self.where, holds=False)}), _rising(rest, step, rate)),
        ]


@dataclass(frozen=True, slots=True)
class Quantile:
    """What so large a part of the observations of a histogram stays below, as Prometheus guesses it of the buckets."""

    quantile: float
    metric: str
    where: Where = ()

    def promql(self, job: str, window: str) -> str:
        """Of all series together, by job."""
        selected = _selected(f"{self.metric}_bucket", self.where, job)
        return f"histogram_quantile({self.quantile:g}, sum by (job, le) (rate({selected}[{window}])))"

    def look(self, figures: Mapping[str, Figure]) -> Look:
        """The bounds, then the counts, that of what is above the last bound among them."""
        found = _total(figures, self.metric, self.where)
        if not found:
            return ()
        bounds = figures[self.metric].bounds
        return (*bounds, *(sum(counts) for counts in zip(*(values[:-1] for values in found), strict=True)))

    def value(self, before: Look, now: Look, seconds: float) -> float | None:  # noqa: ARG002
        """Of what was observed between the two looks."""
        half = len(now) // 2
        bounds, counts = now[:half], now[half:]
        old = before[half:] if before[:half] == bounds else ()
        rises = [new - was for new, was in zip(counts, old or [0.0] * len(counts), strict=True)]
        total = sum(rises)
        if total <= 0 or min(rises) < 0:
            return None
        return _quantile(self.quantile * total, bounds, rises)

    def series(self, phases: Phases, step: float, labels: Mapping[str, str]) -> list[tuple[str, list[float]]]:
        """Ten observations a second, each phase's all just below its value."""
        bounds = sorted({value for value, _ in phases})
        every = {**labels, **_example(self.where)}
        found: list[tuple[str, list[float]]] = []
        for bound in (*bounds, math.inf):
            within = [(1.0 if value <= bound else 0.0, steps) for value, steps in phases]
            le = "+Inf" if bound == math.inf else f"{bound:g}"
            found.append((_named(f"{self.metric}_bucket", {**every, "le": le}), _rising(within, step, 10.0)))
        return found


def _quantile(rank: float, bounds: Sequence[float], counts: Sequence[float]) -> float:
    """As `histogram_quantile` does it: even within a bucket, and the last bound for all above it."""
    below = 0.0
    for number, count in enumerate(counts[:-1]):
        if below + count >= rank:
            floor = bounds[number - 1] if number else 0.0
            return floor + (bounds[number] - floor) * ((rank - below) / count if count else 1.0)
        below += count
    return bounds[-1]


@dataclass(frozen=True, slots=True)
class Absent:
    """1 where Prometheus has no such metric: it reads nothing of us. The house itself cannot notice."""

    metric: str

    def promql(self, job: str, window: str) -> str:  # noqa: ARG002
        """1, or nothing."""
        return f"absent({_selected(self.metric, (), job)})"

    def look(self, figures: Mapping[str, Figure]) -> Look:  # noqa: ARG002
        """Nothing to look at."""
        return ()

    def value(self, before: Look, now: Look, seconds: float) -> float | None:  # noqa: ARG002
        """Nobody can say from inside."""
        return None

    def series(self, phases: Phases, step: float, labels: Mapping[str, str]) -> list[tuple[str, list[float]]]:  # noqa: ARG002
        """The metric, gone for as long as a phase is 1."""
        here = [value < 1 for value, steps in phases for _ in range(steps)]
        values = [1.0 if present else math.nan for present in [here[0], *here]]
        return [(_named(self.metric, labels), values)] if any(here) else []
