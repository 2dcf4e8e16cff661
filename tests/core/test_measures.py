"""A measure is the same number to Prometheus and to the house itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex.measures import Absent, Figure, Level, Match, Measure, Quantile, Rate, Share

FAILED = Match("status", ("500", "503"), other="200")
REQUESTS = "requests_total"


def counted(**by_status: float) -> dict[str, Figure]:
    return {REQUESTS: Figure(("route", "status"), {("/", name[1:]): [value] for name, value in by_status.items()})}


def observed(*counts: float) -> dict[str, Figure]:
    return {"took_seconds": Figure((), {(): [*counts, 0.0]}, (0.1, 1.0, 10.0))}


@pytest.mark.parametrize(
    ("measure", "job", "asked"),
    [
        (Level("age"), "", "max by (job) (age)"),
        (Level("age", (FAILED,)), "shop", 'max by (job) (age{job="shop",status=~"500|503"})'),
        (Rate("lost_total"), "shop", 'sum by (job) (rate(lost_total{job="shop"}[5m]))'),
        (
            Share(REQUESTS, (FAILED,), least=0.5),
            "",
            f'sum by (job) (rate({REQUESTS}{{status=~"500|503"}}[5m])) / (sum by (job) (rate({REQUESTS}[5m])) > 0.5)',
        ),
        (
            Quantile(0.95, "took_seconds", (Match("method", ("WEBSOCKET",), fits=False),)),
            "",
            'histogram_quantile(0.95, sum by (job, le) (rate(took_seconds_bucket{method!="WEBSOCKET"}[5m])))',
        ),
        (Absent("build_info"), "shop", 'absent(build_info{job="shop"})'),
    ],
)
def test_how_prometheus_is_asked(measure: Measure, job: str, asked: str) -> None:
    assert measure.promql(job, "5m") == asked


def test_a_level_is_the_greatest() -> None:
    level = Level("age")
    look = level.look({"age": Figure(("of",), {("a",): [2.0], ("b",): [3.0]})})
    assert level.value((), look, 1.0) == 3.0
    assert level.value((), level.look({}), 1.0) is None


def test_a_rate_is_of_all_that_fit() -> None:
    rate = Rate(REQUESTS, (FAILED,))
    before, now = rate.look(counted(s500=1, s503=2, s200=50)), rate.look(counted(s500=3, s503=3, s200=90))
    assert rate.value(before, now, 10.0) == pytest.approx(0.3)
    assert rate.value(now, before, 10.0) is None  # begun anew


def test_what_is_counted_for_the_first_time_has_risen_from_nothing() -> None:
    rate = Rate(REQUESTS)
    assert rate.value(rate.look({}), rate.look(counted(s200=10)), 10.0) == 1.0


def test_a_share_needs_enough_to_be_one() -> None:
    share = Share(REQUESTS, (FAILED,), least=1.0)
    before, now = share.look(counted(s500=0, s200=0)), share.look(counted(s500=10, s200=30))
    assert share.value(before, now, 10.0) == 0.25
    assert share.value(before, now, 100.0) is None


@pytest.mark.parametrize(
    ("counts", "value"), [((10, 0, 0, 0), 0.05), ((0, 10, 0, 0), 0.55), ((5, 5, 0, 0), 0.1), ((0, 0, 0, 4), 10.0)]
)
def test_a_quantile_is_guessed_of_the_buckets_as_prometheus_does(counts: tuple[float, ...], value: float) -> None:
    median = Quantile(0.5, "took_seconds")
    assert median.value((), median.look(observed(*counts)), 1.0) == pytest.approx(value)


def test_a_quantile_is_of_what_came_between_two_looks() -> None:
    median = Quantile(0.5, "took_seconds")
    before, now = median.look(observed(1000, 0, 0, 0)), median.look(observed(1000, 0, 8, 0))
    assert median.value(before, now, 1.0) == pytest.approx(5.5)
    assert median.value(now, now, 1.0) is None
    assert median.value(now, before, 1.0) is None


@given(st.floats(0.001, 50), st.integers(1, 20))
def test_the_series_of_a_measure_make_it_come_to_what_they_should(value: float, steps: int) -> None:
    phases = [(value, steps)]
    (rising,) = Rate("x_total").series(phases, 15.0, {})
    assert (rising[1][-1] - rising[1][0]) / (15.0 * steps) == pytest.approx(value)
    assert len(rising[1]) == steps + 1
    part, rest = Share(REQUESTS, (FAILED,), least=0.1).series([(min(value / 50, 1.0), steps)], 15.0, {})
    assert part[1][-1] / (part[1][-1] + rest[1][-1]) == pytest.approx(min(value / 50, 1.0))
    assert ('status="500"' in part[0], 'status="200"' in rest[0]) == (True, True)


def test_what_is_absent_is_so_only_while_it_should_be() -> None:
    assert Absent("build_info").series([(1.0, 3)], 15.0, {}) == []
    ((_, values),) = Absent("build_info").series([(0.0, 2), (1.0, 2)], 15.0, {"job": "shop"})
    assert [math.isnan(value) for value in values] == [False, False, False, True, True]
