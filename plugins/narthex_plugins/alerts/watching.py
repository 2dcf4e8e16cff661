"""One rule, watched by the house itself. Plain values in and out; time is an argument.

    quiet --above--> pending --above for `lasting`--> fired --at or below `clear` for `keep`--> quiet
                        |                               ^            |
                        +--not above--> quiet           +--above-----+

What nobody can say (no traffic, counters that began anew) is not above, and no reason to go on.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from narthex.alerting import WINDOW, AlertRule
from narthex.measures import Figure, Look


class Change(Enum):
    """What has become of it."""

    FIRED = "fired"
    RESOLVED = "resolved"


@dataclass(slots=True, eq=False)
class _Look:
    time: float
    taken: Look


class Watch:
    """What one process knows of a rule.

    Args:
        rule: the rule.

    Attributes:
        value: what the measure last came to, or None.
        fired: since when it is fired, or None.
    """

    def __init__(self, rule: AlertRule) -> None:
        self.rule = rule
        self.value: float | None = None
        self.fired: float | None = None
        self._looks: deque[_Look] = deque()
        self._pending: float | None = None
        self._clear: float | None = None

    def judge(self, now: float, figures: Mapping[str, Figure]) -> Change | None:
        """Look, and say whether something has changed.

        Args:
            now: seconds of a clock that never goes back.
            figures: as they are now.
        """
        looks, taken = self._looks, self.rule.measure.look(figures)
        while looks and looks[0].time < now - WINDOW:
            looks.popleft()
        before = looks[0] if looks else None
        looks.append(_Look(now, taken))
        self.value = None
        if before is not None and now > before.time:
            self.value = self.rule.measure.value(before.taken, taken, now - before.time)
        return self._quiet(now) if self.fired is None else self._firing(now)

    def _quiet(self, now: float) -> Change | None:
        if self.value is None or not self.value > self.rule.above:
            self._pending = None
            return None
        if self._pending is None:
            self._pending = now
        if now - self._pending < self.rule.lasting:
            return None
        self.fired, self._pending, self._clear = now, None, None
        return Change.FIRED

    def _firing(self, now: float) -> Change | None:
        if self.value is not None and self.value > self.rule.cleared:
            self._clear = None
            return None
        if self._clear is None:
            self._clear = now
        if now - self._clear < self.rule.keep:
            return None
        self.fired = self._clear = None
        return Change.RESOLVED
