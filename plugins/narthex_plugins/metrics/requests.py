"""What each request adds: one look-up, and a handful of additions."""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from narthex import Exchange
from narthex.metrics import Instrument
from narthex.paths import PathSet
from narthex.verdict import Deny
from narthex_plugins.metrics.families import Exemplar, Family, Labels
from narthex_plugins.metrics.ledger import OTHER, Ledger
from narthex_plugins.metrics.sheet import EXAMPLE_WORDS, Cells, Chunk, write_example

UNMATCHED: Final = "unmatched"
METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY", "WEBSOCKET"}
)
"""Those of RFC 9110 and RFC 5789, QUERY, and websockets; all else is OTHER, since callers may make any up."""
LABELS: Final = ("method", "route", "status")
REQUESTS: Final = Family("narthex_http_requests_total", "counter", "Requests that have ended.", LABELS)
DURATIONS: Final = Family(
    "narthex_http_request_duration_seconds",
    "histogram",
    "How long requests took, until the last byte of the answer was handed to the server.",
    LABELS,
)
BYTES_IN: Final = Family("narthex_http_request_bytes_total", "counter", "Bytes of request bodies.", LABELS)
BYTES_OUT: Final = Family("narthex_http_response_bytes_total", "counter", "Bytes of response bodies.", LABELS)
_TRACE: Final = re.compile(r"[0-9a-f]{32}")  # W3C Trace Context §3.2.2.3
_APART: Final = 1.0  # seconds for which the exemplar of a bucket stands

Place = tuple[Cells, int]
Key = tuple[str, str, int | None]


class Requests:
    """Counts exchanges by method, route and status.

    The numbers of a series lie in one piece: its histogram, and after it the bytes that came and went. How many there
    were is what the buckets come to.

    Args:
        ledger: where they are kept.
        bounds: of the histogram, seconds.
        patterns: stand for the route where the app's framework names none.
        exceptions: counts what left the app, by method, route and type.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        ledger: Ledger,
        bounds: Sequence[float],
        patterns: PathSet,
        exceptions: Instrument,
        now: Callable[[], float],
    ) -> None:
        self._bounds = tuple(bounds)
        self._sum = len(self._bounds) + 1
        self._patterns = patterns
        self._exceptions = exceptions
        self._now = now
        self._ledger = ledger
        self._durations = ledger.table(replace(DURATIONS, bounds=self._bounds))
        self._bytes_in, self._bytes_out = ledger.table(BYTES_IN), ledger.table(BYTES_OUT)
        self._known: dict[Key, Place] = {}
        self._examples: dict[Key, tuple[Chunk, int]] = {}
        ledger.caches += (self._known, self._examples)

    def count(self, exchange: Exchange) -> None:
        """Add one that has ended. Cost: about 1 µs beside the look for the route and the trace."""
        status, error = exchange.status, exchange.error
        if exchange.plan.quiet and not (
            error is not None or isinstance(exchange.verdict, Deny) or (status is not None and status >= 500)
        ):
            return
        method, route = exchange.method, exchange.route or self._pattern(exchange)
        key = method, route, status
        cells, at = self._known.get(key) or self._place(key)
        seconds = (exchange.ended or exchange.started) - exchange.started
        bucket = bisect_left(self._bounds, seconds)
        cells[at + bucket] += 1.0
        end = at + self._sum
        cells[end] += seconds
        if exchange.bytes_in:
            cells[end + 1] += exchange.bytes_in
        if exchange.bytes_out:
            cells[end + 2] += exchange.bytes_out
        if exchange.trace_id is not None:
            self._exemplify(key, bucket, seconds, exchange.trace_id)
        if error is not None:
            self._exceptions.inc(_method(method), route, type(error).__name__)

    def _pattern(self, exchange: Exchange) -> str:
        """The first pattern that matches; the path itself would be a series for each that somebody makes up."""
        found = self._patterns.matches(exchange.route_path) if self._patterns else None
        return UNMATCHED if found is None else found.text

    def _place(self, key: Key) -> Place:
        method, route, status = _labels(key)
        series = self._durations.series
        with self._ledger.lock:
            if (method, route, status) not in series and len(series) >= self._ledger.most:
                route = OTHER  # methods and statuses are few
            known = series.get((method, route, status)) or self._take((method, route, status))
        if (method, route) == key[:2]:  # else callers could fill the memory with methods that they make up
            self._known[key] = known
        return known

    def _take(self, labels: Labels) -> Place:
        width = self._durations.family.width
        chunk, at, place = self._ledger.sheet.take(width + 2)
        for table, offset in ((self._bytes_in, width), (self._bytes_out, width + 1), (self._durations, 0)):
            table.place(labels, chunk, at + offset, place if place < 0 else place + offset)
        return chunk.cells, at

    def _exemplify(self, key: Key, bucket: int, seconds: float, trace_id: str) -> None:
        """Remember the trace, unless the bucket has had one within the last second."""
        known = self._examples.get(key)
        if known is None:
            if key not in self._known:
                return
            known = self._examples[key] = self._durations.new_examples(_labels(key))
        chunk, at = known
        at += bucket * EXAMPLE_WORDS
        now = self._now()
        if now - chunk.cells[at + 2] >= _APART and _TRACE.fullmatch(trace_id):
            write_example(chunk, at, Exemplar(seconds, now, trace_id))


def _method(method: str) -> str:
    return method if method in METHODS else OTHER


def _labels(key: Key) -> Labels:
    method, route, status = key
    fits = status is not None and 100 <= status <= 599
    return _method(method), route, str(status) if fits else "none" if status is None else OTHER
