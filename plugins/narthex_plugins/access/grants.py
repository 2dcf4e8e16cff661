"""Grants that are made while the house runs: a rising log in the store, and what this process has read of it.

Nothing is read while a request waits. Each process reads the log when it starts, goes on reading as soon as the link
says that it has grown, and looks every few seconds in any case, because the link may lose a word. What it holds is good
for `stale` seconds after the beginning of the last look that succeeded. Then the store's grants count for nothing until
it can be read again, and the file's alone hold: a grant may have been withdrawn meanwhile.

Each process says among the members how far it has read, and whoever changes something waits until all have said so. A
process that starts says it before it reads for the last time: what was committed before that it has read, and for what
is committed after that it is waited for.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping

from narthex.clock import Clock
from narthex.errors import DependencyError
from narthex.link.looking import keep_looking
from narthex.storage import Store
from narthex.store import RisingLog
from narthex_plugins.access.tables import grants

LOOK: Final = 2.0
"""Seconds between two looks that nobody asked for."""
PATIENCE: Final = 5.0
"""Seconds for which a change waits for the others; less than a process that says nothing stays a member for."""
_AGAIN: Final = 0.01
_log = logging.getLogger("narthex.plugins.access")

Stored = Mapping[str, frozenset[str]]
"""Role to permission patterns."""


@dataclass(frozen=True, slots=True)
class Change:
    """What came of a change.

    Attributes:
        done: False where it was so already.
        behind: "host:pid" of the processes that had not heard of it when it was waited for no longer.
    """

    done: bool
    behind: Sequence[str] = ()


class StoredGrants:
    """The grants of one instance, as this process knows them.

    Args:
        store: where the log is.
        instance: the plugin's; each has grants of its own.
        clock: `boottime` tells how old the last look is.
        stale: seconds for which a look is good.
        told: called with all that is granted, whenever that changes.
    """

    def __init__(self, store: Store, instance: str, clock: Clock, stale: float, told: Callable[[Stored], None]) -> None:
        self._store = store
        self._log = RisingLog(f"access:{instance}", grants)
        self._clock = clock
        self._stale = stale
        self._told = told
        self._granted: dict[str, set[str]] = {}
        self._version = 0
        self._told_version = -1
        self._read: float | None = None
        self._looking = asyncio.Lock()

    @property
    def doubt(self) -> str:
        """Why a permission that is lacking may have been granted all the same, or ""."""
        if self._read is None:
            return "by the file alone: grants in the store were not looked at"
        return "the store's grants cannot be read" if self.stale else ""

    @property
    def stale(self) -> bool:
        """Whether what was read is too old to go by. Under 1 µs."""
        return self._read is not None and self._clock.boottime() >= self._read + self._stale

    @property
    def granted(self) -> Stored:
        """What is granted, as far as it is known."""
        return {role: frozenset(found) for role, found in self._granted.items() if found}

    async def start(self) -> None:
        """Read all that is granted.

        Raises:
            DependencyError: the store does not answer.
        """
        self._looking = asyncio.Lock()  # of this loop
        await self.look()
        await self._say()
        await self.look()

    async def look(self) -> None:
        """Read what is new.

        Raises:
            DependencyError: the store does not answer.
        """
        async with self._looking:
            began, changed = self._clock.boottime(), False
            while rows := await self._store.read(lambda connection: self._log.after(connection, self._version)):
                _add_up(self._granted, rows)
                self._version, changed = rows[-1]["version"], True
            self._read = began
            if changed:
                self._told(self.granted)

    async def follow(self) -> None:
        """Look whenever the link says so, and from time to time. Runs for ever."""
        await keep_looking(self._store.link, self._log.name, self._round, LOOK)

    async def _round(self) -> None:
        try:
            await self.look()
            await self._say()
        except DependencyError as error:
            _log.warning("grants in the store cannot be read for now: %s", error)

    async def _say(self) -> None:
        """Say how far this process has read."""
        version = self._version
        if version > self._told_version:
            await self._store.saw(self._log.name, version)
            self._told_version = version

    async def change(self, role: str, permission: str, by: str, *, granted: bool) -> Change:
        """Grant, or withdraw; durable when it returns, and known to every process that is not named as behind.

        Raises:
            DependencyError: the store does not take it, or does not say who knows; doing it again does no harm.
        """
        at = self._clock.now()

        def job(connection: Connection) -> bool:
            if (permission in self._found(connection).get(role, ())) is granted:
                return False
            row = {"role": role, "permission": permission, "granted": granted, "at": at, "by": by[:255]}
            self._log.append_in(connection, [row])
            self._store.link.announce(connection, self._log.name)
            return True

        done = await self._store.write(job)
        await self.look()
        waited = self._clock.boottime() + PATIENCE
        while True:
            behind = await self._store.behind(self._log.name, self._version)
            if not behind or self._clock.boottime() >= waited:
                return Change(done, behind)
            await asyncio.sleep(_AGAIN)

    def _found(self, connection: Connection) -> Mapping[str, Collection[str]]:
        """What is granted by the log itself; it has a row for each change an operator ever made, which is few."""
        found: dict[str, set[str]] = {}
        version = 0
        while rows := self._log.after(connection, version):
            _add_up(found, rows)
            version = rows[-1]["version"]
        return found


def _add_up(granted: dict[str, set[str]], rows: Iterable[RowMapping]) -> None:
    for row in rows:
        own = granted.setdefault(row["role"], set())
        (own.add if row["granted"] else own.discard)(row["permission"])
