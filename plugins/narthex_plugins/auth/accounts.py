"""Accounts as rows: what may be done to them, each as a job of the store's writer or a reader.

A server and the command line use the same jobs. Every change that others should hear of is also appended to a rising
log in the same transaction, and announced.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from narthex.link import Link
from narthex.store import RisingLog
from narthex_plugins.auth.names import canonical
from narthex_plugins.auth.tables import account_changes, users

ADMIN: Final = "admin"
KEPT: Final = 90 * 86_400.0
"""Seconds for which the log of changes is kept; a process that looks on is seconds behind."""


class AccountRefused(Exception):
    """A change that cannot be made; its text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Account:
    """A row of the table of users.

    Attributes:
        password: an Argon2id hash, or None where nobody can log in.
        password_set, password_until, created: seconds since the epoch, UTC; `password_until` is of a drawn password.
    """

    subject: str
    name: str
    password: str | None = field(repr=False)
    password_set: float | None
    password_until: float | None
    roles: frozenset[str]
    permissions: frozenset[str]
    disabled: bool
    created: float

    def may_log_in(self, now: float) -> bool:
        """Whether the right password opens the door."""
        return not self.disabled and (self.password_until is None or now < self.password_until)


class Accounts:
    """The accounts of one instance of the plugin.

    Args:
        instance: the plugin's.
        link: tells the processes that serve of changes; None where nobody needs to hear.
    """

    def __init__(self, instance: str, link: Link | None = None) -> None:
        self.instance = instance
        self.log = RisingLog(f"auth:accounts:{instance}", account_changes)
        self._link = link
        self._ours = users.c.instance == instance

    # -- reading

    def named(self, connection: Connection, wanted: str) -> Account | None:
        """By canonical name."""
        return _account(connection.execute(select(users).where(self._ours, users.c.canonical == wanted)).mappings())

    def of(self, connection: Connection, subject: str) -> Account | None:
        """By subject."""
        return _account(connection.execute(select(users).where(self._ours, users.c.subject == subject)).mappings())

    def all(self, connection: Connection) -> list[Account]:
        """Every account, by name."""
        rows = connection.execute(select(users).where(self._ours).order_by(users.c.canonical)).mappings()
        return [_read(row) for row in rows]

    def check(self, connection: Connection, name: str, *, first_admin: bool = False) -> str:
        """See that such an account can be made; the canonical name.

        Raises:
            AccountRefused: the name is taken or cannot be one, or there is an admin.
        """
        folded = canonical(name)
        if folded is None:
            raise AccountRefused(f"{name!r} cannot be a name: 1 to 128 letters, digits and signs of e-mail addresses")
        if self.named(connection, folded) is not None:
            raise AccountRefused(f"there is an account called {name!r}")
        if first_admin and (there := [one.name for one in self.all(connection) if self._is_admin(one)]):
            raise AccountRefused(f"there is an admin, {there[0]!r}")
        return folded

    # -- changing

    def add(
        self,
        connection: Connection,
        name: str,
        password: str | None,
        now: float,
        *,
        roles: Iterable[str] = (),
        until: float | None = None,
        first_admin: bool = False,
    ) -> Account:
        """Make an account.

        Args:
            connection: of the writer.
            name: as it is to be shown.
            password: its hash.
            now: seconds since the epoch.
            roles: words; none is assumed.
            until: when the password runs out, for one that was drawn.
            first_admin: make an admin, and only where there is none who could log in.

        Raises:
            AccountRefused: the name is taken or cannot be one, or there is an admin.
        """
        folded = self.check(connection, name, first_admin=first_admin)
        given = {*roles, ADMIN} if first_admin else {*roles}
        subject, password_set = uuid4().hex, None if password is None else now
        row = {
            "instance": self.instance,
            "subject": subject,
            "name": name,
            "canonical": folded,
            "password": password,
            "password_set": password_set,
            "password_until": until,
            "roles": json.dumps(sorted(given)),
            "permissions": "[]",
            "disabled": False,
            "created": now,
        }
        connection.execute(insert(users), row)
        made = Account(subject, name, password, password_set, until, frozenset(given), frozenset(), False, now)
        self._tell(connection, made, "created", now, sorted(given))
        return made

    def set_password(
        self, connection: Connection, account: Account, password: str, now: float, until: float | None = None
    ) -> None:
        """Give a new password, by its hash."""
        self._set(connection, account, password=password, password_set=now, password_until=until)
        self._tell(connection, account, "password", now)

    def replace_hash(self, connection: Connection, account: Account, password: str) -> None:
        """Put another hash of the same password in the place of this one, unless the password has been changed."""
        same = users.c.password == account.password
        connection.execute(
            update(users).where(self._ours, users.c.subject == account.subject, same).values(password=password)
        )

    def set_disabled(self, connection: Connection, account: Account, disabled: bool, now: float) -> None:
        """Let them in no more, or again."""
        self._set(connection, account, disabled=disabled)
        self._tell(connection, account, "disabled" if disabled else "enabled", now)

    def set_roles(self, connection: Connection, account: Account, roles: Iterable[str], now: float) -> None:
        """Give these roles and no others."""
        given = sorted({*roles})
        self._set(connection, account, roles=json.dumps(given))
        self._tell(connection, account, "roles", now, given)

    def _set(self, connection: Connection, account: Account, **values: object) -> None:
        connection.execute(update(users).where(self._ours, users.c.subject == account.subject).values(**values))

    def _tell(
        self, connection: Connection, account: Account, change: str, now: float, detail: Sequence[str] = ()
    ) -> None:
        row = {"at": now, "subject": account.subject, "name": account.name, "change": change}
        self.log.append_in(connection, [{**row, "detail": json.dumps(detail)}])
        old = (account_changes.c.log == self.log.name) & (account_changes.c.at < now - KEPT)
        connection.execute(delete(account_changes).where(old))
        if self._link is not None:
            self._link.announce(connection, self.log.name)

    @staticmethod
    def _is_admin(account: Account) -> bool:
        return ADMIN in account.roles and not account.disabled


def _account(rows: Iterable[RowMapping]) -> Account | None:
    return next(map(_read, rows), None)


def _read(row: RowMapping) -> Account:
    return Account(
        subject=row["subject"],
        name=row["name"],
        password=row["password"],
        password_set=row["password_set"],
        password_until=row["password_until"],
        roles=frozenset(json.loads(row["roles"])),
        permissions=frozenset(json.loads(row["permissions"])),
        disabled=row["disabled"],
        created=row["created"],
    )
