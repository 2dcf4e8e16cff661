"""Durations and sizes as people write them: "15m", "1h30m", "250ms", "1MiB", "10MB".

A plain number is seconds, or bytes. What is not plainly one of these is refused: a setting that means
something else than its reader thinks is worse than an error at boot.
"""

import re
from fractions import Fraction
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS: Final = {
    "w": Fraction(604_800),
    "d": Fraction(86_400),
    "h": Fraction(3_600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
}
_BYTES: Final = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}
_NUMBER: Final = r"[0-9]{1,19}(?:\.[0-9]{1,9})?"
_AMOUNT: Final = re.compile(rf"({_NUMBER})(ms|[a-z])", re.ASCII)
_DURATION: Final = re.compile(rf"{_NUMBER}|(?:{_NUMBER}(?:ms|[wdhms]))+", re.ASCII)
_SIZE: Final = re.compile(rf"({_NUMBER}) ?([A-Za-z]*)", re.ASCII)

LONGEST: Final = 100 * 366 * 86_400.0
"""Seconds. Past a hundred years a duration is a slip, and further on the system's timers overflow."""

LARGEST: Final = 2**63 - 1
"""Bytes: what a file offset holds."""

_DURATION_FORMS: Final = 'a duration is written as "250ms", "30s", "15m", "1h30m", "2d", or a number of seconds'
_SIZE_FORMS: Final = 'a size is written as "512KiB", "1MiB", "10MB", or a whole number of bytes'


def parse_duration(value: object) -> float:
    """Seconds in a duration such as "1h30m", or in a plain number.

    Args:
        value: text with units w, d, h, m, s, ms, from large to small, each at most once; or a number of
            seconds, 0 or more. Not a bool, not NaN, not more than a hundred years.

    Raises:
        ValueError: anything else, with a message for the person who wrote it.
    """
    if isinstance(value, str):
        seconds = _seconds(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    else:
        raise ValueError(_DURATION_FORMS)  # noqa: TRY004  pydantic takes a ValueError for the person's mistake
    if not 0 <= seconds <= LONGEST:  # not so for NaN either
        raise ValueError("a duration is 0 or more, and at most a hundred years")
    return float(seconds)


def _seconds(text: str) -> float:
    if not _DURATION.fullmatch(text):
        raise ValueError(_DURATION_FORMS)
    amounts = _AMOUNT.findall(text)
    units = [unit for _, unit in amounts]
    if units != [unit for unit in _SECONDS if unit in units]:
        raise ValueError(f"units go from large to small, each once, as in 1h30m; {_DURATION_FORMS}")
    if not amounts:
        return float(text)
    return float(sum(Fraction(number) * _SECONDS[unit] for number, unit in amounts))


def parse_size(value: object) -> int:
    """Bytes in a size such as "1MiB", or in a plain number.

    Args:
        value: text with one of B, kB, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024),
            or a whole number of bytes, 0 or more. Not a bool.

    Raises:
        ValueError: anything else, with a message for the person who wrote it.
    """
    if isinstance(value, str):
        size = _bytes(value.strip())
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        raise ValueError(_SIZE_FORMS)  # noqa: TRY004  pydantic takes a ValueError for the person's mistake
    if not 0 <= size <= LARGEST:
        raise ValueError(f"a size is between 0 and {LARGEST} bytes")
    return size


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(_SIZE_FORMS)
    number, unit = match.groups()
    factor = _BYTES.get(unit or "B")
    if factor is None:
        raise ValueError(f'"{unit}" is no unit of size: KiB, MiB, GiB, TiB (1024) and kB, MB, GB, TB (1000) are')
    size = Fraction(number) * factor
    if size.denominator != 1:
        raise ValueError("a size is a whole number of bytes")
    return int(size)


def duration_text(seconds: float) -> str:
    """The text that `parse_duration` reads as these seconds, rounded to the millisecond."""
    rest = round(seconds * 1000)
    parts: list[str] = []
    for unit, length in _SECONDS.items():
        count, rest = divmod(rest, int(length * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def size_text(size: int) -> str:
    """The text that `parse_size` reads as these bytes."""
    for unit, factor in sorted(_BYTES.items(), key=lambda pair: -pair[1]):
        if unit != "KB" and size and size % factor == 0:
            return f"{size // factor}{unit}"
    return "0B"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|[wdhms]))+$|^[0-9]+(\.[0-9]+)?$"},
                {"type": "number", "minimum": 0},
            ],
            "examples": ["250ms", "30s", "15m", "1h30m", "2d"],
            "x-narthex-type": "duration",
        }
    ),
]
"""Seconds as a float; in a file "250ms", "15m", "1h30m", "2d", or a number of seconds."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([kKMGT]?B|[KMGT]iB)?$"},
                {"type": "integer", "minimum": 0},
            ],
            "examples": ["512KiB", "1MiB", "10MB"],
            "x-narthex-type": "size",
        }
    ),
]
"""Bytes as an int; in a file "512KiB", "1MiB", "10MB", or a whole number of bytes."""
