"""What becomes of an account while a login of it is under way, and of a login while its process ends."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from narthex.errors import DependencyError
from narthex_plugins.auth.account_settings import PasswordSettings
from narthex_plugins.auth.accounts import Account, Accounts
from narthex_plugins.auth.events import LoggedIn, LoginFailed
from narthex_plugins.auth.passwords import Passwords
from narthex_plugins.auth.users import StoredUsers, User
from tests.plugins.auth.site import HERE, PASSWORD, site

Change = Callable[[Accounts, Connection, Account, float], None]


def another_password(accounts: Accounts, connection: Connection, account: Account, now: float) -> None:
    accounts.set_password(connection, account, "$argon2id$another", now + 1)


def disabling(accounts: Accounts, connection: Connection, account: Account, now: float) -> None:
    accounts.set_disabled(connection, account, True, now)


def other_roles(accounts: Accounts, connection: Connection, account: Account, now: float) -> None:
    accounts.set_roles(connection, account, ["auditor"], now)


class Late(StoredUsers):
    """Verifies as ever; then something becomes of the account, before anybody goes on by what was found."""

    meanwhile: Change
    accounts: Accounts

    async def verify(self, name: str, password: str) -> User | None:
        found = await super().verify(name, password)

        def job(connection: Connection) -> None:
            account = self.accounts.named(connection, name)
            assert account is not None
            self.meanwhile(self.accounts, connection, account, self._clock.now())

        await self._store.write(job)
        return found


@pytest.mark.parametrize("cookie", [False, True])
@pytest.mark.parametrize("meanwhile", [another_password, disabling])
def test_no_session_begins_by_what_held_no_more_when_it_was_to_begin(meanwhile: Change, cookie: bool) -> None:
    with site() as house:
        subject = house.add()
        plugin = house.plugin
        late = Late(plugin._store, house.clock, plugin._passwords, "auth")
        late.meanwhile, late.accounts, plugin._grants.users = meanwhile, plugin._accounts, late
        reply = house.post("login", HERE, username="alice", password=PASSWORD, cookie=cookie)
        assert (reply.status, reply.json()["error"], "set-cookie" in reply.headers) == (400, "invalid_grant", False)
        assert house.client.run(plugin._sessions.list(subject)) == []
        assert (len(house.events(LoginFailed)), house.events(LoggedIn)) == (1, [])


def test_a_login_gives_the_roles_of_the_moment_its_session_begins() -> None:
    with site() as house:
        house.add("alice", "user")
        plugin = house.plugin
        late = Late(plugin._store, house.clock, plugin._passwords, "auth")
        late.meanwhile, late.accounts, plugin._grants.users = other_roles, plugin._accounts, late
        token = house.login()["access_token"]
        assert house.me(("authorization", f"Bearer {token}")).json()["roles"] == ["auditor"]


def test_a_hash_of_older_parameters_is_made_anew_and_the_login_goes_on() -> None:
    with site() as house:
        older = Passwords(PasswordSettings(memory=16384, passes=1, lanes=1)).hasher.hash(PASSWORD)
        accounts, now = house.plugin._accounts, house.clock.now()
        house.write(lambda connection: accounts.add(connection, "alice", older, now))
        assert house.login()["expires_in"] == 900


async def _closed_while_they_wait() -> list[object]:
    passwords = Passwords(PasswordSettings(memory=64 * 1024 * 1024, passes=3, lanes=1, concurrency=1))
    logins = [asyncio.create_task(passwords.verify(None, "x")) for _ in range(4)]
    while passwords._inside < len(logins):
        await asyncio.sleep(0)
    passwords.close()
    return list(await asyncio.gather(*logins, return_exceptions=True))


def test_who_waits_for_a_turn_when_the_process_ends_is_told_to_come_back() -> None:
    first, *others = asyncio.run(_closed_while_they_wait())
    assert first is False or isinstance(first, DependencyError)  # it may have begun
    assert [type(one) for one in others] == [DependencyError] * 3
