"""What each plugin's hooks cost, measured on one exchange in so many.

To time every call of every hook would cost more than most hooks do. So now and then an exchange gets a plan of its own,
whose steps are timed; all others are as they would be without.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from inspect import isawaitable
from time import perf_counter
from typing import Any, Final

from narthex.hooks import STAGES
from narthex.metrics import Metrics, Record
from narthex.plan import Plan, Step

_BUCKETS: Final = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class Costs:
    """Times the hooks of one exchange in `metrics.sample`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._left = 1
        self._seconds = metrics.histogram(
            "narthex_hook_duration_seconds",
            "How long hooks took, waiting included, of a sample of the exchanges.",
            ("plugin", "hook"),
            _BUCKETS,
        )

    def due(self) -> bool:
        """Whether this exchange is the one. Cost: 40 ns."""
        self._left -= 1
        if self._left > 0:
            return False
        # Not every hundredth: traffic may have a beat of its own.
        self._left = random.randint(1, 2 * max(self._metrics.sample, 1) - 1)  # noqa: S311  nothing hangs on it
        return True

    def timed(self, plan: Plan) -> Plan:
        """The same plan, with steps that are timed. Cost: about 1 µs a step."""
        record = self._seconds.record
        stages: dict[str, Any] = {
            stage: tuple(_timed(step, record) for step in steps) for stage in STAGES if (steps := getattr(plan, stage))
        }
        return replace(plan, **stages)


def _timed(step: Step, record: Record) -> Step:
    call, labels = step.call, (step.instance, step.hook)
    timing = _timing_async if step.is_async else _timing
    return replace(step, call=timing(call, record, labels))


def _timing(call: Callable[..., Any], record: Record, labels: tuple[str, ...]) -> Callable[..., Any]:
    def timed(exchange: object) -> Any:
        began = perf_counter()
        try:
            return call(exchange)
        finally:
            record(perf_counter() - began, labels)

    return timed


def _timing_async(call: Callable[..., Any], record: Record, labels: tuple[str, ...]) -> Callable[..., Any]:
    async def timed(exchange: object) -> Any:
        began = perf_counter()
        try:
            given = call(exchange)
            return await given if isawaitable(given) else given  # `may_wait`
        finally:
            record(perf_counter() - began, labels)

    return timed
