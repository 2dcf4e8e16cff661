"""The throttle of logins, shared by all processes of the deployment through the store; a restart forgets nothing.

    async with throttle.attempt(name, address) as attempt:
        if attempt.wait:
            ...                            # refuse with Retry-After: nothing is verified
        user = await source.verify(name, password)
        await (attempt.succeeded() if user else attempt.failed())

A block that is left without a word (the store was down, the caller went away) counts for nothing. `delays` decides;
this is what reads and writes. While a count still has free tries, at most so many of it are under way at once in a
process, so a burst finds its first failures counted before it goes on.

Names that nobody has are counted as any other, so a refusal tells nothing of who has an account.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from narthex.clock import Clock
from narthex.storage import Store
from narthex_plugins.auth.account_settings import ThrottleSettings
from narthex_plugins.auth.attempts import AttemptRows, keys_of
from narthex_plugins.auth.delays import NOTHING, Count, Delays, Kind
from narthex_plugins.auth.gates import Gates

SWEEP: Final = 60.0
"""Seconds between two sweeps of a process."""
_MOST_INSIDE: Final = 1000
"""Attempts that may wait or work in one process."""
_FRESH: Final = 86_400.0
"""Seconds for which trust is not written again."""


@dataclass(slots=True)
class Attempt:
    """One login under way.

    Attributes:
        wait: seconds until it may be made; 0 where it may be made now.
        counts: what was known when it began.
        counted: where it is counted as a failure already.
        settled: whether it is known how it ended.
    """

    throttle: "Throttle"
    keys: Mapping[Kind, str]
    wait: float
    counts: Mapping[Kind, Count] = field(default_factory=dict[Kind, Count])
    counted: tuple[Kind, ...] = ()
    settled: bool = False

    async def failed(self) -> None:
        """It was a wrong name or password; counted once this returns."""
        self.settled = True
        await self.throttle.count(self)

    async def succeeded(self) -> None:
        """It was right: the pair's failures were its user's own, and the address is theirs."""
        self.settled = True
        await self.throttle.forgive(self)


class Throttle:
    """Delays between tries. One for each process and instance of the plugin.

    Args:
        settings: what is free, and how the delays grow.
        instance: the plugin's.
    """

    def __init__(self, store: Store, clock: Clock, settings: ThrottleSettings, instance: str) -> None:
        free: dict[Kind, int] = {
            "pair": settings.per_pair,
            "account": settings.per_account,
            "address": settings.per_address,
        }
        self.delays = Delays(free, settings.first, settings.longest, settings.forget, settings.trust)
        self.rows = AttemptRows(instance, self.delays)
        self._store = store
        self._clock = clock
        self._gates = Gates(_MOST_INSIDE)
        self._swept = 0.0

    @asynccontextmanager
    async def attempt(self, name: str, address: str | None) -> AsyncGenerator[Attempt]:
        """Begin an attempt, which may have to wait.

        Args:
            name: as it was typed.
            address: the client's, as `Exchange.client` has it; None where nobody knows.

        Raises:
            DependencyError: the store does not answer, or a thousand attempts are under way.

        Cost: two reads; a write where it fails, where the free tries are used up, and at the first login of a day.
        """
        keys = keys_of(name, address)
        counts = await self._store.read(lambda connection: self.rows.load(connection, keys))
        wait = self.delays.wait(counts, self._clock.now())
        if wait > 0:  # without waiting for a place: a flood of these costs a read each
            yield Attempt(self, keys, wait, counts)
            return
        async with self._gates.passing([(key, self.delays.free[kind]) for kind, key in keys.items()]):
            attempt = await self._begin(keys)
            try:
                yield attempt
            finally:
                if attempt.counted and not attempt.settled:
                    self._store.post(lambda connection: self._take_back(connection, attempt))

    async def _begin(self, keys: Mapping[Kind, str]) -> Attempt:
        counts = await self._store.read(lambda connection: self.rows.load(connection, keys))
        now = self._clock.now()
        if (wait := self.delays.wait(counts, now)) > 0:
            return Attempt(self, keys, wait, counts)
        if not self.delays.on_probation(counts, now):
            return Attempt(self, keys, 0.0, counts)
        return await self._store.write(lambda connection: self._begin_on_probation(connection, keys, now))

    def _begin_on_probation(self, connection: Connection, keys: Mapping[Kind, str], now: float) -> Attempt:
        """Decide and count in one transaction; others who try at this moment find it counted."""
        counts = self.rows.load(connection, keys)
        if (wait := self.delays.wait(counts, now)) > 0:
            return Attempt(self, keys, wait, counts)
        counted = self.delays.on_probation(counts, now)
        for kind in counted:
            self.rows.save(connection, keys[kind], self.delays.failed(counts[kind], now))
        return Attempt(self, keys, 0.0, counts, counted)

    async def count(self, attempt: Attempt) -> None:
        """Count the attempt as failed wherever it is not yet."""
        now = self._clock.now()

        def job(connection: Connection) -> None:
            counts = self.rows.load(connection, attempt.keys)
            for kind in self.delays.heeded(counts, now):
                if kind not in attempt.counted:
                    self.rows.save(connection, attempt.keys[kind], self.delays.failed(counts[kind], now))

        await self._store.write(job)
        if abs(now - self._swept) >= SWEEP:
            self._swept = now
            self._store.post(lambda connection: self.rows.sweep(connection, now))

    async def forgive(self, attempt: Attempt) -> None:
        """Take back what the pair's failures have added elsewhere, and begin anew with the pair."""
        now, trust = self._clock.now(), self.delays.trust
        pair = attempt.counts.get("pair")
        fresh = pair is None or pair.trusted_until - now >= trust - min(_FRESH, trust / 2)
        if attempt.counted or not fresh or (pair is not None and pair.failures):
            await self._store.write(lambda connection: self._forgive(connection, attempt, now))

    def _forgive(self, connection: Connection, attempt: Attempt, now: float) -> None:
        counts = self.rows.load(connection, attempt.keys)
        pair = counts.get("pair", NOTHING)
        own = 0 if self.delays.trusts(counts, now) else self.delays.failures(pair, now) - ("pair" in attempt.counted)
        for kind in counts:
            if kind == "pair":
                self.rows.save(connection, attempt.keys[kind], self.delays.succeeded(pair, now))
            elif taken := own + (kind in attempt.counted):
                self.rows.save(connection, attempt.keys[kind], self.delays.taken_back(counts[kind], taken))

    def _take_back(self, connection: Connection, attempt: Attempt) -> None:
        counts = self.rows.load(connection, attempt.keys)
        for kind in attempt.counted:
            self.rows.save(connection, attempt.keys[kind], self.delays.taken_back(counts[kind], 1))
