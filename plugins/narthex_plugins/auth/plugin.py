"""The auth plugin: what is made of the settings, and what starts and stops."""

import asyncio
import random
from collections.abc import Coroutine, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Final

from sqlalchemy import Connection

from narthex import Deny, Exchange, House, Identity, Route, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.errors import DependencyError
from narthex.events import Unsubscribe
from narthex.hooks import Health, Inside, may_wait
from narthex.sealing import sealer_of
from narthex.services import Directory, Sessions, TokenRevoker
from narthex.store import Tables
from narthex_plugins.auth.account_changes import AccountChanges
from narthex_plugins.auth.accounts import Accounts
from narthex_plugins.auth.alerting import BOARD, RULE
from narthex_plugins.auth.breached import open_breaches
from narthex_plugins.auth.claims import Expectations
from narthex_plugins.auth.cookies import CookieJar
from narthex_plugins.auth.credentials import Reader
from narthex_plugins.auth.directory import AccountDirectory
from narthex_plugins.auth.ended import EndedSessions
from narthex_plugins.auth.events import (
    AccountDisabled,
    AccountEvent,
    AccountPasswordChanged,
    AccountRolesChanged,
    SessionEnded,
)
from narthex_plugins.auth.grants import Grants, Parts
from narthex_plugins.auth.hiding import Hidden
from narthex_plugins.auth.identify import Identifier, Places
from narthex_plugins.auth.keystore import Keystore, policy_of
from narthex_plugins.auth.password_change import PasswordChange
from narthex_plugins.auth.password_route import PasswordEndpoint
from narthex_plugins.auth.passwords import Passwords
from narthex_plugins.auth.routes import Endpoints
from narthex_plugins.auth.sessions import PAGE, SessionRows, StoredSessions
from narthex_plugins.auth.settings import AuthSettings
from narthex_plugins.auth.signing import SIGNING_ALGORITHMS
from narthex_plugins.auth.tables import tables
from narthex_plugins.auth.throttle import Throttle
from narthex_plugins.auth.users import StoredUsers, UserSource
from narthex_plugins.auth.verified import Verified

_SWEEP: Final = 600.0
_ENDING: Final[Mapping[type[AccountEvent], str]] = {
    AccountDisabled: "the account was disabled",
    AccountPasswordChanged: "the password was changed",
}


