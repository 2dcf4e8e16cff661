"""What the tests of accounts stand on: the plugin's tables in a store, cheap passwords, and time that stands still."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

from narthex import House, hookimpl
from narthex.store import Store, Tables
from narthex.testing import FixedClock
from narthex_plugins.auth.account_settings import PasswordSettings, ThrottleSettings
from narthex_plugins.auth.accounts import Account, Accounts
from narthex_plugins.auth.passwords import Passwords
from narthex_plugins.auth.settings import AuthSettings
from narthex_plugins.auth.tables import tables
from narthex_plugins.auth.throttle import Throttle
from narthex_plugins.auth.users import StoredUsers

CHEAP: Final = PasswordSettings(memory=8192, passes=1, lanes=1)
"""The least Argon2 can do, where strength is not what is tested."""
GOOD: Final = "correct horse battery"
MakeStore = Callable[..., Store]


class OnlyAccounts:
    """The plugin auth as the commands need it: its name, its settings and its tables."""

    name: ClassVar = "auth"
    Settings: ClassVar = AuthSettings

    def __init__(self, settings: AuthSettings, house: House) -> None:
        self._store = house.store

    @hookimpl
    def tables(self) -> Tables:
        return tables


@dataclass(slots=True)
class Desk:
    """One process's end of the accounts."""

    store: Store
    clock: FixedClock
    passwords: Passwords
    accounts: Accounts
    users: StoredUsers
    throttle: Throttle

    async def add(self, name: str, password: str | None = GOOD, *roles: str, until: float | None = None) -> Account:
        """Make an account."""
        encoded = None if password is None else await self.passwords.hash(password)
        return await self.store.write(
            lambda connection: self.accounts.add(connection, name, encoded, self.clock.now(), roles=roles, until=until)
        )


@asynccontextmanager
async def desk(
    make_store: MakeStore,
    *,
    passwords: PasswordSettings = CHEAP,
    throttle: ThrottleSettings | None = None,
    clock: FixedClock | None = None,
    instance: str = "auth",
) -> AsyncIterator[Desk]:
    """Accounts in an open store; a second desk of the same test is another process of the deployment."""
    clock = clock or FixedClock()
    store = make_store()
    await store.start([tables])
    pool, accounts = Passwords(passwords), Accounts(instance, store.link)
    try:
        users = StoredUsers(store, clock, pool, instance)
        yield Desk(
            store, clock, pool, accounts, users, Throttle(store, clock, throttle or ThrottleSettings(), instance)
        )
    finally:
        await store.stop()
        pool.close()
