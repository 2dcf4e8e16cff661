"""The keys of one external issuer, as this process has them.

One background task fetches, and nobody else, so there is one fetch at a time whatever comes in. A request that needs
keys which are not at hand asks that task to fetch now, and waits for the end of the fetch that is under way: it owns
none of it, so its own end, or its client's, disturbs no other. `freshness` says when a fetch is granted.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from cachetools import TTLCache

from narthex.clock import Clock
from narthex.errors import DependencyError
from narthex_plugins.auth.discovery import IssuerFault
from narthex_plugins.auth.freshness import Freshness
from narthex_plugins.auth.keyset import KeySet

_NAMES: Final = 1024
_LONGEST_NAP: Final = 60.0  # a timer does not count the time that the machine sleeps
_UNKNOWN_FOR: Final = 4.0
"""For how many cooldowns a key that was looked for in vain causes no further fetch. Not for long: who can guess the
next key's name could make it unknown beforehand."""

KeyName = tuple[str | None, str]
"""`kid` and `alg`, as a token says them."""


class IssuerUnavailable(DependencyError):
    """The keys that a token needs cannot be had: its issuer does not answer."""

    code = "issuer_unavailable"


class Source(Protocol):
    """Where keys come from."""

    async def fetch(self) -> KeySet:
        """Fetch them. The same object as before means that nothing has changed.

        Raises:
            IssuerFault: they cannot be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds.

    Attributes:
        fetch: that a fetch may take, all of it.
        wait: that a request waits for one.
    """

    fetch: float
    wait: float


@dataclass(frozen=True, slots=True)
class Told:
    """Whom `IssuerKeys` tells what.

    Attributes:
        changed: there are other keys than before, or none any more.
        fetched: how a fetch ended, "ok" or "failed".
    """

    changed: Callable[[], None]
    fetched: Callable[[str], None]
    log: logging.Logger


class IssuerKeys:
    """Holds the keys of one issuer, and keeps them fresh.

    Args:
        issuer: its name, for messages.
        source: fetches them.
        freshness: says when.
    """

    def __init__(
        self, issuer: str, source: Source, freshness: Freshness, limits: Limits, clock: Clock, told: Told
    ) -> None:
        self._issuer = issuer
        self._source = source
        self._freshness = freshness
        self._limits = limits
        self._now = clock.boottime
        self._told = told
        self._keys: KeySet | None = None
        self._unknown: TTLCache[KeyName, bool] = TTLCache(_NAMES, _UNKNOWN_FOR * freshness.cooldown, self._now)
        self._asked: set[KeyName] = set()
        self._flight: asyncio.Future[None] | None = None
        self._wanted = asyncio.Event()

    def at_hand(self) -> KeySet | None:
        """The keys as they were last fetched; None where there are none, or they are too old to be used."""
        return self._keys if self.usable_for() > 0 else None

    def usable_for(self) -> float:
        """Seconds for which the keys at hand may still be used."""
        return 0.0 if self._keys is None else self._freshness.usable_for(self._now())

    async def look_for(self, name: KeyName) -> KeySet:
        """The keys, after a look for one that is not at hand, where such a look is granted.

        Raises:
            IssuerUnavailable: the issuer does not answer, so that nobody can say whether the key is one of its own.
        """
        keys = self.at_hand()
        if keys is not None and name in self._unknown:
            return keys
        if self._flight is None:
            wait = self._freshness.grant_in(self._now())
            if wait > 0:
                return self._as_they_are(wait)
            if keys is not None:
                self._freshness.granted(self._now())
            self._flight = asyncio.get_running_loop().create_future()
            self._wanted.set()
        if len(self._asked) < _NAMES:
            self._asked.add(name)
        _, late = await asyncio.wait([self._flight], timeout=self._limits.wait)
        if late:
            raise IssuerUnavailable(f"{self._issuer} is slow to answer", retry_after=1)
        return self._as_they_are(max(1.0, self._freshness.due(self._now())))

    def _as_they_are(self, retry_after: float) -> KeySet:
        keys = self.at_hand()
        if keys is None or self._freshness.failing:
            raise IssuerUnavailable(f"the keys of {self._issuer} cannot be fetched", retry_after=retry_after)
        return keys

    async def follow(self) -> None:
        """Keep the keys fresh; runs until it is cancelled."""
        self._wanted = asyncio.Event()  # of this loop; who asked before is served by the first fetch
        while True:
            await self._fetch()
            await self._until_due()

    async def _until_due(self) -> None:
        while not self._wanted.is_set() and (left := self._freshness.due(self._now())) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, _LONGEST_NAP)):
                    await self._wanted.wait()

    async def _fetch(self) -> None:
        if self._flight is None:
            self._flight = asyncio.get_running_loop().create_future()
        self._wanted.clear()
        asked, self._asked = self._asked, set()
        began = self._now()
        try:
            async with asyncio.timeout(self._limits.fetch):
                keys = await self._source.fetch()
        except TimeoutError:
            self._failed(IssuerFault(f"no answer within {self._limits.fetch:g} s"))
        except IssuerFault as fault:
            self._failed(fault)
        else:
            self._fetched(keys, began)
            for name in asked:  # asked for before the fetch began, so it would have been seen
                if not keys.candidates(*name):
                    self._unknown[name] = True
        finally:
            flight, self._flight = self._flight, None
            flight.set_result(None)

    def _fetched(self, keys: KeySet, began: float) -> None:
        if self._freshness.failing:
            self._told.log.warning("the keys of %s can be fetched again", self._issuer)
        self._freshness.succeeded(began)
        self._told.fetched("ok")
        if keys is not self._keys:
            self._keys = keys
            self._told.changed()
            if not keys:
                why = "; ".join(map(str, keys.skipped)) or "the set is empty"
                self._told.log.warning("%s has no key that can be used: %s", self._issuer, why)

    def _failed(self, fault: IssuerFault) -> None:
        if not self._freshness.failing or (fault.compromised and self._keys is not None):
            self._told.log.error("the keys of %s cannot be fetched: %s", self._issuer, fault)
        self._freshness.failed(self._now())
        self._told.fetched("failed")
        if fault.compromised and self._keys is not None:
            self._keys = None
            self._freshness.lost()
            self._told.changed()
