"""Where the signing keys are kept, and how every process comes to have the same ones.

The rows are the truth; a process holds a copy and looks again when the link says that keys have changed, and every few
seconds in any case. Nobody is in charge: whichever process finds a key due makes one, and of several that do so at once
the writer lets one win, because the look and the insertion are one transaction.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from narthex.clock import Clock
from narthex.errors import DependencyError, StartError
from narthex.events import EventBus
from narthex.link.looking import keep_looking
from narthex.sealing import SealBroken, Sealer
from narthex.storage import Store
from narthex_plugins.auth.events import KeyAdded, KeyGone
from narthex_plugins.auth.keyring import Key, Ring
from narthex_plugins.auth.keyset import KeySet, load_jwks
from narthex_plugins.auth.settings import AuthSettings
from narthex_plugins.auth.signing import SIGNING_ALGORITHMS, SigningKey, load_signing_key, new_signing_key
from narthex_plugins.auth.tables import keys as table

_log = logging.getLogger("narthex.plugins.auth")

LOOK: Final = 5.0
"""Seconds between two looks that nobody asked for: what a process that was told nothing is behind at most."""
MARGIN: Final = 60.0
"""Seconds, beside the leeway, that clocks of two hosts may differ by before a retired key is let go too early."""
SETTLE: Final = 2 * LOOK
"""Seconds before a key made in haste signs: until then every process of the deployment has it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When keys change, in seconds.

    Attributes:
        algorithm: of new keys.
        lifetime: of the tokens they sign.
        rotate_every: how long a key signs; 0 for ever.
        overlap: how long a key is published before it signs.
        margin: how far clocks may differ.
    """

    algorithm: str
    lifetime: float
    rotate_every: float
    overlap: float
    margin: float


def policy_of(settings: AuthSettings) -> Policy:
    """What the settings say of keys."""
    return Policy(
        settings.algorithm,
        settings.access_lifetime,
        settings.rotate_every,
        settings.overlap,
        settings.leeway + MARGIN,
    )


class Keystore:
    """The keys of one instance, as this process has them.

    Args:
        store: where the rows are.
        instance: whose keys.
        sealer: opens and seals them.
        clock: `now` decides which key signs.
        policy: when keys change.
        bus: hears of keys that come and go.
        gone: called after a key has left, so that what it vouched for is forgotten.

    Attributes:
        kept: the keys that verify and are published.
        key_set: the same, checked and ready to verify with.
        document: the JWKS as it is sent.
        trouble: what is wrong with a row that could not be read, or "".
    """

    def __init__(
        self,
        store: Store,
        instance: str,
        sealer: Sealer,
        clock: Clock,
        policy: Policy,
        bus: EventBus,
        gone: Callable[[], None],
    ) -> None:
        self._store = store
        self._instance = instance
        self._sealer = sealer
        self._clock = clock
        self._policy = policy
        self._looking = asyncio.Lock()
        self._ring = Ring()
        self._bus = bus
        self._gone = gone
        self.kept: tuple[Key, ...] = ()
        self.key_set: KeySet = KeySet(())
        self.document = b'{"keys":[]}'
        self.trouble = ""

    @property
    def topic(self) -> str:
        """What the link calls a change of these keys."""
        return topic(self._instance)

    @property
    def ring(self) -> Ring:
        """Every key of the store."""
        return self._ring

    def signing(self) -> Key:
        """The key that signs now.

        Raises:
            DependencyError: there is none; after `start` only where every key was withdrawn, until a new one signs.
        """
        key = self._ring.signing(self._clock.now())
        if key is None:
            raise DependencyError("no key signs yet", retry_after=1)
        return key

    async def start(self) -> None:
        """Read the keys, and make the first one where there is none.

        Raises:
            StartError: they are sealed under another secret key, or a seal is damaged.
        """
        self._looking = asyncio.Lock()  # of this loop
        try:
            await self._look(strict=True)
        except SealBroken as error:
            raise StartError(f"the signing keys of {self._instance} cannot be opened: {error}") from error
        now = self._clock.now()
        if not self._ring.keys:
            await self._make(now, lambda newest: newest is None)
        elif self._ring.keys[-1].signer.algorithm != self._policy.algorithm:
            newest = self._ring.keys[-1].kid
            await self._make(now + self._policy.overlap, lambda found: found is not None and found["kid"] == newest)
        await self._store.write(self._note_lifetime)
        await self._look(strict=True)

    async def follow(self) -> None:
        """Look whenever the link says so, and from time to time; make a key when one is due. Runs for ever."""
        await keep_looking(self._store.link, self.topic, self._turn, LOOK)

    async def rotate(self, *, at: float | None = None) -> Key:
        """Make a new key that signs from `at` on, by default when the overlap has passed."""
        made = await self._make(self._clock.now() + self._policy.overlap if at is None else at, lambda _: True)
        await self._look(strict=False)
        return next(key for key in self._ring.keys if key.kid == made)

    async def _turn(self) -> None:
        try:
            await self._look(strict=False)
            now = self._clock.now()
            if self._ring.due(now, self._policy.rotate_every, self._policy.overlap):
                # Where there is none any more, there is nothing to overlap with, and nobody waits for it.
                await self._make(now + self._policy.overlap if self._ring.keys else now, self._is_due)
                await self._look(strict=False)
            if len(self.kept) < len(self._ring.keys):
                kids = {key.kid for key in self._ring.keys} - {key.kid for key in self.kept}
                await self._store.write(lambda connection: remove(connection, self._instance, kids))
        except DependencyError as error:  # the keys in memory go on being good
            _log.warning("the signing keys could not be looked at: %s", error)

    def _is_due(self, newest: RowMapping | None) -> bool:
        policy = self._policy
        return newest is None or self._clock.now() >= newest["signs_at"] + policy.rotate_every - policy.overlap

    async def _make(self, signs_at: float, wanted: Callable[[RowMapping | None], bool]) -> str | None:
        """Put a new key into the store if it is wanted in view of the newest there; give its name."""
        signer = await asyncio.to_thread(new_signing_key, self._policy.algorithm)
        row = sealed_row(self._instance, signer, self._policy, self._sealer, self._clock.now(), signs_at)

        def job(connection: Connection) -> str | None:
            found = rows(connection, self._instance)
            if not wanted(found[-1] if found else None):
                return None
            connection.execute(insert(table), row)
            self._store.link.announce(connection, self.topic)
            return str(row["kid"])

        kid = await self._store.write(job)
        if kid is not None:
            _log.info("made the signing key %s for %s", kid, self._policy.algorithm)
        return kid

    def _note_lifetime(self, connection: Connection) -> None:
        """Keep retired keys as long as the longest-lived token they may have signed."""
        shorter = (table.c.instance == self._instance) & (table.c.lifetime < self._policy.lifetime)
        if connection.execute(update(table).where(shorter).values(lifetime=self._policy.lifetime)).rowcount:
            self._store.link.announce(connection, self.topic)

    async def _look(self, *, strict: bool) -> None:
        async with self._looking:
            found = await self._store.read(lambda connection: rows(connection, self._instance))
            # A key that is open already is not opened again: it may have been sealed anew since, under a key to come.
            signers = {key.kid: key.signer for key in self._ring.keys}
            trouble = ""
            for row in found:
                try:
                    if row["kid"] not in signers:  # off the loop: an RSA key is checked for 30 ms
                        signers[row["kid"]] = await asyncio.to_thread(_open, row, self._sealer)
                except SealBroken as error:
                    if strict:
                        raise
                    trouble = f"key {row['kid']}: {error}"
            keys = [
                Key(signers[row["kid"]], row["created"], row["signs_at"], row["lifetime"])
                for row in found
                if row["kid"] in signers
            ]
            if trouble and trouble != self.trouble:
                _log.error("%s", trouble)
            self.trouble = trouble
            self._ring = Ring(tuple(keys), self._policy.margin)
            self._publish()

    def _publish(self) -> None:
        before = {key.kid for key in self.kept}
        kept = self._ring.kept(self._clock.now())
        after = {key.kid for key in kept}
        self.kept = kept
        if before == after:
            return
        published = {"keys": [key.signer.public_jwk() for key in kept]}
        self.key_set = load_jwks(published, SIGNING_ALGORITHMS)
        self.document = json.dumps(published, separators=(",", ":")).encode()
        if before - after:
            self._gone()
        self._tell(before, after)

    def _tell(self, before: set[str], after: set[str]) -> None:
        for kid in sorted(before - after):
            self._bus.publish(KeyGone(instance=self._instance, kid=kid))
        for key in self.kept if before else ():  # a process that starts has found its keys, which is no news
            if key.kid in after - before:
                algorithm, at = key.signer.algorithm, key.signs_at
                self._bus.publish(KeyAdded(instance=self._instance, kid=key.kid, algorithm=algorithm, signs_at=at))


def topic(instance: str) -> str:
    """What the link calls a change of an instance's keys."""
    return f"auth-keys:{instance}"


