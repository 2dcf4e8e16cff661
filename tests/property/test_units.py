from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narthex.config.units import LARGEST, LONGEST, duration_text, parse_duration, parse_size, size_text

junk = st.one_of(
    st.text(),
    st.text("0123456789.hmsdwkKMGiB +-eE_", max_size=12),
    st.booleans(),
    st.none(),
    st.integers(),
    st.floats(),
    st.binary(),
    st.lists(st.integers()),
)


@settings(deadline=None)
@given(st.integers(0, int(LONGEST) * 1000))
def test_a_duration_survives_being_written_and_read(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(duration_text(seconds)) == seconds


@settings(deadline=None)
@given(st.integers(0, LARGEST))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert parse_size(size_text(size)) == size


@settings(deadline=None)
@given(junk)
def test_junk_is_no_duration_and_nothing_worse(value: object) -> None:
    with suppress(ValueError):
        assert 0 <= parse_duration(value) <= LONGEST


@settings(deadline=None)
@given(junk)
def test_junk_is_no_size_and_nothing_worse(value: object) -> None:
    with suppress(ValueError):
        assert 0 <= parse_size(value) <= LARGEST


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={unit: st.integers(0, 99) for unit in ("d", "h", "m", "s", "ms")}))
def test_units_add_up(amounts: dict[str, int]) -> None:
    length: dict[str, Fraction | int] = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": Fraction(1, 1000)}
    ordered = [unit for unit in length if unit in amounts]
    text = "".join(f"{amounts[unit]}{unit}" for unit in ordered) or "0"
    assert parse_duration(text) == float(sum(amounts[unit] * length[unit] for unit in ordered))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("15m", 900), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("30", 30), (" 1s ", 1), (7, 7)],
)
def test_durations_as_people_write_them(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("1MiB", 1048576), ("10MB", 10_000_000), ("512KiB", 524288), ("1.5KiB", 1536), ("1 kB", 1000), ("7", 7), (7, 7)],
)
def test_sizes_as_people_write_them(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "value",
    [
        True,
        -1,
        -0.5,
        float("nan"),
        float("inf"),
        "",
        " ",
        "s",
        "1x",
        "1m1h",
        "1s1s",
        "1 m",
        "-1s",
        "1e3",
        "\u0661s",
        10**400,
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize("value", [True, -1, 1.0, "", "1M", "1mb", "0.3B", "MiB", "1 MiB MiB", 2**63, float("nan")])
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(value)
