"""Records: canonical whatever they hold, mended where a stranger wrote, refused where the app could do better."""

import json
import math
import re
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from narthex_plugins.audit.record import DEPTH, DETAILS, LIMITS, NAMES, SAFE, RecordError, canonical, make, new_id

TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)
SOUND = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | SOUND,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SOUND, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(SOUND, VALUES, max_size=6))
def test_canonical_json_is_what_the_library_makes_of_it(value: dict[str, Any]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=4))
def test_a_record_of_whatever_text_can_be_written_and_read(
    actor: str, resource: str, reason: str, details: dict[str, str]
) -> None:
    made = make(1e9, "http.GET", "success", actor=actor, resource=resource, reason=reason, details=details)
    raw = made.canonical()
    assert raw == rfc8785.dumps(json.loads(raw))
    assert "\\u0000" not in raw.decode()
    assert set(json.loads(raw)) == set(NAMES)
    assert raw.decode().isprintable() or raw  # it is UTF-8


def test_what_no_store_takes_is_replaced() -> None:
    made = make(0, "a", "b", actor="x\x00y\ud800z", details={"k\x00": ["\udfff", {"\x00": "\x00"}]})
    assert made.actor == "x�y�z"
    assert made.details == {"k�": ["�", {"�": "�"}]}


@pytest.mark.parametrize("name", [one for one in LIMITS if one not in ("id", "time")])
def test_what_is_too_long_is_cut_and_says_so(name: str) -> None:
    limit = LIMITS[name]
    given: dict[str, Any] = {"action": "a", "outcome": "b"}
    assert getattr(make(0, **given | {name: "x" * limit}), name) == "x" * limit
    cut = getattr(make(0, **given | {name: "x" * (limit + 1)}), name)
    assert len(cut) == limit
    assert cut.endswith(f"…[{limit + 1} characters]")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (SAFE + 1, "2^53"),
        (-SAFE - 1, "2^53"),
        (10**400, "2^53"),
        (b"raw", "bytes"),
        (object(), "object"),
        ({1: 2}, "keys"),
        ({1, 2}, "set"),
        ("x" * (DETAILS + 1), "bytes as JSON"),
    ],
)
def test_details_that_cannot_be_written_exactly_are_refused(value: object, says: str) -> None:
    with pytest.raises(RecordError, match=re.escape(says)):
        make(0, "a", "b", details={"value": value})


def test_details_are_not_deeper_than_anybody_would_read() -> None:
    deep: dict[str, Any] = {}
    for _ in range(DEPTH - 1):
        deep = {"in": deep}
    make(0, "a", "b", details=deep)
    endless: dict[str, Any] = {}
    endless["in"] = endless
    for too_deep in ({"in": deep}, endless):
        with pytest.raises(RecordError, match="levels"):
            make(0, "a", "b", details=too_deep)


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"a": math.nan}, {"a": 10**400}, {1: 1}, {"a": {1, 2}}])
def test_what_has_no_canonical_form_is_an_error_of_ours(value: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        canonical(value)


def test_keys_are_ordered_as_the_rfc_has_it() -> None:
    """RFC 8785 §3.2.3: by UTF-16, where U+1F600 comes before U+FB33."""
    assert canonical({"\ufb33": 1, "\U0001f600": 2, "ö": 3, "1": 4, "€": 5, "\r": 6}) == (
        '{"\\r":6,"1":4,"ö":3,"€":5,"\U0001f600":2,"\ufb33":1}'.encode()
    )


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_ids_sort_as_time_does_and_times_too(one: float, other: float) -> None:
    if int(one * 1000) < int(other * 1000):
        assert new_id(one) < new_id(other)
        assert make(one, "a", "b").time < make(other, "a", "b").time


def test_ids_are_uuids_and_no_two_the_same() -> None:
    ids = {new_id(1e9) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 32 and one[12] == "7" and one[16] in "89ab" for one in ids)


@pytest.mark.parametrize("now", [-1.0, 0.0, 253402300799.0])
def test_times_have_one_length(now: float) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", make(now, "a", "b").time)


@pytest.mark.parametrize("now", [math.nan, math.inf, 1e18])
def test_what_is_no_time_is_refused(now: float) -> None:
    with pytest.raises(RecordError, match="not a time"):
        make(now, "a", "b")
