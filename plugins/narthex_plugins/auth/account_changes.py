"""Follows the log of account changes, and tells this process's plugins of each.

`narthex users disable` runs in a process of its own, where no plugin listens. So a change is a row of a rising log, in
the transaction that makes it; every process that serves reads on from where it is, as soon as the link says so, and
publishes an event on its own bus.
"""

import json
import logging
from typing import Any, Final

from sqlalchemy import RowMapping

from narthex.errors import DependencyError
from narthex.events import EventBus
from narthex.link.looking import keep_looking
from narthex.storage import Store
from narthex_plugins.auth.accounts import Accounts
from narthex_plugins.auth.events import (
    AccountCreated,
    AccountDisabled,
    AccountEnabled,
    AccountEvent,
    AccountPasswordChanged,
    AccountRolesChanged,
)

LOOK: Final = 5.0
"""Seconds between two looks that nobody asked for; the link may have lost a word."""
_log = logging.getLogger("narthex.plugins.auth")


class AccountChanges:
    """One for each process and instance of the plugin.

    Args:
        accounts: whose log is followed.
    """

    def __init__(self, store: Store, events: EventBus, accounts: Accounts) -> None:
        self._store = store
        self._events = events
        self._accounts = accounts
        self._seen: int | None = None

    async def start(self) -> None:
        """Note where the log stands: what comes after it is told.

        Raises:
            DependencyError: the store does not answer.
        """
        self._seen = await self._store.read(self._accounts.log.last)

    async def follow(self) -> None:
        """Tell of every change, for ever; for `House.spawn`, after `start`."""
        await keep_looking(self._store.link, self._accounts.log.name, self._round, LOOK)

    async def _round(self) -> None:
        try:
            await self.look()
        except DependencyError as error:
            _log.warning("changes of accounts cannot be read for now: %s", error)

    async def look(self) -> None:
        """Tell of what is new.

        Raises:
            DependencyError: the store does not answer.
        """
        if self._seen is None:
            await self.start()
        seen = self._seen or 0
        for row in await self._store.read(lambda connection: self._accounts.log.after(connection, seen)):
            if row["version"] > (self._seen or 0):  # else another look was quicker
                self._seen = row["version"]
                self._events.publish(_event(self._accounts.instance, row))


def _event(instance: str, row: RowMapping) -> AccountEvent:
    about: dict[str, Any] = {"instance": instance} | {key: row[key] for key in ("version", "at", "subject", "name")}
    match row["change"]:
        case "created":
            return AccountCreated(**about, roles=tuple(json.loads(row["detail"])))
        case "roles":
            return AccountRolesChanged(**about, roles=tuple(json.loads(row["detail"])))
        case "disabled":
            return AccountDisabled(**about)
        case "enabled":
            return AccountEnabled(**about)
        case "password":
            return AccountPasswordChanged(**about)
        case _:  # of a later release
            return AccountEvent(**about)
