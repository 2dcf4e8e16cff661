import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from narthex.metrics import Metrics
from narthex_plugins.metrics.families import Totals
from narthex_plugins.metrics.ledger import Ledger
from narthex_plugins.metrics.sheet import Sheet, read_sheet
from tests.plugins.metrics.test_sheet import refuse


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(lambda: Sheet(tmp_path, refuse), 3, (0.1, 1.0))
    yield made
    made.close()


@pytest.fixture
def metrics(ledger: Ledger) -> Metrics:
    made = Metrics()
    made.attach(ledger)
    return made


def series(ledger: Ledger, name: str) -> dict[tuple[str, ...], list[float]]:
    return Totals(ledger.rows()).series.get(name, {})


def test_instruments_count_set_and_observe(ledger: Ledger, metrics: Metrics) -> None:
    metrics.counter("seen_total", "Seen.", ["kind"]).inc("a", by=2)
    metrics.gauge("depth", "Depth.").set(4)
    took = metrics.histogram("took_seconds", "Took.")
    for value in (0.1, 0.5, 7.0):
        took.observe(value)
    assert series(ledger, "seen_total") == {("a",): [2.0]}
    assert series(ledger, "depth") == {(): [4.0]}
    assert series(ledger, "took_seconds") == {(): [1.0, 1.0, 1.0, 7.6]}


@pytest.mark.parametrize("by", [-1.0, float("nan")])
def test_a_counter_never_falls(ledger: Ledger, metrics: Metrics, by: float) -> None:
    with pytest.raises(ValueError, match="cannot go by"):
        metrics.counter("seen_total", "Seen.").inc(by=by)
    assert series(ledger, "seen_total") == {}


def test_what_is_no_number_does_not_spoil_a_sum(ledger: Ledger, metrics: Metrics) -> None:
    with pytest.raises(ValueError, match="cannot observe"):
        metrics.histogram("took_seconds", "Took.").observe(float("nan"))
    assert series(ledger, "took_seconds") == {}


def test_a_metric_has_no_more_series_than_it_may(
    ledger: Ledger, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    seen = metrics.counter("seen_total", "Seen.", ["user"])
    for number in range(1000):
        seen.inc(f"user {number}")
    assert len(series(ledger, "seen_total")) == 4
    assert series(ledger, "seen_total")[("other",)] == [997.0]
    assert len(caplog.records) == 1


def test_label_values_are_text_that_can_be_shown(ledger: Ledger, metrics: Metrics) -> None:
    seen = metrics.counter("seen_total", "Seen.", ["kind"])
    seen.inc("\ud800")
    seen.inc("x" * 1000)
    seen.inc(7)  # type: ignore[arg-type]  # what an app may do
    assert set(series(ledger, "seen_total")) == {("?",), ("x" * 200,), ("7",)}


def test_a_wrong_number_of_label_values_is_said(metrics: Metrics) -> None:
    with pytest.raises(ValueError, match="has the labels"):
        metrics.counter("seen_total", "Seen.", ["kind"]).inc()


def test_two_facades_that_mean_different_things_by_a_name_do_not_mix(
    ledger: Ledger, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    other = Metrics()
    other.attach(ledger)
    metrics.counter("seen_total", "Seen.", ["kind"]).inc("a")
    other.counter("seen_total", "Seen.").inc()
    assert series(ledger, "seen_total") == {("a",): [1.0]}
    assert "two metrics" in caplog.text


def test_a_forked_child_counts_on_a_sheet_of_its_own(ledger: Ledger, metrics: Metrics, tmp_path: Path) -> None:
    seen, cache = metrics.counter("seen_total", "Seen."), {"a": 1}
    ledger.caches.append(cache)
    seen.inc(by=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside the threads of other tests
        child = os.fork()
    if child == 0:
        seen.inc(by=2)
        os._exit(0 if not cache else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert series(ledger, "seen_total") == {(): [5.0]}
    counts = {file.name.partition("-")[0]: read_sheet(file, dead=True) for file in tmp_path.glob("*.names")}
    assert {pid: [list(row.values) for row in rows] for pid, rows in counts.items()} == {
        str(os.getpid()): [[5.0]],
        str(child): [[2.0]],
    }
    assert cache == {"a": 1}


def test_what_is_counted_after_the_end_does_no_harm(ledger: Ledger, metrics: Metrics, tmp_path: Path) -> None:
    seen = metrics.counter("seen_total", "Seen.", ["kind"])
    seen.inc("a")
    ledger.close()
    seen.inc("a", by=5)
    (file,) = tmp_path.glob("*.names")
    assert [list(row.values) for row in read_sheet(file, dead=True)] == [[1.0]]
