import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex_plugins.metrics.families import Exemplar, Family, Row, Totals, rebucketed

SEEN = Family("seen_total", "counter", "Seen.", ("kind",))
TOOK = Family("took_seconds", "histogram", "Took.", (), (0.1, 1.0))


def test_counters_of_two_processes_add_up_by_series() -> None:
    totals = Totals([Row(SEEN, ("a",), [1.0]), Row(SEEN, ("a",), [2.0]), Row(SEEN, ("b",), [4.0])])
    assert totals.series["seen_total"] == {("a",): [3.0], ("b",): [4.0]}


@pytest.mark.parametrize(("over", "comes_to"), [("sum", 5.0), ("max", 3.0)])
def test_gauges_add_up_unless_they_are_ages(over: str, comes_to: float) -> None:
    family = Family("age", "gauge", "Age.", (), (), over)  # type: ignore[arg-type]
    assert Totals([Row(family, (), [2.0]), Row(family, (), [3.0])]).series["age"][()] == [comes_to]


def test_a_family_that_another_release_knows_differently_is_left_out() -> None:
    other = Family("seen_total", "counter", "Seen.", ("sort",))
    assert Totals([Row(SEEN, ("a",), [1.0]), Row(other, ("a",), [2.0])]).series["seen_total"] == {("a",): [1.0]}


def test_counts_in_other_buckets_move_to_where_they_surely_belong() -> None:
    wider = Family("took_seconds", "histogram", "Took.", (), (0.5, 2.0))
    totals = Totals([Row(TOOK, (), [1.0, 2.0, 3.0, 9.0]), Row(wider, (), [10.0, 20.0, 30.0, 40.0])])
    assert totals.series["took_seconds"][()] == [1.0, 12.0, 53.0, 49.0]


@given(
    st.lists(st.floats(0.001, 100), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(st.floats(0.001, 100), min_size=1, max_size=8, unique=True).map(sorted),
    st.data(),
)
def test_no_count_is_lost_between_buckets(old: list[float], new: list[float], data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 1000).map(float), min_size=len(old) + 1, max_size=len(old) + 1))
    moved = rebucketed([*counts, 7.5], old, new)
    assert len(moved) == len(new) + 2
    assert (sum(moved[:-1]), moved[-1]) == (sum(counts), 7.5)
    for bound in set(old) & set(new):  # what is said of a bound that both have is still true
        assert sum(moved[: new.index(bound) + 1]) == sum(counts[: old.index(bound) + 1])


def test_of_two_exemplars_of_a_bucket_the_later_one_is_shown() -> None:
    early, late = Exemplar(0.2, 10.0, "a" * 32), Exemplar(0.3, 11.0, "b" * 32)
    rows = [Row(TOOK, (), [0.0, 1.0, 0.0, 0.2], {1: one}) for one in (late, early)]
    assert Totals(rows).exemplars["took_seconds", ()] == {1: late}


def test_a_family_is_read_as_it_was_written() -> None:
    assert Family.read(TOOK.document()) == TOOK
