"""What a plugin may use: its House. Each plugin instance gets one of its own; what they share is behind it."""

import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from narthex.chain import Chain
from narthex.clock import Clock, SystemClock
from narthex.config import Config, NarthexSettings
from narthex.errors import ContractError
from narthex.events import EventBus
from narthex.identity import Identity
from narthex.life import Unit
from narthex.link import Link
from narthex.live import LiveExchanges
from narthex.metrics import Metrics
from narthex.rehearsal import Rehearsal, rehearse
from narthex.services import CorePermissions, Permissions, Services
from narthex.storage import Store
from narthex.tasks import Tasks

S = TypeVar("S")
BootHook = tuple[str, Callable[[], Any], bool]
"""Instance name, bound hook, whether it must be awaited."""


@dataclass(eq=False)
class Estate:
    """What the houses of all plugins stand on, whatever the configuration. One per Narthex; core's own.

    Attributes:
        ready: start-up has ended and the house is not on its way down.
        ordinal: 1 for the first of this process.
    """

    settings: NarthexSettings
    directory: Path
    clock: Clock = field(default_factory=SystemClock)
    tasks: Tasks = field(default_factory=Tasks)
    metrics: Metrics = field(default_factory=Metrics)
    live: LiveExchanges = field(default_factory=LiveExchanges)
    ready: bool = False
    ordinal: int = field(default_factory=itertools.count(1).__next__)

    def __post_init__(self) -> None:
        self.events = EventBus(self.tasks, self.metrics)
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The store, made when first asked for: only then SQLAlchemy is imported, and the store opened at start-up."""
        if self._store is None:
            from narthex.store import Store as SqlStore  # noqa: PLC0415  a house without it does not import it
            from narthex.store.address import parse  # noqa: PLC0415

            self._store = store = SqlStore(parse(self.settings.store.reveal(), self.directory), self.clock)
            self.metrics.gauge("narthex_queue_length", "What waits to be written.", ("queue",)).watch(
                lambda: store.waiting, "store"
            )
            self.metrics.counter("narthex_store_dropped_total", "Records lost: no room, or not written.").watch(
                lambda: store.dropped
            )
        return self._store

    @property
    def stored(self) -> bool:
        """Whether any plugin has asked for the store."""
        return self._store is not None


@dataclass(eq=False)
class Tenancy:
    """What belongs to one configuration, and is replaced as a whole by the next. Core's own.

    Attributes:
        config: the configuration.
        chain: its stages; set by the loader once they are frozen.
        boot_hooks: hook name to the implementations, in file order; filled by the loader.
    """

    config: Config
    services: Services = field(default_factory=Services)
    chain: Chain | None = None
    boot_hooks: dict[str, tuple[BootHook, ...]] = field(default_factory=dict[str, tuple[BootHook, ...]])

    def __post_init__(self) -> None:
        self._core = CorePermissions()

    @property
    def settings(self) -> NarthexSettings:
        """The `[narthex]` table."""
        return self.config.settings

    def tables(self) -> list[Any]:
        """What plugins keep in the store; a plugin with several instances says it as often."""
        given = (give() for _, give, _ in self.boot_hooks.get("tables", ()))
        return [tables for tables in given if tables is not None]

    def permissions(self) -> Permissions:
        """The access plugin's answer to who may what, else core's own."""
        offered = self.services.service(Permissions, None, "core")  # type: ignore[type-abstract]  # a Protocol is the key
        return self._core if offered is None else offered


class Room:
    """What one plugin instance occupies: core's end of its House.

    Attributes:
        tenancy: of the configuration it lives under now.
        tasks: what it has spawned.
        events: the bus, with its subscriptions.
        unit: starts and stops it, once there is one.
    """

    def __init__(self, estate: Estate, tenancy: Tenancy) -> None:
        self.tenancy = tenancy
        self.tasks = Tasks()
        self.events = estate.events.view(self.tasks)
        self.unit: Unit | None = None

    def built(self) -> None:
        """Its constructor has returned: what it has asked for until now is asked for in every life."""
        self.tasks.built()
        self.events.built()

    def forget(self) -> None:
        """Drop what an attempt to start, or a life before this one, has asked for."""
        self.tasks.forget()
        self.events.forget()

    async def close(self) -> None:
        """End its tasks and subscriptions for good."""
        self.events.close()
        await self.tasks.stop()


class House:
    """The house as one plugin instance sees it.

    Attributes:
        instance: the name of the plugin's table in the file.
        directory: where the configuration file lies; relative paths of settings start here.
        clock: the three clocks.
        events: publish and subscribe to typed events.
        metrics: counters, gauges and histograms; they cost nothing without a metrics plugin.
        live: the exchanges under way; closes them by token, session or subject.
        ordinal: which house of its process this is, from 1; the same in every worker of a server.
        log: a standard logger named `narthex.plugins.<instance>`.
    """

    def __init__(self, estate: Estate, room: Room, instance: str) -> None:
        self._estate = estate
        self._room = room
        self.instance = instance
        self.directory = estate.directory
        self.clock = estate.clock
        self.events = room.events
        self.metrics = estate.metrics
        self.live = estate.live
        self.ordinal = estate.ordinal
        self.log = logging.getLogger(f"narthex.plugins.{instance}")

    @property
    def settings(self) -> NarthexSettings:
        """The `[narthex]` table as it is now."""
        return self._room.tenancy.settings

    @property
    def shadow(self) -> bool:
        """Whether the plugin's table says `mode = "shadow"`, so that it acts on nothing; a reload may change it."""
        mode = next((one.mode for one in self._room.tenancy.config.plugins if one.instance == self.instance), "")
        return mode == "shadow"

    @property
    def ready(self) -> bool:
        """Whether start-up has ended and the house is not on its way down."""
        return self._estate.ready

    @property
    def store(self) -> Store:
        """The store. Ask for it while the plugin is built; it is open from `start` to the end of `stop`."""
        return self._estate.store

    @property
    def link(self) -> Link:
        """Tells every process of the deployment to look; goes with the store."""
        return self._estate.store.link

    def spawn(self, work: Callable[[], Awaitable[None]], name: str = "") -> None:
        """Run `work` in the background until it returns or the house stops; after a fault it is started again."""
        self._room.tasks.spawn(work, f"{self.instance}: {name or getattr(work, '__name__', 'task')}")

    def provide(self, protocol: type, service: object) -> None:
        """Offer `service` to other plugins under `protocol`. Only while the plugin is built."""
        self._room.tenancy.services.provide(protocol, service, self.instance)

    def service(self, protocol: type[S], instance: str | None = None) -> S | None:
        """What another plugin offers under `protocol`, or None. From `start` on.

        Raises:
            BootError: several offer it and `instance` names none, or the named one does not offer it.
        """
        return self._room.tenancy.services.service(protocol, instance, self.instance)

    def permissions(self) -> Permissions:
        """Who may what: the access plugin's answer, else core's order user < engineer < admin."""
        return self._room.tenancy.permissions()

    def where(self, *keys: str | int) -> str:
        """Where the file says a key of the plugin's own table: "narthex.toml:12", or the variable that set it.

        Of a key that the file does not have, the line of the table it would stand in; "" where no file was read. The
        lines are those of the file as it is followed now: ask again after a reload, when `settings` is another object.
        """
        return self._room.tenancy.config.where(("plugins", self.instance, *keys))

    async def rehearse(self, method: str, target: str, identity: Identity | None) -> Rehearsal:
        """Ask what would become of a request of this identity, without sending it; from `start` on.

        Every policy's `authorize` is asked, guards that need a real request are not; see docs/reference/hooks.md.

        Raises:
            ContractError: asked while plugins are built.
        """
        tenancy = self._room.tenancy
        if tenancy.chain is None:
            raise ContractError(f"{self.instance} asks before the chain is frozen", hint="ask in `start` or later")
        return await rehearse(tenancy.chain, tenancy.permissions(), method, target, identity, running=True)

    def hooks(self, name: str) -> Sequence[BootHook]:
        """Every plugin's implementation of a boot hook (`health`, `panels`, ...), in file order."""
        return self._room.tenancy.boot_hooks.get(name, ())
