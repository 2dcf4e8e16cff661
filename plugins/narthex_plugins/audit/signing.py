"""Signing the log from time to time, and letting old segments go: by one process at a time, whichever comes first.

Every process looks now and then whether a checkpoint is due. Who finds one due grows the Merkle tree from the last
checkpoint's frontier over what was recorded since, outside of any lock; then, in one job of the writer, it takes in
the last few records, signs, and puts the checkpoint down, unless somebody else has put one down meanwhile. A segment
is begun, and an old one dropped, in the same transaction as the checkpoint that says so.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, insert

from narthex import House
from narthex.errors import DependencyError
from narthex.hooks import Health
from narthex_plugins.audit.checkpoint_settings import CheckpointSettings, RetentionSettings
from narthex_plugins.audit.checkpoints import BEFORE_ALL, Checkpoint
from narthex_plugins.audit.growing import Damaged, Growth, Standing, frontier, look
from narthex_plugins.audit.merkle import Tree
from narthex_plugins.audit.publishing import arrived, note_arrival, places
from narthex_plugins.audit.record import make, timestamp
from narthex_plugins.audit.segments import Segment, drop
from narthex_plugins.audit.tables import checkpoints
from narthex_plugins.audit.trail import Trail, open_segment

_log = logging.getLogger("narthex.plugins.audit")

PAGE: Final = 20_000
"""Links that one read takes at most."""


class Checkpointer:
    """Signs the log of one instance, publishes what it signed, begins segments and lets old ones go.

    Args:
        house: the plugin's.
        trail: the log; started before this.
        settings: how often, and where to.
        retention: when segments end and go.

    Attributes:
        damage: what is wrong with the log, or "".
        trouble: what is wrong with publishing, or "".
    """

    def __init__(
        self,
        house: House,
        trail: Trail,
        settings: CheckpointSettings,
        retention: RetentionSettings,
    ) -> None:
        self._store = house.store
        self._now = house.clock.now
        self._instance = house.instance
        self._trail = trail
        self._every = settings.every
        self._retention = retention
        self._places = places(settings.publish, house.directory, house.log)
        self._newest = 0
        self._failures = house.metrics.counter(
            "narthex_audit_publish_failures_total", "Checkpoints that a place did not take.", ("instance",)
        )
        self._made = house.metrics.counter("narthex_audit_checkpoints_total", "Checkpoints signed.", ("instance",))
        damaged = house.metrics.gauge(
            "narthex_audit_damaged", "1 where the log is not what was signed.", ("instance",), over="max"
        )
        damaged.watch(lambda: float(bool(self.damage)), self._instance)
        self._monotonic = monotonic = house.clock.monotonic
        self._looked = monotonic()
        house.metrics.gauge(
            "narthex_audit_checkpoint_staleness_seconds",
            "Seconds since a process last saw that all is signed that has to be.",
            ("instance",),
            over="max",
        ).watch(lambda: monotonic() - self._looked, self._instance)
        self.damage = ""
        self.trouble = ""

    def begin(self) -> None:
        """Begin another life: what was seen in the one before is not held against a store that may be a new one."""
        self._newest, self._looked, self.damage = 0, self._monotonic(), ""

    async def run(self) -> None:
        """Sign and publish whenever it is due; for `House.spawn`."""
        while True:
            # Not at the same moments as the other processes, and often enough to be late by little.
            await asyncio.sleep(self._every * random.uniform(0.15, 0.35))  # noqa: S311  only spreads the load
            await self.turn()

    async def turn(self, *, force: bool = False) -> Checkpoint | None:
        """Sign if it is due, or where it is forced if there is anything new; then publish.

        Gives what was signed, if anything. Trouble is logged and told by `health`, not raised.
        """
        signed: Checkpoint | None = None
        try:
            signed = await self.sign(force=force)
            self.damage, self._looked = "", self._monotonic()
        except Damaged as error:
            if not self.damage:
                _log.critical("the log of %s was changed: %s; narthex audit verify says more", self._instance, error)
            self.damage = str(error)
        except DependencyError as error:
            _log.warning("no checkpoint could be made: %s", error)
        try:
            await self._publish()
        except DependencyError as error:
            _log.warning("nothing could be published: %s", error)
        return signed

    async def stop(self) -> None:
        """Cover what was recorded last."""
        await self.turn(force=True)

    def health(self) -> Health:
        """Fail where the log was changed, warn where checkpoints do not arrive."""
        if self.damage:
            return Health("fail", self.damage)
        return Health("warn", self.trouble) if self.trouble else Health("pass")

    async def sign(self, *, force: bool = False) -> Checkpoint | None:
        """Make a checkpoint where one is due; None where none is, or another process was quicker.

        Raises:
            Damaged: the log cannot be what was signed before.
            DependencyError: the store does not take it.
        """
        standing = await self._store.read(lambda connection: look(connection, self._instance))
        self._check(standing)
        if not self._due(standing, force=force):
            return None
        growth = Growth(standing, self._trail.keys.marking)
        while growth.tree.size + PAGE < standing.end:
            await self._store.read(lambda connection: growth.take(connection, standing.segments, PAGE))
        made = await self._store.write(lambda connection: self._put(connection, standing, growth))
        if made is not None:
            self._newest = made.number
            self._made.inc(self._instance)
        return made

    def _check(self, standing: Standing) -> None:
        number = 0 if standing.last is None else standing.last.number
        if number < self._newest:
            raise Damaged(f"the last checkpoint is number {number}, and number {self._newest} was made")
        if standing.end < standing.size:
            raise Damaged(f"it ends before position {standing.end}, and {standing.size} records were signed")
        if standing.last is not None:
            root = Tree(standing.size, frontier(standing.frontier)).root().hex()
            if root != standing.last.root or not standing.last.is_signed():
                raise Damaged(f"checkpoint {number} is not what was signed")
        self._newest = number

    def _due(self, standing: Standing, *, force: bool) -> bool:
        if self._dropping(standing):
            return True
        if standing.end == standing.size:
            return False
        if force or standing.last is None:
            return True
        age = self._now() - seconds(standing.last.time)
        return age >= self._every or age < -self._every  # the clock was set back: do not wait for the future to come

    def _put(self, connection: Connection, seen: Standing, grown: Growth) -> Checkpoint | None:
        """Sign and put down; in the writer's thread, maybe twice, so nothing but the store is changed."""
        standing = look(connection, self._instance)
        if standing.last != seen.last:
            return None
        now = self._now()
        dropped = self._dropping(standing)
        if dropped:
            self._tell(connection, now, standing, dropped)
        growth = grown.copy()
        growth.take(connection, standing.segments)
        tree = growth.end()
        # The records of a segment that was dropped end where the next one begins.
        first = next(one.first for one in standing.segments if one.number > dropped[-1].number) if dropped else None
        made = self._signed(standing, tree, now, standing.first if first is None else first)
        flat = b"".join(tree.frontier)
        row = {"instance": self._instance, "number": made.number, "size": made.size, "frontier": flat}
        connection.execute(insert(checkpoints).values(**row, document=made.document().decode()))
        if self._is_full(standing, now, tree.size):
            open_segment(connection, self._instance, tree.size, flat, timestamp(now))
        for segment in dropped:
            drop(connection, segment.relation)
        return made

    def _signed(self, standing: Standing, tree: Tree, now: float, first: int) -> Checkpoint:
        last = standing.last
        unsigned = Checkpoint(
            log=self._trail.log,
            number=1 if last is None else last.number + 1,
            size=tree.size,
            root=tree.root().hex(),
            first=first,
            time=timestamp(now),
            previous=BEFORE_ALL if last is None else last.digest(),
            key="",
        )
        return unsigned.signed(self._trail.keys.signing)

    def _is_full(self, standing: Standing, now: float, size: int) -> bool:
        last = standing.segments[-1]
        held = size - last.first
        return held >= self._retention.records or (held > 0 and now - seconds(last.opened) >= self._retention.segment)

    def _dropping(self, standing: Standing) -> list[Segment]:
        """The segments of which all is older than what is kept: what was recorded before the next one was begun."""
        if not self._retention.keep:
            return []
        until = self._now() - self._retention.keep
        there = [one for one in standing.segments if one.first >= standing.first]
        old: list[Segment] = []
        for segment, successor in pairwise(there):
            if seconds(successor.opened) >= until:
                break
            if successor.first > standing.size:  # its end is not signed yet
                break
            old.append(segment)
        return old

    def _tell(self, connection: Connection, now: float, standing: Standing, dropped: Sequence[Segment]) -> None:
        """Record that records went, in the log that they were in."""
        after = next(one.first for one in standing.segments if one.number > dropped[-1].number)
        details = {"first": dropped[0].first, "last": after - 1, "segments": [one.number for one in dropped]}
        reason = "older than what is kept"
        self._trail.job([make(now, "audit.drop", "success", reason=reason, details=details)])(connection)

    async def _publish(self) -> None:
        """Have the last checkpoint arrive wherever it has not."""
        if not self._places:
            return
        last, there = await self._store.read(
            lambda connection: (look(connection, self._instance).last, arrived(connection, self._instance))
        )
        if last is None:
            return
        trouble = ""
        for place in self._places:
            if there.get(place.name, 0) >= last.number:
                continue
            try:
                await place.put(last)
            except OSError as error:
                self._failures.inc(self._instance)
                trouble = f"checkpoints do not arrive at {place.name}: {error}"
                continue
            job = partial(note_arrival, instance=self._instance, place=place.name, number=last.number)
            await self._store.write(job)
        if trouble and trouble != self.trouble:
            _log.error("%s", trouble)
        self.trouble = trouble


def seconds(time: str) -> float:
    """RFC 3339 as seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp()
