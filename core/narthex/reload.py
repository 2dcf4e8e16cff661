"""One configuration follows another while exchanges pass.

    prepare   load, check, build beside the old one; start the plugins that are new or changed     fails: all as before
    commit    swap one reference; exchanges that begin from now on follow the new one              cannot fail
    retire    a plugin that is gone or changed stops once no exchange of its configuration is left, or after `drain`

A plugin whose table did not change keeps its instance, unless what another plugin offers it has changed.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from narthex.config import Config, raise_all
from narthex.entrypoints import import_plugins
from narthex.errors import ConfigError, StartError
from narthex.events import HouseReloaded
from narthex.guests import Guest
from narthex.house import BootHook, Estate
from narthex.life import Life, Unit
from narthex.loader import Built, build
from narthex.walk import Walk

FIXED: Final = ("app", "store", "link", "prefix", "server", "drain", "drive_lifespan", "secret_key")
"""Keys of `[narthex]` that stand as long as the process: what hangs on them is opened once."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload has changed: names of plugin instances.

    Attributes:
        digest: of the configuration that is followed now; equal in every process that follows the same.
    """

    digest: str
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def digest(config: Config, built: Built) -> str:
    """Name a configuration by 16 hex digits. Secrets are not in it: it is shown to people."""
    parts = [config.settings.model_dump(mode="json")] + [
        [guest.name, guest.table.use, guest.table.mode, guest.table.timeout, guest.settings.model_dump(mode="json")]
        for guest in built.guests
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def check_fixed(old: Config, new: Config) -> None:
    """Refuse what only a restart can change.

    Raises:
        ConfigError, ConfigErrors: with the line of each such key.
    """
    raise_all(
        [
            ConfigError(
                f"[narthex] {key} has changed, which needs a restart",
                where=new.where(("narthex", key)),
                hint="put it back, or restart",
            )
            for key in FIXED
            if getattr(old.settings, key) != getattr(new.settings, key)
        ]
    )


class Succession:
    """A configuration on its way to follow another.

    Args:
        old: what exchanges follow now.
        config: what they are to follow.
        estate: what both share.
        life: starts and stops the plugins.
        unit_of, store_unit: make what is started.
    """

    def __init__(
        self,
        old: Walk,
        config: Config,
        estate: Estate,
        life: Life,
        unit_of: Callable[[Guest], Unit],
        store_unit: Callable[[Built], Unit],
    ) -> None:
        self._old = old
        self._config = config
        self._estate = estate
        self._life = life
        self._unit_of = unit_of
        self._store_unit = store_unit
        self._started: list[Unit] = []
        self._fresh: list[Guest] = []
        self.boot_hooks: dict[str, tuple[BootHook, ...]] = {}

    async def prepare(self, walk_of: Callable[[Config, Built], Walk]) -> None:
        """Build it and start what is new.

        Raises:
            BootError: everything is as before.
        """
        if not self._life.serving:
            raise StartError("the house does not serve, so there is nothing to reload")
        check_fixed(self._old.config, self._config)
        await asyncio.to_thread(import_plugins, self._config)  # half a second for some, during which requests pass
        built = build(self._config, self._estate, self._old.built)
        known = {id(guest.plugin) for guest in self._old.built.guests}
        self._fresh = [guest for guest in built.guests if id(guest.plugin) not in known]
        self.boot_hooks = built.tenancy.boot_hooks
        self.walk = walk_of(self._config, built)
        self.digest = digest(self._config, built)
        try:
            await self._open_store(built)
            units = [self._unit_of(guest) for guest in self._fresh]
            await self._life.add(units)
            self._started += units
        except BaseException:
            await self.abandon()
            raise

    async def _open_store(self, built: Built) -> None:
        """Open the store for the first plugin that asks for it, or let it make the tables of those that are new."""
        tables = built.tenancy.tables()
        if not (tables or self._estate.stored):
            return
        if self._life.has("the store"):
            await self._estate.store.adopt(tables)
        else:
            unit = self._store_unit(built)
            await self._life.add([unit])
            self._started.append(unit)

    async def abandon(self) -> None:
        """Stop what was started for it; everything is as before."""
        await self._life.remove(self._started)
        for guest in self._fresh:
            await guest.room.close()

    def commit(self) -> Reloaded:
        """Move the plugins that stay into it, begin what the new ones have spawned, and retire the others."""
        old, new = self._old.built, self.walk.built
        self._estate.settings = self._config.settings
        if self._estate.stored:
            self._estate.store.follow(self.digest)
        for guest in new.guests:
            guest.room.tenancy = new.tenancy
        for guest in self._fresh:
            guest.room.tasks.start()
        staying = {id(guest.plugin) for guest in new.guests}
        leaving = [guest for guest in old.guests if id(guest.plugin) not in staying]
        self._estate.tasks.spawn(lambda: self._retire(leaving), "retire plugins")
        before, fresh = {guest.name for guest in old.guests}, {guest.name for guest in self._fresh}
        reloaded = Reloaded(
            self.digest,
            added=tuple(sorted(fresh - before)),
            changed=tuple(sorted(fresh & before)),
            removed=tuple(sorted(before - {guest.name for guest in new.guests})),
        )
        self._estate.events.publish(
            HouseReloaded(
                digest=reloaded.digest, added=reloaded.added, changed=reloaded.changed, removed=reloaded.removed
            )
        )
        return reloaded

    async def _retire(self, leaving: list[Guest]) -> None:
        """Release plugins that no exchange needs any more."""
        if not leaving:
            return
        try:
            for exchange in await self._estate.live.leave(self._old.hall, self._config.settings.drain):
                # It outlives its plugins: those of today take note of its end.
                exchange.plan = self.walk.chain.plan(dict(exchange.scope), exchange.kind)
        finally:
            for guest in reversed(leaving):
                await asyncio.shield(guest.room.close())
        await self._life.remove([guest.room.unit for guest in leaving if guest.room.unit is not None])