class Auth:
    """Says who asks, by signed tokens and session cookies, and gives them to who knows a password."""

    name: ClassVar = "auth"
    Settings: ClassVar = AuthSettings

    def __init__(self, settings: AuthSettings, house: House) -> None:
        self._house = house
        self._settings = settings
        self._store = store = house.store
        clock, instance = house.clock, house.instance
        self._jar = jar = CookieJar(settings.cookie, insecure=settings.insecure_cookies)
        self._reader = reader = Reader(jar.names, settings.origins)
        self._tokens = Verified(settings.verified, clock.now)
        self._cookies = Verified(settings.verified, clock.now)
        self._keys = keys = Keystore(
            store,
            instance,
            sealer_of(house.settings, "auth", "its signing keys"),
            clock,
            policy_of(settings),
            house.events,
            self._tokens.clear,
        )
        self._rows = rows = SessionRows(instance, store.link, settings.session_idle)
        self._ended = EndedSessions(store, rows.log, clock, self._tell_ended)
        self._sessions = sessions = StoredSessions(settings.issuer, store, clock, rows, self._ended.outdated)
        self._accounts = Accounts(instance, store.link)
        self._changes = AccountChanges(store, house.events, self._accounts)
        self._passwords = Passwords(settings.passwords)
        expected = Expectations(
            issuer=settings.issuer,
            audiences=frozenset({settings.audience or settings.issuer}),
            algorithms=SIGNING_ALGORITHMS,
            leeway=settings.leeway,
            max_size=settings.max_token_size,
        )
        throttle = Throttle(store, clock, settings.throttle, instance)
        self._change = change = PasswordChange(store, clock, self._accounts, rows, self._passwords, throttle, settings)
        self._password_endpoint = PasswordEndpoint(settings, change)
        parts = Parts(store, clock, house.events, keys, sessions, rows, throttle)
        self._grants = Grants(instance, settings, parts)
        self._endpoints = Endpoints(settings, self._grants, keys, expected, reader, jar, clock)
        self._identifier = Identifier(
            Places(
                store=store,
                clock=clock,
                reader=reader,
                jar=jar,
                keys=keys,
                expected=expected,
                sessions=rows,
                ended=self._ended,
                tokens=self._tokens,
                cookies=self._cookies,
                recheck=settings.access_lifetime,
                idle=settings.session_idle,
                touch=sessions.touch,
            )
        )
        self._known = self._identifier.known
        self._unsubscribe: Unsubscribe | None = None
        house.provide(Directory, AccountDirectory(instance, settings.issuer))
        house.provide(Sessions, sessions)

    @hookimpl
    def tables(self) -> Tables:
        """Give the tables of accounts, keys and sessions."""
        return tables

    @hookimpl
    def routes(self) -> Sequence[Route]:
        """Give the endpoints."""
        return [*self._endpoints.routes(), self._password_endpoint.route()]

    @hookimpl
    def wrap(self) -> Inside:
        """Take the credential away from what the app sees."""
        return Inside(lambda app: Hidden(app, self._reader).call)

    @hookimpl
    async def start(self) -> None:
        """Have keys to sign with, and begin to follow what other processes do."""
        house = self._house
        users = house.service(UserSource) or StoredUsers(  # type: ignore[type-abstract]  # a Protocol is the key
            self._store, house.clock, self._passwords, house.instance
        )
        self._identifier.users = self._grants.users = users
        self._password_endpoint.stored = isinstance(users, StoredUsers)
        self._endpoints.revoker = house.service(TokenRevoker)  # type: ignore[type-abstract]
        breached = self._settings.passwords.breached
        if breached is not None:
            self._change.breaches = await asyncio.to_thread(open_breaches, house.directory / breached)
        await self._keys.start()
        await self._ended.start()
        await self._changes.start()
        self._unsubscribe = house.events.subscribe(AccountEvent, self._account_changed)
        if self._settings.issuers:
            await self._follow_issuers()
        house.spawn(self._keys.follow, "signing keys")
        house.spawn(self._ended.follow, "ended sessions")
        house.spawn(self._changes.follow, "account changes")
        house.spawn(self._sweep, "sweep")

    @hookimpl
    def stop(self) -> None:
        """Let the threads that hash go."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._passwords.close()

    @hookimpl
    def health(self) -> Health:
        """Warn of a signing key that cannot be read, and of an external issuer whose tokens cannot be verified."""
        if self._keys.trouble:
            return Health("warn", "a signing key cannot be opened")
        issuers = self._identifier.issuers
        mute = issuers.without_keys() if issuers is not None else []
        return Health("warn", f"no keys of {', '.join(mute)}") if mute else Health("pass")

    @hookimpl
    def alert_rules(self) -> Sequence[AlertRule]:
        """Tell when an external issuer's keys cannot be fetched."""
        return (RULE,) if self._settings.issuers else ()

    @hookimpl
    def dashboards(self) -> Sequence[Board]:
        """Show the fetches of keys."""
        return (BOARD,) if self._settings.issuers else ()

    @hookimpl
    @may_wait
    def authenticate(self, exchange: Exchange) -> Identity | Deny | Coroutine[Any, Any, Identity | Deny | None] | None:
        """Say who asks."""
        return self._known(exchange) or self._identifier.identify(exchange)

    async def _follow_issuers(self) -> None:
        # Only who has some needs httpx, which takes a tenth of a second to import: beside the loop, for a reload.
        await asyncio.to_thread(import_module, "narthex_plugins.auth.issuers")
        from narthex_plugins.auth.issuers import ExternalIssuers  # noqa: PLC0415

        own = self._settings
        issuers = ExternalIssuers(own.issuers, self._house, own.leeway, own.max_token_size, self._tokens)
        self._identifier.issuers = issuers
        await issuers.start()

    def _tell_ended(self, ids: Sequence[str]) -> None:
        """Sessions were ended, in this process or another."""
        self._cookies.forget_sessions(ids)
        for session_id in ids:
            self._house.live.close(session_id=session_id, issuer=self._settings.issuer, reason="session_ended")
            self._house.events.publish(SessionEnded(instance=self._house.instance, session_id=session_id))

    async def _account_changed(self, event: AccountEvent) -> None:
        """Every process does so; the first one finds something to end."""
        if event.instance != self._house.instance:
            return
        if isinstance(event, AccountRolesChanged):
            self._cookies.forget(lambda identity: identity.subject == event.subject)
        reason = _ENDING.get(type(event))
        if reason is not None:
            # Those that began since the change, by the new password, are not meant: this may be told seconds later.
            await self._sessions.end_all(event.subject, reason, begun=event.at)

    async def _sweep(self) -> None:
        """Take away from time to time what says nothing any more; processes do so at different times."""
        while True:
            await asyncio.sleep(_SWEEP * random.uniform(0.5, 1.5))  # noqa: S311  only spreads the load
            try:
                while await self._store.write(self._sweep_page) >= PAGE:
                    continue
            except DependencyError as error:
                self._house.log.warning("old sessions could not be swept away: %s", error)

    def _sweep_page(self, connection: Connection) -> int:
        settings = self._settings
        now = self._house.clock.now()
        return self._rows.sweep(connection, now, settings.session_history, settings.session_lifetime)
