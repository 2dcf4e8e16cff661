"""The figures as Prometheus reads them, written by prometheus-client from a registry of our own."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as Shown

from narthex_plugins.metrics.families import Exemplar, Family, Labels, Row, Totals
from narthex_plugins.metrics.requests import DURATIONS, REQUESTS

PLAIN: Final = CONTENT_TYPE_PLAIN_0_0_4
OPEN: Final = openmetrics.CONTENT_TYPE_LATEST
_write_open = cast("Callable[[CollectorRegistry], bytes]", openmetrics.generate_latest)  # pyright: ignore[reportUnknownMemberType]  has no types


def media_type(accept: str) -> str:
    """Which of the two formats a reader takes: OpenMetrics, which alone shows exemplars, where it is asked for."""
    kinds = (one.partition(";")[0].strip().lower() for one in accept.split(","))
    return OPEN if "application/openmetrics-text" in kinds else PLAIN


def page(rows: Iterable[Row], kind: str, *, zipped: bool) -> bytes:
    """The page of a scrape. Cost: about 10 µs a line, so it is made on a thread."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(Totals(rows)))
    text = (_write_open if kind == OPEN else generate_latest)(registry)
    return gzip.compress(text, 1) if zipped else text


class _Once(Collector):
    """What is collected once."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        """Every metric, in the order of its name."""
        totals = self._totals
        requests = totals.series.get(DURATIONS.name, {})
        if requests:
            yield _counter(REQUESTS, {labels: [sum(values[:-1])] for labels, values in requests.items()})
        for name in sorted(totals.series):
            family, series = totals.families[name], totals.series[name]
            match family.kind:
                case "counter":
                    yield _counter(family, series)
                case "gauge":
                    yield _gauge(family, series)
                case "histogram":
                    yield _histogram(family, series, totals.exemplars)


def _counter(family: Family, series: dict[Labels, list[float]]) -> Metric:
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for labels, (value,) in sorted(series.items()):
        metric.add_metric(labels, value)
    return metric


def _gauge(family: Family, series: dict[Labels, list[float]]) -> Metric:
    metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, (value,) in sorted(series.items()):
        metric.add_metric(labels, value)
    return metric


def _histogram(
    family: Family,
    series: dict[Labels, list[float]],
    exemplars: dict[tuple[str, Labels], dict[int, Exemplar]],
) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*map(repr, family.bounds), "+Inf"]
    for labels, values in sorted(series.items()):
        shown = exemplars.get((family.name, labels), {})
        metric.add_metric(labels, list(_buckets(bounds, values, shown)), values[-1])
    return metric


def _buckets(
    bounds: Sequence[str], values: Sequence[float], shown: dict[int, Exemplar]
) -> Iterator[tuple[str, float] | tuple[str, float, Shown]]:
    count = 0.0
    for number, bound in enumerate(bounds):
        count += values[number]
        one = shown.get(number)
        if one is None:
            yield bound, count
        else:
            yield bound, count, Shown({"trace_id": one.trace_id}, one.value, one.time)
