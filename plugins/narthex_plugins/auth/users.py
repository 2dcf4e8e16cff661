"""Who has an account, and where accounts come from.

`StoredUsers` keeps them in the deployment's store. A team with users of its own gives another `UserSource`.
"""

import logging
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection

from narthex.clock import Clock
from narthex.errors import DependencyError
from narthex.storage import Store
from narthex_plugins.auth.accounts import Account, Accounts
from narthex_plugins.auth.names import canonical
from narthex_plugins.auth.passwords import Passwords

_log = logging.getLogger("narthex.plugins.auth")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has an account.

    Attributes:
        subject: the `sub` of their tokens: never changed, never given to anybody else.
        name: what they log in with.
        roles, permissions: words for `Identity`.
        disabled: whether they may do nothing for now.
        password_set: when the password was set that was verified, seconds since the epoch; None where nobody says.
    """

    subject: str
    name: str
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    disabled: bool = False
    password_set: float | None = None


@runtime_checkable
class UserSource(Protocol):
    """Where users come from: `house.provide(UserSource, ...)` puts another in the place of the stored ones."""

    async def verify(self, name: str, password: str) -> User | None:
        """The user of this name and password, or None; in the same time whatever is wrong.

        Raises:
            DependencyError: it cannot be said now.
        """
        ...

    async def find(self, subject: str) -> User | None:
        """The user as they are now; None when they are gone or disabled.

        Raises:
            DependencyError: it cannot be said now.
        """
        ...


class StoredUsers:
    """The accounts in the store.

    Args:
        instance: the plugin's; each has accounts of its own.
    """

    def __init__(self, store: Store, clock: Clock, passwords: Passwords, instance: str) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._accounts = Accounts(instance)

    async def verify(self, name: str, password: str) -> User | None:
        """The user of this name and password.

        Returns:
            None for an unknown name, a wrong password, a disabled account, one without a password or with one that has
            run out. All of them cost one read and one verification. The one difference: an account whose hash was made
            with other parameters, and that has not logged in since they were changed, takes the time those take.

        Raises:
            DependencyError: the store does not answer, or too many logins wait.

        Cost: one read and one Argon2id verification; a second one and a write where the hash is made anew.
        """
        wanted = canonical(name) or ""  # nobody's name, but the read is made
        account = await self._store.read(lambda connection: self._accounts.named(connection, wanted))
        good = await self._passwords.verify(account.password if account else None, password)
        if account is None or not good or not account.may_log_in(self._clock.now()):
            return None
        await self._make_anew(account, password)
        return _user(account)

    async def find(self, subject: str) -> User | None:
        """The user as they are now; None when they are gone or disabled. One read.

        Raises:
            DependencyError: the store does not answer.
        """
        account = await self._store.read(lambda connection: self._accounts.of(connection, subject))
        return None if account is None or account.disabled else _user(account)

    def still(self, connection: Connection, user: User) -> User | None:
        """The user as they are at this moment, if what `verify` found still holds; for the job that begins a session.

        A verification takes a tenth of a second, in which the account may be disabled or get another password, and its
        sessions end. One that began a moment later, by the old password, would outlive them.
        """
        account = self._accounts.of(connection, user.subject)
        holds = account is not None and account.password_set == user.password_set
        return _user(account) if account and holds and account.may_log_in(self._clock.now()) else None

    async def _make_anew(self, account: Account, password: str) -> None:
        """Hash again where the parameters have changed. Nobody is kept out because that cannot be done just now."""
        old = account.password
        if old is None or not self._passwords.hasher.is_stale(old):
            return
        try:
            new = await self._passwords.hash(password)
            await self._store.write(lambda connection: self._accounts.replace_hash(connection, account, new))
        except DependencyError as error:
            _log.warning("a password hash of the older parameters stays for now: %s", error)


def _user(account: Account) -> User:
    return User(
        account.subject, account.name, account.roles, account.permissions, account.disabled, account.password_set
    )
