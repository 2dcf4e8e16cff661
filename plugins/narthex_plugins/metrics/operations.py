"""What an app counts and times itself: `counter` and `timer`, made once, where a module is imported.

They may be made and used whether the plugin is on or not, before there is a house and after it; without the plugin
nothing happens.
"""

import inspect
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from time import perf_counter
from typing import Any, Final, TypeVar, cast

from narthex.metrics import Instrument, Metrics

OPERATIONS: Final = Metrics()
"""The app's instruments. Every instance of the plugin is attached to it while it runs."""
OUTCOMES: Final = ("ok", "error", "cancelled")

F = TypeVar("F", bound=Callable[..., Any])
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TAKEN: Final = frozenset({"le", "outcome", "quantile"})


class Counter:
    """Counts something that happens."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """Count one more, or `by` more. Safe from any thread. Cost: 0.3 µs, without the plugin 0.1.

        Args:
            labels: a value for each label, in their order. Keep them few: no ids, no names of people.
            by: not negative.

        Raises:
            ValueError: not as many values as there are labels, or `by` is negative.
        """
        if len(labels) != len(self._instrument.labels):
            raise ValueError(f"{self._instrument.name} has the labels {self._instrument.labels}, not {len(labels)}")
        self._instrument.record(by, labels)


class Timer:
    """Times an operation, and counts how it ended: `outcome` is "ok", "error", or "cancelled" (and the like)."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument

    @contextmanager
    def time(self, *labels: str) -> Generator[None]:
        """Time a block: `with payments.time("visa"): ...`. An exception goes on, and is counted as an error.

        Raises:
            ValueError: not as many values as there are labels besides `outcome`.
        """
        self._check(labels)
        began = perf_counter()
        outcome = "ok"
        try:
            yield
        except BaseException as error:
            outcome = "error" if isinstance(error, Exception) else "cancelled"
            raise
        finally:
            self._instrument.record(perf_counter() - began, (*labels, outcome))

    def timed(self, *labels: str) -> Callable[[F], F]:
        """Time every call of a function, plain or `async`: `@payments.timed("visa")`.

        Raises:
            ValueError: as `time`; TypeError for a generator, whose body runs later than the call.
        """
        self._check(labels)

        def decorate(function: F) -> F:
            if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
                raise TypeError(f"{function.__qualname__} is a generator: time the block that uses it")

            @wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                with self.time(*labels):
                    return function(*args, **kwargs)

            @wraps(function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                with self.time(*labels):
                    return await function(*args, **kwargs)

            return cast("F", call_async if inspect.iscoroutinefunction(function) else call)

        return decorate

    def _check(self, labels: tuple[str, ...]) -> None:
        wanted = self._instrument.labels[:-1]
        if len(labels) != len(wanted):
            raise ValueError(f"{self._instrument.name} has the labels {wanted}, not {len(labels)}")


def counter(name: str, help: str, labels: Sequence[str] = ()) -> Counter:  # noqa: A002  Prometheus' word
    """Make a counter, or give the one of that name.

    Args:
        name: as Prometheus shows it; ends in `_total`, and does not begin with `narthex_`.
        help: one sentence.
        labels: what tells its series apart; a metric has at most `series` of them, more are counted as "other".

    Raises:
        ValueError: a name that cannot be, or that is something else already.
    """
    _check_name(name, "_total", labels)
    return Counter(OPERATIONS.counter(name, help, labels))


def timer(
    name: str,
    help: str,  # noqa: A002
    labels: Sequence[str] = (),
    buckets: Sequence[float] = (),
) -> Timer:
    """Make a timer, or give the one of that name: a histogram of seconds, with the label `outcome` after your own.

    Args:
        name: as Prometheus shows it; ends in `_seconds`, and does not begin with `narthex_`.
        help: one sentence.
        labels: as for `counter`.
        buckets: upper bounds in seconds, rising; unless given, those of the plugin.

    Raises:
        ValueError: as `counter`; or the bounds do not rise.
    """
    _check_name(name, "_seconds", labels)
    if any(high <= low for low, high in pairwise(buckets)):
        raise ValueError(f"{name}: buckets have to rise")
    return Timer(OPERATIONS.histogram(name, help, (*labels, "outcome"), buckets))


def _check_name(name: str, ending: str, labels: Sequence[str]) -> None:
    if not _NAME.fullmatch(name) or not name.endswith(ending) or name.startswith("narthex_"):
        raise ValueError(f"{name!r}: letters, digits and _, {ending} at its end, and not narthex_ before it")
    for label in labels:
        if not _NAME.fullmatch(label) or label.startswith("__") or label in _TAKEN:
            raise ValueError(f"{name}: {label!r} cannot be a label")
    if len(set(labels)) < len(labels):
        raise ValueError(f"{name}: two labels have one name")
