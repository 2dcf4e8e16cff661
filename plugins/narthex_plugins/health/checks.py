"""Asking the plugins how they are: all at once, each within its limit, and not more often than the cache allows."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import Context

from narthex.clock import Clock
from narthex.hooks import Health
from narthex.house import BootHook
from narthex.metrics import Instrument
from narthex.timed import timed
from narthex_plugins.health.report import WORSE, Report, report


class Checks:
    """The plugins' own checks. One round serves every probe that comes while it runs or is fresh.

    An async check that takes longer than `limit` has failed. A plain one cannot be stopped, and by the rule for all
    plain hooks does not wait for anything.
    """

    def __init__(
        self,
        hooks: Callable[[], Sequence[BootHook]],
        clock: Clock,
        log: logging.Logger,
        *,
        status: Instrument,
        limit: float,
        cache: float,
    ) -> None:
        self._hooks = hooks
        self._clock = clock
        self._log = log
        self._status = status
        self._limit = limit
        self._cache = cache
        self._round: asyncio.Task[Report] | None = None
        self._fresh_until = float("-inf")
        self._last: Report = report({})

    async def report(self) -> Report:
        """The newest report, at most `cache` seconds old. Takes `limit` at the longest."""
        if self._clock.monotonic() < self._fresh_until:
            return self._last
        running = self._round
        if running is None or running.done():
            # In a context of its own: the probe that happens to come first is not who asks.
            running = self._round = asyncio.create_task(self._ask_all(), context=Context())
        # A probe that hangs up does not end the round that others wait for.
        return await asyncio.shield(running)

    async def _ask_all(self) -> Report:
        hooks = self._hooks()
        answers = await asyncio.gather(*(self._ask(*hook) for hook in hooks))
        new = report({instance: health for (instance, _, _), health in zip(hooks, answers, strict=True)})
        self._tell_changes(new)
        for instance, health in new.checks.items():
            self._status.set(WORSE[health.status], instance)
        self._last, self._fresh_until = new, self._clock.monotonic() + self._cache
        return new

    async def _ask(self, instance: str, check: Callable[[], object], is_async: bool) -> Health:
        try:
            given = check()
            if is_async:
                given = await timed(given, self._limit)  # judged awaitable at boot
        except TimeoutError:
            return Health("fail", "took too long")
        except Exception as error:  # noqa: BLE001  whatever a plugin raises; its text is the log's, not the probe's
            known = self._last.checks.get(instance)
            if known is None or known.status != "fail":
                self._log.warning("the health check of %s raised", instance, exc_info=error)
            return Health("fail", "raised an exception")
        return given if isinstance(given, Health) else Health("fail", "answered nonsense")

    def _tell_changes(self, new: Report) -> None:
        """Log what changed since the last round; a probe every second would fill the log with what is known."""
        for instance, now in new.checks.items():
            before = self._last.checks.get(instance, Health("pass")).status
            if now.status != before:
                level = logging.INFO if now.status == "pass" else logging.WARNING
                why = f": {now.detail}" if now.detail else ""
                self._log.log(level, "health of %s: %s, was %s%s", instance, now.status, before, why)
