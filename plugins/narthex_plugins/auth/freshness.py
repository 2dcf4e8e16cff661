"""When an issuer's keys are fetched, and how long they are good for. Knows no network; time is an argument.

Three clocks run at once. In the background the keys are fetched anew every `refresh`, whether anybody asks or not. A
token that names an unknown key may have them fetched at once, since that is how a rotation shows; but an attacker can
make up names, so such a fetch is granted once in `cooldown`, and after that they are simply unknown. And where the
issuer does not answer, it is tried again after 1 s, 2 s, 4 s, up to `cooldown`, by nobody but the background, while
the keys at hand go on for `keep`.

All times are those of `Clock.boottime`, in seconds: a key does not live longer because the machine slept.
"""

from dataclasses import dataclass
from typing import Final

_FIRST_RETRY: Final = 1.0


@dataclass(slots=True, eq=False)
class Freshness:
    """What is known about the last fetches of one issuer.

    Attributes:
        failing: the last fetch failed.
    """

    refresh: float
    keep: float
    cooldown: float
    _fetched: float | None = None
    _asked: float | None = None
    _failures: int = 0
    _retry: float = 0.0

    @property
    def failing(self) -> bool:
        """Whether the last fetch failed."""
        return self._failures > 0

    def usable_for(self, now: float) -> float:
        """Seconds for which the keys at hand may still be used; 0 or less where they may not, or there are none."""
        return 0.0 if self._fetched is None else self._fetched + self.keep - now

    def due(self, now: float) -> float:
        """Seconds until the next fetch in the background; 0 or less where it is time."""
        if self._failures:
            return self._retry - now
        return 0.0 if self._fetched is None else self._fetched + self.refresh - now

    def grant_in(self, now: float) -> float:
        """Seconds until an unknown key may cause a fetch; 0 or less where it may now."""
        if self._failures:
            return self._retry - now
        if self._asked is None or self.usable_for(now) <= 0:
            return 0.0
        return self._asked + self.cooldown - now

    def granted(self, now: float) -> None:
        """An unknown key causes a fetch."""
        self._asked = now

    def succeeded(self, began: float) -> None:
        """A fetch that began then has brought the keys."""
        self._fetched = began
        self._failures = 0

    def failed(self, now: float) -> None:
        """A fetch has failed."""
        self._failures += 1
        self._retry = now + min(self.cooldown, _FIRST_RETRY * 2.0 ** min(self._failures - 1, 30))

    def lost(self) -> None:
        """The keys at hand must not be used any more."""
        self._fetched = None
