"""Which of two path patterns is the narrower one.

A pattern covers another where every path that the other matches is matched by it too. It is found out by matching the
other pattern as if it were a path, whose `*` and `**` are characters that only a wildcard takes. What that calls
covered is covered. Of a few pairs that are spelled differently and mean the same (`/*/**`, `/**/*`) it does not see it,
and says that neither covers the other; that errs on the safe side, for both rules then hold.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from narthex.paths import Pattern


@lru_cache(maxsize=4096)
def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Whether every path that `narrow` matches is matched by `wide` too; False where that cannot be seen.

    Cost: at most (segments of one) times (segments of the other) comparisons, the first time.
    """
    return _matches(_segments(wide), _segments(narrow), _takes_any, _segment_covers, at_least=0)


def _segments(pattern: Pattern) -> Sequence[str]:
    return pattern.bare[1:].split("/") if pattern.bare else ()


def _takes_any(segment: str) -> bool:
    return segment == "**"


def _segment_covers(wide: str, narrow: str) -> bool:
    """The same for one segment, where `*` stands for one or more characters."""
    if narrow == "**":
        return False
    return _matches(wide, narrow, _is_star, _same, at_least=1)


def _is_star(character: str) -> bool:
    return character == "*"


def _same(wide: str, narrow: str) -> bool:
    return wide == narrow


def _matches(
    wide: Sequence[str],
    narrow: Sequence[str],
    wild: Callable[[str], bool],
    fits: Callable[[str, str], bool],
    *,
    at_least: int,
) -> bool:
    """Match symbol by symbol, from the end; a wild one takes `at_least` symbols of `narrow`, or more."""
    end = len(narrow)
    rest = [False] * end + [True]
    for symbol in reversed(wide):
        here = [False] * (end + 1)
        for at in range(end, -1, -1):
            if wild(symbol):
                more = at < end and here[at + 1]
                here[at] = more or (at + at_least <= end and rest[at + at_least])
            else:
                here[at] = at < end and rest[at + 1] and fits(symbol, narrow[at])
        rest = here
    return rest[0]
