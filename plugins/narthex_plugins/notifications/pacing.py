"""How long to wait and how much to send: plain numbers in, plain numbers out.

Three brakes stand before a channel, and all hold over all processes of the deployment, for what they go by is read and
written in the transaction that takes notifications off the queue:

- a rate, as a leaky bucket: the theoretical arrival time of the next one (GCRA, as ITU-T I.371 has it);
- so many at a time, by counting the leases that are alive;
- a circuit: after `trip` failures in a row nothing is sent for a while, then one alone goes first.
"""

import math
import random
from dataclasses import dataclass
from typing import Final

LONGEST_ASKED: Final = 86_400.0
"""Seconds: a receiver that asks for more waits for so long."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a channel is dealt with. Times are seconds.

    Attributes:
        attempts: after which a notification is given up.
        first: bound of the pause after the first failure; it doubles with each.
        longest: bound of any pause.
        rate: notifications a second, or None.
        burst: so many may go at once where none went for a while.
        concurrency: so many may be under way.
        timeout: of one attempt.
        trip: failures in a row that open the circuit.
        rest: how long it stays open.
    """

    attempts: int
    first: float
    longest: float
    rate: float | None
    burst: int
    concurrency: int
    timeout: float
    trip: int
    rest: float


@dataclass(frozen=True, slots=True)
class Gate:
    """What a channel's brakes go by; as the store has it."""

    arrival: float = 0.0
    failures: int = 0
    closed_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Room:
    """How many may be taken now; and seconds until it is worth asking again, where it is less than was wanted."""

    count: int
    wait: float = 0.0


def pause(pace: Pace, attempt: int, asked: float | None, dice: random.Random) -> float:
    """Seconds from a failure to the next attempt: exponential backoff with full jitter, and what the receiver asks.

    Args:
        pace: of the channel.
        attempt: the number of the one that failed, from 1.
        asked: its `Retry-After`, which is the least; None where it said nothing.
        dice: where the jitter comes from.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog; RFC 9110 §10.2.3.
    """
    bound = min(pace.longest, pace.first * 2.0 ** min(attempt - 1, 60))
    return max(dice.uniform(0.0, bound), 0.0 if asked is None else min(asked, LONGEST_ASKED))


def room(pace: Pace, gate: Gate, wanted: int, under_way: int, now: float) -> Room:
    """How many of `wanted` may be taken."""
    if now < gate.closed_until:
        return Room(0, gate.closed_until - now)
    at_once = 1 if gate.failures >= pace.trip else pace.concurrency  # after a rest one goes first, to see
    free = min(wanted, at_once - under_way)
    if free <= 0:
        return Room(0)
    if pace.rate is None:
        return Room(free)
    spacing = 1.0 / pace.rate
    credit = now + pace.burst * spacing - max(gate.arrival, now)
    allowed = math.floor(credit / spacing + 1e-9)
    if allowed >= free:
        return Room(free)
    return Room(max(allowed, 0), (allowed + 1) * spacing - credit)


def after_taking(pace: Pace, gate: Gate, count: int, now: float) -> Gate:
    """The gate once so many were taken."""
    if pace.rate is None:
        return gate
    return Gate(max(gate.arrival, now) + count / pace.rate, gate.failures, gate.closed_until)


def after_success(gate: Gate) -> Gate:
    """The gate once something arrived: the circuit is closed, whatever was asked for."""
    return Gate(gate.arrival, 0, gate.closed_until)


def after_failure(pace: Pace, gate: Gate, asked: float | None, now: float) -> Gate:
    """The gate once the receiver failed: every failure past `trip` opens the circuit anew."""
    failures = gate.failures + 1
    rest = pace.rest if failures >= pace.trip else 0.0
    rest = max(rest, 0.0 if asked is None else min(asked, LONGEST_ASKED))
    return Gate(gate.arrival, failures, max(gate.closed_until, now + rest) if rest else gate.closed_until)
