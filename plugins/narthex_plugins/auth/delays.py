"""How long whoever has failed must wait: the decision, without I/O; time is an argument.

Three things are counted: failures of an account, of an address, and of the pair of them. Each is free for a while;
from then on every failure makes the next try wait twice as long, up to a limit, and what waits is not tried at all.

    failures     0 .. free-1    free   free+1   free+2  ...          forgotten `forget` seconds after the last
    next try     at once        1 s    2 s      4 s     ... longest

The three counts look at different attackers. The pair stops the plain one. The account stops many addresses that guess
at one account, and the address stops one that tries a few passwords on many. But both of these could be used to keep
somebody out: so where an account has logged in from an address before (`trusted`), only the pair counts, which nobody
elsewhere can touch. Somebody at a new address waits for `longest` at most, once the attack is over.

A try beyond the free ones is counted before it is made, so that a thousand of them at one moment are one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["pair", "account", "address"]
KINDS: Final[tuple[Kind, ...]] = ("pair", "account", "address")
_MOST: Final = 1_000_000
"""Failures counted: more make no difference, and a column holds them."""


@dataclass(frozen=True, slots=True)
class Count:
    """What is known of one account, address or pair.

    Attributes:
        failures: lately.
        last: when the last one was, seconds since the epoch.
        trusted_until: of a pair: until when the address counts as one that the account is used from; 0 for never.
    """

    failures: int = 0
    last: float = 0.0
    trusted_until: float = 0.0


NOTHING: Final = Count()
Counts = Mapping[Kind, Count]


@dataclass(frozen=True, slots=True)
class Delays:
    """The rule. Seconds, and failures that are free.

    Attributes:
        first: the first delay, which doubles.
        longest: the longest.
        forget: after so long without a failure there has been none.
        trust: how long an address is trusted after a login.
    """

    free: Mapping[Kind, int]
    first: float
    longest: float
    forget: float
    trust: float

    def delay(self, kind: Kind, failures: int) -> float:
        """Seconds between the last of so many failures and the next try."""
        beyond = failures - self.free[kind]
        if beyond < 0:
            return 0.0
        # Past this many doublings it is `longest` anyway, and further on no float.
        return min(self.longest, self.first * 2.0 ** min(beyond, 64))

    def failures(self, count: Count, now: float) -> int:
        """Those that are not forgotten."""
        return count.failures if abs(now - count.last) < self.forget else 0

    def trusts(self, counts: Counts, now: float) -> bool:
        """Whether the account has logged in from this address lately."""
        return now < counts.get("pair", NOTHING).trusted_until

    def heeded(self, counts: Counts, now: float) -> tuple[Kind, ...]:
        """Which of the counts matter."""
        trusted = self.trusts(counts, now)
        return tuple(kind for kind in KINDS if kind in counts and (kind == "pair" or not trusted))

    def wait(self, counts: Counts, now: float) -> float:
        """Seconds until the next try may be made, 0 for now; never more than `longest`.

        A last failure in the future is one of before the clock was set back: however long ago it was, by the clock that
        is right now, nobody waits for the future to come.
        """
        longest = 0.0
        for kind in self.heeded(counts, now):
            delay = self.delay(kind, self.failures(counts[kind], now))
            longest = max(longest, delay - abs(now - counts[kind].last))
        return longest

    def on_probation(self, counts: Counts, now: float) -> tuple[Kind, ...]:
        """The counts whose free tries are used up: a try is counted there before it is made."""
        return tuple(kind for kind in self.heeded(counts, now) if self.failures(counts[kind], now) >= self.free[kind])

    def failed(self, count: Count, now: float) -> Count:
        """After one more failure."""
        return replace(count, failures=min(self.failures(count, now) + 1, _MOST), last=now)

    def taken_back(self, count: Count, failures: int) -> Count:
        """After it has turned out that so many failures were none."""
        return replace(count, failures=max(0, count.failures - failures))

    def succeeded(self, pair: Count, now: float) -> Count:
        """The pair after a login."""
        return replace(pair, failures=0, trusted_until=max(pair.trusted_until, now + self.trust))

    def expires(self, count: Count) -> float:
        """From when on the count says no more than none at all would."""
        return max(count.last + self.forget if count.failures else 0.0, count.trusted_until)


def retry_after(seconds: float) -> int:
    """The delay in whole seconds, as the header field `Retry-After` has them: never too few."""
    return math.ceil(seconds)
