"""A rule fires when it should, once, and ends when it should, whatever the figures do in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex.alerting import AlertRule
from narthex.measures import Figure, Level, Rate
from narthex_plugins.alerts.watching import Change, Watch

RULE = AlertRule(
    name="Deep", measure=Level("depth"), above=10, lasting=60, severity="page", summary="Deep.", runbook="deep", keep=30
)


def at(depth: float | None) -> dict[str, Figure]:
    return {} if depth is None else {"depth": Figure((), {(): [depth]})}


def told(*depths: float | None, rule: AlertRule = RULE, every: float = 15.0) -> list[tuple[float, Change]]:
    watch = Watch(rule)
    changes = [(number * every, watch.judge(number * every, at(depth))) for number, depth in enumerate(depths)]
    return [(time, change) for time, change in changes if change is not None]


def test_it_fires_once_when_it_has_lasted() -> None:
    assert told(*[11.0] * 20) == [(75.0, Change.FIRED)]


@pytest.mark.parametrize("depth", [10.0, None, float("nan")])
def test_at_the_threshold_or_where_nobody_can_say_it_is_silent(depth: float | None) -> None:
    assert told(*[depth] * 20) == []


def test_what_does_not_last_is_forgotten() -> None:
    assert told(*[11.0, 11.0, 11.0, 9.0] * 5) == []


def test_it_ends_when_it_has_been_clearly_better_for_long_enough() -> None:
    assert told(*[11.0] * 8, *[7.0] * 5) == [(75.0, Change.FIRED), (150.0, Change.RESOLVED)]


def test_a_little_better_is_no_end() -> None:
    assert told(*[11.0] * 8, *[9.0] * 40) == [(75.0, Change.FIRED)]


def test_round_the_threshold_it_neither_ends_nor_fires_again() -> None:
    assert told(*[11.0] * 8, *[9.0, 11.0] * 20) == [(75.0, Change.FIRED)]


def test_one_bad_look_begins_the_wait_for_its_end_anew() -> None:
    assert told(*[11.0] * 8, 7.0, 7.0, 11.0, 7.0, 7.0, 7.0)[1:] == [(195.0, Change.RESOLVED)]


def test_figures_that_are_gone_end_it() -> None:
    assert told(*[11.0] * 8, *[None] * 4)[1:] == [(150.0, Change.RESOLVED)]


def test_a_rate_is_taken_over_the_window_and_not_since_the_beginning() -> None:
    rule = AlertRule(
        name="Lost", measure=Rate("lost_total"), above=1, lasting=0, severity="page", summary="Lost.", runbook="lost"
    )
    watch = Watch(rule)
    totals = [0.0] * 100 + [float(number * 60) for number in range(1, 30)]
    fired = [
        number * 15
        for number, total in enumerate(totals)
        if watch.judge(number * 15, {"lost_total": Figure((), {(): [total]})}) is Change.FIRED
    ]
    # 4 a second from 1500 s on: above 1 over five minutes as soon as more than 300 have come.
    assert fired == [1575]


@given(st.lists(st.sampled_from([None, 5.0, 9.0, 11.0, 20.0]), max_size=200))
def test_it_never_fires_twice_without_an_end_between(depths: list[float | None]) -> None:
    changes = [change for _, change in told(*depths)]
    assert changes == [Change.FIRED, Change.RESOLVED] * (len(changes) // 2) + [Change.FIRED] * (len(changes) % 2)
