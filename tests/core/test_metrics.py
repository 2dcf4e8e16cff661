import logging

import pytest

from narthex.metrics import Metrics
from narthex.testing import Counted


def test_nothing_happens_while_nobody_listens() -> None:
    metrics, counted = Metrics(), Counted()
    seen = metrics.counter("seen_total", "Seen.")
    seen.inc()
    metrics.attach(counted)
    seen.inc()
    metrics.detach(counted)
    seen.inc()
    assert counted["seen_total"] == 1


def test_two_sinks_at_two_places_both_get_each_value_once() -> None:
    metrics, one, other = Metrics(), Counted(), Counted()
    seen = metrics.counter("seen_total", "Seen.")
    metrics.attach(one, "one")
    metrics.attach(other, "other")
    seen.inc()
    metrics.counter("later_total", "Later.").inc()
    assert [one["seen_total"], other["seen_total"], one["later_total"], other["later_total"]] == [1, 1, 1, 1]


def test_of_two_sinks_at_one_place_the_later_one_counts_until_it_leaves() -> None:
    metrics, old, new = Metrics(), Counted(), Counted()
    seen = metrics.counter("seen_total", "Seen.")
    metrics.attach(old, "metrics")
    metrics.attach(new, "metrics")  # as while it is reloaded
    seen.inc()
    metrics.detach(new)  # which was abandoned
    seen.inc()
    assert [old["seen_total"], new["seen_total"]] == [1, 1]


def test_the_sharpest_sample_that_is_asked_for_is_taken() -> None:
    metrics, one, other = Metrics(), Counted(), Counted()
    metrics.attach(one, "one", sample=100)
    metrics.attach(other, "other", sample=10)
    assert metrics.sample == 10
    metrics.detach(other)
    metrics.detach(one)
    assert metrics.sample == 0


def test_what_is_watched_is_read_when_it_is_asked_for() -> None:
    metrics, counted, queue = Metrics(), Counted(), [1, 2]
    end = metrics.gauge("queue_length", "Queue.", ["queue"]).watch(lambda: len(queue), "a")
    metrics.attach(counted)
    metrics.poll()
    queue.append(3)
    assert counted["queue_length", "a"] == 2
    end()
    metrics.poll()
    assert counted["queue_length", "a"] == 2


def test_of_a_counter_that_is_watched_what_it_has_risen_by_is_added() -> None:
    metrics, old, new = Metrics(), Counted(), Counted()
    lost = [0.0]
    metrics.counter("lost_total", "Lost.").watch(lambda: lost[0])
    metrics.attach(old, "metrics")
    for total in (3.0, 5.0, 1.0):  # the last one after its owner has begun anew
        lost[0] = total
        metrics.poll()
    metrics.attach(new, "metrics")
    lost[0] = 2.0
    metrics.poll()
    assert [old["lost_total"], new["lost_total"]] == [6, 1]


def test_an_end_that_comes_late_ends_nobody_elses_watch() -> None:
    metrics, counted = Metrics(), Counted()
    gauge = metrics.gauge("queue_length", "Queue.")
    end = gauge.watch(lambda: 1.0)
    gauge.watch(lambda: 2.0)  # of the instance that a reload has made
    end()
    metrics.attach(counted)
    metrics.poll()
    assert counted["queue_length"] == 2


def test_what_cannot_be_read_is_logged_once_and_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    metrics, counted = Metrics(), Counted()
    gauge = metrics.gauge("queue_length", "Queue.", ["queue"])
    gauge.watch(lambda: 1 / 0, "broken")
    gauge.watch(lambda: 7.0, "whole")
    metrics.attach(counted)
    metrics.poll()
    metrics.poll()
    assert counted["queue_length", "whole"] == 7
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(("kind", "name"), [("counter", "seen"), ("gauge", "depth_total"), ("histogram", "took_total")])
def test_only_the_names_of_counters_end_in_total(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match="_total"):
        getattr(Metrics(), kind)(name, "Wrong.")


def test_two_names_that_openmetrics_takes_for_one_are_refused() -> None:
    metrics = Metrics()
    metrics.counter("seen_total", "Seen.")
    with pytest.raises(ValueError, match="OpenMetrics"):
        metrics.gauge("seen", "Seen.")


def test_a_name_is_one_instrument_and_means_one_thing() -> None:
    metrics = Metrics()
    assert metrics.counter("seen_total", "Seen.") is metrics.counter("seen_total", "Seen again.")
    with pytest.raises(ValueError, match="already"):
        metrics.counter("seen_total", "Seen.", ["kind"])
