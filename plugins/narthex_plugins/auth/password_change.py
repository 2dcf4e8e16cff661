"""Users change their own password: the current one is asked for again, and throttled as a login is (ASVS 6.2.2, 6.2.3).

A stolen session is thus not enough to take the account over. Every session of the user ends with the old password.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from narthex.clock import Clock
from narthex.storage import Store
from narthex_plugins.auth.accounts import Account, Accounts
from narthex_plugins.auth.breached import Breaches
from narthex_plugins.auth.logins import Refused, Wait
from narthex_plugins.auth.password_rules import PasswordRefused, check_new
from narthex_plugins.auth.passwords import Passwords
from narthex_plugins.auth.sessions import SessionRows
from narthex_plugins.auth.settings import AuthSettings
from narthex_plugins.auth.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Changed:
    """The new password holds, and sessions of before are over.

    Attributes:
        sessions: how many there were.
    """

    sessions: int


class PasswordChange:
    """Changes passwords of stored users.

    Args:
        settings: how long a password is, and the issuer, whose name is no part of one.

    Attributes:
        breaches: passwords that were in a breach; set at start, where there is a file of them.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        accounts: Accounts,
        sessions: SessionRows,
        passwords: Passwords,
        throttle: Throttle,
        settings: AuthSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._min_length = settings.passwords.min_length
        self._issuer = settings.issuer
        self.breaches: Breaches | None = None

    async def change(self, subject: str, current: str, new: str, address: str | None) -> Changed | Refused | Wait:
        """Put a new password in the place of the current one.

        Args:
            subject: whose.
            current: as it was typed.
            new: the same.
            address: the client's.

        Returns:
            Refused where the current password is wrong, the account gone or disabled, or changed meanwhile.

        Raises:
            PasswordRefused: the new one may not be one, or is the current one.
            DependencyError: it cannot be done now.

        Cost: two Argon2id computations; two reads and up to three writes.
        """
        account = await self._store.read(lambda connection: self._accounts.of(connection, subject))
        if account is None:
            return Refused()
        await self._check(new, (account.name, self._issuer))
        async with self._throttle.attempt(account.name, address) as attempt:
            if attempt.wait > 0:
                return Wait(attempt.wait)
            good = await self._passwords.verify(account.password, current)
            if not good or not account.may_log_in(self._clock.now()):
                await attempt.failed()
                return Refused()
            await attempt.succeeded()
        if new == current:
            raise PasswordRefused("this is the password there was")
        encoded, now = await self._passwords.hash(new), self._clock.now()
        return await self._store.write(lambda connection: self._put(connection, account, encoded, now))

    async def _check(self, new: str, words: Sequence[str]) -> None:
        check = partial(check_new, new, min_length=self._min_length, words=words, breaches=self.breaches)
        if self.breaches is None:
            check()
        else:  # the disk is read
            await asyncio.to_thread(check)

    def _put(self, connection: Connection, account: Account, encoded: str, now: float) -> Changed | Refused:
        there = self._accounts.of(connection, account.subject)
        if there is None or there.disabled or there.password != account.password:
            return Refused()
        self._accounts.set_password(connection, account, encoded, now)
        return Changed(len(self._sessions.end_all(connection, account.subject, "the password was changed", now)))
