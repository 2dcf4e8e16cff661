"""The access plugin: what is made of the settings, and what starts and stops."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar

from narthex import Allow, Deny, Exchange, House, Route, hookimpl
from narthex.errors import BootError
from narthex.events import ExchangeRefused, HouseReloaded
from narthex.hooks import Health
from narthex.services import Decisions, Directory, Permissions
from narthex.store import Tables
from narthex_plugins.access.compiling import names_of, roles_of, rules_of
from narthex_plugins.access.grants import Stored, StoredGrants
from narthex_plugins.access.permissions import RolePermissions
from narthex_plugins.access.policy import Policy, Words
from narthex_plugins.access.routes import Endpoints
from narthex_plugins.access.rules import Rule, Rulebook
from narthex_plugins.access.settings import AccessSettings
from narthex_plugins.access.tables import tables
from narthex_plugins.access.tally import Tally


class Access:
    """Says who may do what, by rules on paths, and by roles and permissions.

    Attributes:
        settings: of this instance.
        instance: its name.
        names: the roles that the file knows.
    """

    name: ClassVar = "access"
    Settings: ClassVar = AccessSettings

    def __init__(self, settings: AccessSettings, house: House) -> None:
        self.settings = settings
        self._house = house
        self.instance = house.instance
        roles = roles_of(settings, house.where)
        self.names = names_of(settings, roles, house.where)
        self._grants = StoredGrants(house.store, house.instance, house.clock, settings.stale, self._told)
        self._permissions = RolePermissions(roles, settings.grants, settings.unlimited, lambda: self._grants.stale)
        words = Words(self._of_rule, self._of_default)
        self._policy = Policy(Rulebook(rules_of(settings)), settings.default, self._permissions, self._grants, words)
        self._decide = self._policy.decide
        denials = house.metrics.counter(
            "narthex_access_denials_total", "Refusals by rule, and would-be ones.", ("instance", "rule", "shadow")
        )
        self._tally = Tally(house.instance, denials)
        self._endpoints = Endpoints(settings, house, self._grants, self.names, self._tally)
        house.events.subscribe(ExchangeRefused, self._tally.count)
        house.events.subscribe(HouseReloaded, lambda _: self._policy.forget())
        if settings.provide:
            house.provide(Permissions, self._permissions)

    @hookimpl
    def tables(self) -> Tables:
        """Give the table of grants."""
        return tables

    @hookimpl
    def routes(self) -> Sequence[Route]:
        """Give the endpoints."""
        return self._endpoints.routes()

    @hookimpl
    async def start(self) -> None:
        """Read what was granted, and go on reading."""
        with suppress(BootError):  # of several that keep accounts none is asked
            self._endpoints.directory = self._house.service(Directory)  # type: ignore[type-abstract]  # a Protocol is the key
        await self._grants.start()
        self._house.spawn(self._grants.follow, "grants")

    @hookimpl
    def health(self) -> Health:
        """Warn where the store's grants do not hold."""
        return Health("warn", self._grants.doubt) if self._grants.stale else Health("pass")

    @hookimpl
    def authorize(self, exchange: Exchange) -> Allow | Deny:
        """Say whether this is allowed; see `Policy.decide`."""
        return self._decide(exchange.method, exchange.route_path, exchange.identity)

    @asynccontextmanager
    async def visited(self) -> AsyncGenerator[StoredGrants]:
        """The grants in the store, with it open and nothing started: for commands.

        Raises:
            StartError: the store cannot be opened.
        """
        await self._house.store.start()
        try:
            yield self._grants
        finally:
            await self._house.store.stop()

    def past(self, provider: str) -> Decisions:
        """Who has recorded what was decided; for commands.

        Raises:
            BootError: the instance named so has not.
        """
        found = self._house.service(Decisions, provider)  # type: ignore[type-abstract]
        if found is None:
            raise BootError(f"{provider} has recorded nothing")
        return found

    def _told(self, granted: Stored) -> None:
        self._permissions.store_grants(granted)

    def _of_rule(self, rule: Rule) -> str:
        return f"{self._house.where('rules', rule.number) or f'rules[{rule.number}]'} {rule}"

    def _of_default(self) -> str:
        return f"{self._house.where('default')} default {self.settings.default}".strip()
