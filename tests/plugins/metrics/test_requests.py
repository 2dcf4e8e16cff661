"""Labels stay few, whatever callers make up."""

import pytest

from narthex import Deny
from narthex.exchange import Exchange
from narthex.metrics import Metrics
from narthex.paths import PathSet
from narthex.plan import Plan
from narthex.testing import an_exchange
from narthex_plugins.metrics.families import Totals
from narthex_plugins.metrics.ledger import Ledger
from narthex_plugins.metrics.requests import DURATIONS, Requests
from narthex_plugins.metrics.sheet import Sheet
from tests.plugins.metrics.test_sheet import refuse
from tests.slow import sampled


class Bench:
    """Requests, kept in memory."""

    def __init__(self, *patterns: str, series: int = 100) -> None:
        self.ledger = Ledger(lambda: Sheet(None, refuse), series, ())
        metrics = Metrics()
        metrics.attach(self.ledger)
        exceptions = metrics.counter("exceptions_total", "Exceptions.", ("method", "route", "exception"))
        self.now = 1000.0
        self.requests = Requests(self.ledger, (0.1, 1.0), PathSet(patterns), exceptions, lambda: self.now)

    def count(
        self, method: str = "GET", path: str = "/", status: int | None = 200, seconds: float = 0.5, **more: object
    ) -> None:
        exchange = an_exchange(method, path)
        for name, value in {"status": status, "ended": exchange.started + seconds, **more}.items():
            setattr(exchange, name, value)
        self.requests.count(exchange)

    def series(self, name: str = DURATIONS.name) -> dict[tuple[str, ...], list[float]]:
        return Totals(self.ledger.rows()).series.get(name, {})


def test_a_request_is_counted_by_method_route_and_status() -> None:
    bench = Bench()
    bench.count("POST", "/orders", 201, 0.5, route="/orders", bytes_in=10, bytes_out=20)
    labels = ("POST", "/orders", "201")
    assert bench.series() == {labels: [0.0, 1.0, 0.0, 0.5]}
    assert bench.series("narthex_http_request_bytes_total") == {labels: [10.0]}
    assert bench.series("narthex_http_response_bytes_total") == {labels: [20.0]}


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.1, 0), (0.1000001, 1), (1.0, 1), (1.1, 2)])
def test_a_bound_belongs_to_its_bucket(seconds: float, bucket: int) -> None:
    bench = Bench()
    exchange = an_exchange()
    exchange.started, exchange.ended, exchange.status = 0.0, seconds, 200
    bench.requests.count(exchange)
    assert bench.series()["GET", "unmatched", "200"][bucket] == 1.0


@pytest.mark.parametrize("count", sampled([5_000, 100_000], lambda count: count == 5_000))
def test_random_paths_add_no_series(count: int) -> None:
    bench = Bench("/files/**")
    for number in range(count):
        bench.count(path=f"/{number}")
        bench.count(path=f"/files/{number}")
    assert {labels: sum(values[:-1]) for labels, values in bench.series().items()} == {
        ("GET", "unmatched", "200"): count,
        ("GET", "/files/**", "200"): count,
    }
    assert len(bench.requests._known) == 2


def test_methods_and_statuses_that_callers_or_apps_make_up_add_no_series_and_fill_no_memory() -> None:
    bench = Bench()
    for number in range(2000):
        bench.count(f"M{number}")
        bench.count(status=number)
    assert len(bench.series()) == 1 + 500 + 1
    assert sum(bench.series()["other", "unmatched", "200"][:-1]) == 2000
    assert sum(bench.series()["GET", "unmatched", "other"][:-1]) == 1500
    assert not any(method.startswith("M") for method, _, _ in bench.requests._known)


def test_more_routes_than_series_are_counted_as_other() -> None:
    bench = Bench(series=3)
    for number in range(10):
        bench.count(route=f"/{number}")
    assert {route: sum(values[:-1]) for (_, route, _), values in bench.series().items()} == {
        "/0": 1,
        "/1": 1,
        "/2": 1,
        "other": 7,
    }


def test_who_left_before_an_answer_is_counted_without_status() -> None:
    bench = Bench()
    bench.count(status=None)
    assert list(bench.series()) == [("GET", "unmatched", "none")]


@pytest.mark.parametrize(
    ("what", "counted"),
    [
        ({}, False),
        ({"status": 404}, False),
        ({"status": 503}, True),
        ({"verdict": Deny(401, "authentication_required"), "status": 401}, True),
        ({"error": ValueError()}, True),
    ],
)
def test_a_quiet_path_counts_only_what_is_never_quiet(what: dict[str, object], counted: bool) -> None:
    bench = Bench()
    bench.count(plan=Plan(quiet=True), **what)  # type: ignore[arg-type]
    assert bool(bench.series()) is counted


def test_an_exception_is_counted_by_its_type() -> None:
    bench = Bench()
    bench.count("BREW", route="/pot", error=KeyError("x"))
    assert bench.series("exceptions_total") == {("other", "/pot", "KeyError"): [1.0]}


def test_the_trace_of_a_request_becomes_an_exemplar_at_most_once_a_second_and_bucket() -> None:
    bench = Bench()
    for number, (now, seconds) in enumerate([(1000.0, 0.5), (1000.5, 0.6), (1001.0, 0.7), (1001.2, 5.0)]):
        bench.now = now
        bench.count(seconds=seconds, trace_id=f"{number:032x}")
    (row,) = (row for row in bench.ledger.rows() if row.family.name == DURATIONS.name)
    assert {bucket: (one.time, int(one.trace_id, 16)) for bucket, one in row.exemplars.items()} == {
        1: (1001.0, 2),
        2: (1001.2, 3),
    }


@pytest.mark.parametrize("trace_id", ["", "abc", "é" * 32])
def test_a_trace_id_that_is_none_is_left_out(trace_id: str) -> None:
    bench = Bench()
    bench.count(trace_id=trace_id)
    assert [row.exemplars for row in bench.ledger.rows() if row.family.name == DURATIONS.name] == [{}]
    assert sum(bench.series()["GET", "unmatched", "200"][:-1]) == 1


def test_an_exchange_is_left_as_it_was() -> None:
    exchange: Exchange = an_exchange()
    exchange.status, exchange.ended = 200, exchange.started
    Bench().requests.count(exchange)
    assert exchange._state is None
