"""The metrics facade: plugins count here, and nothing happens until a metrics plugin attaches itself.

An instrument costs one call of an empty function while nobody listens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Record = Callable[[float, tuple[str, ...]], None]
Kind = Literal["counter", "gauge", "histogram"]


class MetricSink(Protocol):
    """What a metrics plugin offers the facade."""

    def instrument(self, instrument: "Instrument") -> Record:
        """Register the instrument and return what takes a value and its label values."""
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
    """

    kind: Kind
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    record: Record = field(default=_nowhere, repr=False)

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """Add to a counter."""
        self.record(by, labels)

    def set(self, value: float, *labels: str) -> None:
        """Set a gauge."""
        self.record(value, labels)

    def observe(self, value: float, *labels: str) -> None:
        """Add one observation to a histogram."""
        self.record(value, labels)


class Metrics:
    """The instruments of one house."""

    def __init__(self) -> None:
        self._instruments: dict[str, Instrument] = {}
        self._sink: MetricSink | None = None

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Instrument:  # noqa: A002  Prometheus' word
        """A number that only rises."""
        return self._declare(Instrument("counter", name, help, tuple(labels)))

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> Instrument:  # noqa: A002
        """A number that rises and falls."""
        return self._declare(Instrument("gauge", name, help, tuple(labels)))

    def histogram(
        self,
        name: str,
        help: str,  # noqa: A002
        labels: Sequence[str] = (),
        buckets: Sequence[float] = (),
    ) -> Instrument:
        """A distribution."""
        return self._declare(Instrument("histogram", name, help, tuple(labels), tuple(buckets)))

    def attach(self, sink: MetricSink) -> None:
        """Send every instrument, those declared so far and later ones, to `sink`."""
        self._sink = sink
        for instrument in self._instruments.values():
            instrument.record = sink.instrument(instrument)

    def detach(self, sink: MetricSink) -> None:
        """Go back to counting nothing, unless another sink has taken the place of this one."""
        if self._sink is not sink:
            return
        self._sink = None
        for instrument in self._instruments.values():
            instrument.record = _nowhere

    def _declare(self, new: Instrument) -> Instrument:
        known = self._instruments.setdefault(new.name, new)
        if (known.kind, known.labels) != (new.kind, new.labels):
            raise ValueError(f"metric {new.name} is already a {known.kind} with labels {known.labels}")
        if known is new and self._sink is not None:
            new.record = self._sink.instrument(new)
        return known
