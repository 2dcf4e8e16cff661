"""Recall and false alarms, on samples made at run time."""

import pytest

from tests.contrib.secretscan import corpus_a, corpus_b
from tests.contrib.secretscan.counting import found

HALVES = [corpus_a, corpus_b]


@pytest.mark.parametrize("half", HALVES, ids=["looked-at", "held-out"])
def test_nine_of_ten_are_found(half: object) -> None:
    samples = list(half.true())  # type: ignore[attr-defined]
    assert len(samples) == 400
    assert sum(found(samples)) >= 0.9 * len(samples)


@pytest.mark.parametrize("half", HALVES, ids=["looked-at", "held-out"])
def test_one_of_twenty_at_most_is_a_false_alarm(half: object) -> None:
    samples = list(half.deceptive())  # type: ignore[attr-defined]
    assert len(samples) == 400
    assert sum(found(samples)) <= 0.05 * len(samples)