def rows(connection: Connection, instance: str) -> Sequence[RowMapping]:
    """The rows of an instance, the newest key last."""
    found = select(table).where(table.c.instance == instance).order_by(table.c.signs_at, table.c.kid)
    return connection.execute(found).mappings().all()


def remove(connection: Connection, instance: str, kids: set[str]) -> int:
    """Take keys out of the store; how many there were."""
    return connection.execute(delete(table).where(table.c.instance == instance, table.c.kid.in_(kids))).rowcount


def sealed_row(
    instance: str, signer: SigningKey, policy: Policy, sealer: Sealer, now: float, signs_at: float
) -> dict[str, object]:
    """A row for a new key."""
    return {
        "instance": instance,
        "kid": signer.kid,
        "algorithm": signer.algorithm,
        "sealed": sealer.seal(signer.private_bytes(), purpose(instance, signer.kid, signer.algorithm)),
        "created": now,
        "signs_at": signs_at,
        "lifetime": policy.lifetime,
    }


def purpose(instance: str, kid: str, algorithm: str) -> bytes:
    """What a key's seal is bound to: moved to another row, or given another algorithm, it does not open."""
    return f"signing key\0{instance}\0{kid}\0{algorithm}".encode()


def reseal(connection: Connection, instance: str, old: Sealer, new: Sealer) -> int:
    """Seal every key anew under another secret key; a job. How many there were.

    Raises:
        SealBroken: one of them opens under neither.
    """
    done = 0
    for row in rows(connection, instance):
        bound = purpose(instance, row["kid"], row["algorithm"])
        try:
            new.open(row["sealed"], bound)
        except SealBroken:
            sealed = new.seal(old.open(row["sealed"], bound), bound)
            here = (table.c.instance == instance) & (table.c.kid == row["kid"])
            done += connection.execute(update(table).where(here).values(sealed=sealed)).rowcount
    return done


def _open(row: RowMapping, sealer: Sealer) -> SigningKey:
    private = sealer.open(row["sealed"], purpose(row["instance"], row["kid"], row["algorithm"]))
    return load_signing_key(private, row["algorithm"])
