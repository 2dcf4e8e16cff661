"""The metrics facade: plugins count here, and nothing happens until a metrics plugin attaches itself.

An instrument costs one call of an empty function while nobody listens.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Record = Callable[[float, tuple[str, ...]], None]
Read = Callable[[], float]
Kind = Literal["counter", "gauge", "histogram"]
Over = Literal["sum", "max"]

_log = logging.getLogger("narthex.metrics")


class MetricSink(Protocol):
    """What a metrics plugin offers the facade."""

    def instrument(self, instrument: "Instrument") -> Record:
        """Register the instrument and return what takes a value and its label values; may be asked again."""
        ...


def _nowhere(value: float, labels: tuple[str, ...]) -> None:
    """Drop the value: no metrics plugin is on."""


@dataclass(slots=True, eq=False)
class Instrument:
    """A counter, gauge or histogram, declared once and shared by everyone who asks for its name.

    Attributes:
        name: Prometheus name with its unit, `narthex_refusals_total`.
        help: one sentence.
        labels: label names; every call gives as many values.
        buckets: upper bounds of a histogram, in the metric's unit; empty for the sink's own.
        over: what the gauges of several processes come to: their "sum", or for ages the "max".
    """

    kind: Kind
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    over: Over = "sum"
    record: Record = field(default=_nowhere, repr=False)
    _watched: dict[tuple[str, ...], Read] = field(default_factory=dict[tuple[str, ...], Read], repr=False)
    _seen: dict[tuple[str, ...], float] = field(default_factory=dict[tuple[str, ...], float], repr=False)

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """Add to a counter."""
        self.record(by, labels)

    def set(self, value: float, *labels: str) -> None:
        """Set a gauge."""
        self.record(value, labels)

    def observe(self, value: float, *labels: str) -> None:
        """Add one observation to a histogram."""
        self.record(value, labels)

    def watch(self, read: Read, *labels: str) -> Callable[[], None]:
        """Have a sink ask for the value about once a second: of a gauge, or of a counter that its owner keeps.

        Args:
            read: gives the value; called on the event loop, so it does not wait. What it raises is logged.
            labels: a second `read` for the same ones takes the place of the first.

        Returns:
            Ends it.
        """
        self._watched[labels] = read

        def end() -> None:
            if self._watched.get(labels) is read:
                del self._watched[labels]

        return end

    def poll(self) -> None:
        """Record what is watched; for sinks. A total that has fallen has begun anew."""
        for labels, read in tuple(self._watched.items()):
            try:
                value = read()
            except Exception:  # noqa: BLE001  whatever a plugin raises
                _log.exception("%s could not be read and is not watched any more", self.name)
                self._watched.pop(labels, None)
                continue
            if self.kind == "counter":
                before = self._seen.get(labels, 0.0)
                self._seen[labels] = value
                value = value - before if value >= before else value
            self.record(value, labels)


class Metrics:
    """The instruments of one house.

    Attributes:
        sample: of how many exchanges one has its hooks timed; 0 while nobody wants to know.
    """

    def __init__(self) -> None:
        self._instruments: dict[str, Instrument] = {}
        self._families: dict[str, str] = {}
        self._sinks: list[tuple[str, MetricSink, int]] = []
        self.sample = 0

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Instrument:  # noqa: A002  Prometheus' word
        """A number that only rises; its name ends in `_total`."""
        return self._declare(Instrument("counter", name, help, tuple(labels)))

    def gauge(
        self,
        name: str,
        help: str,  # noqa: A002
        labels: Sequence[str] = (),
        over: Over = "sum",
    ) -> Instrument:
        """A number that rises and falls."""
        return self._declare(Instrument("gauge", name, help, tuple(labels), over=over))

    def histogram(
        self,
        name: str,
        help: str,  # noqa: A002
        labels: Sequence[str] = (),
        buckets: Sequence[float] = (),
    ) -> Instrument:
        """A distribution."""
        return self._declare(Instrument("histogram", name, help, tuple(labels), tuple(buckets)))

    def attach(self, sink: MetricSink, place: str = "", *, sample: int = 0) -> None:
        """Send every instrument, those declared so far and later ones, to `sink`.

        Args:
            sink: gets each value once.
            place: of several sinks at one place the last one counts, until it is detached.
            sample: of how many exchanges one is to have its hooks timed; 0 for none.
        """
        self._sinks.append((place, sink, sample))
        self._connect()

    def detach(self, sink: MetricSink) -> None:
        """Send it nothing more."""
        self._sinks = [one for one in self._sinks if one[1] is not sink]
        self._connect()

    def poll(self) -> None:
        """Record what is watched; for sinks, about once a second."""
        for instrument in tuple(self._instruments.values()):
            instrument.poll()

    def _connect(self) -> None:
        samples = [sample for _, _, sample in self._active() if sample]
        self.sample = min(samples, default=0)
        for instrument in self._instruments.values():
            instrument.record = self._record(instrument)

    def _active(self) -> list[tuple[str, MetricSink, int]]:
        return list({place: (place, sink, sample) for place, sink, sample in self._sinks}.values())

    def _record(self, instrument: Instrument) -> Record:
        records = [sink.instrument(instrument) for _, sink, _ in self._active()]
        if len(records) < 2:
            return records[0] if records else _nowhere

        def all_of_them(value: float, labels: tuple[str, ...]) -> None:
            for record in records:
                record(value, labels)

        return all_of_them

    def _declare(self, new: Instrument) -> Instrument:
        known = self._instruments.get(new.name)
        if known is not None:
            if (known.kind, known.labels) != (new.kind, new.labels):
                raise ValueError(f"metric {new.name} is already a {known.kind} with labels {known.labels}")
            return known
        if (new.kind == "counter") != new.name.endswith("_total"):
            raise ValueError(f"metric {new.name}: a counter's name ends in _total, and no other's does")
        other = self._families.setdefault(new.name.removesuffix("_total"), new.name)
        if other != new.name:
            raise ValueError(f"metric {new.name} and {other} would be one to a reader of OpenMetrics")
        new.record = self._record(new)
        self._instruments[new.name] = new
        return new
