"""What an admin does with the queue, over HTTP and by command alike: look, retry, cancel, test."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from narthex import House
from narthex_plugins.notifications.app import Words
from narthex_plugins.notifications.events import NotificationCancelled, NotificationRetried
from narthex_plugins.notifications.looking import Found, one, page
from narthex_plugins.notifications.queue import STATUSES, Queue
from narthex_plugins.notifications.settings import NotificationsSettings
from narthex_plugins.notifications.tables import queue as rows

MOST: Final = 1000
Verb = Literal["retry", "cancel"]


class Unreadable(ValueError):
    """A query that makes no sense; the message says what of it."""


class Office:
    """Serves admins.

    Args:
        house: whose store it is.
        queue: of the instance.
        put: queues one.
        announce: tells the couriers to look, inside a transaction.
        settings: of the plugin.
    """

    def __init__(
        self,
        house: House,
        queue: Queue,
        put: Callable[[Words], Awaitable[str]],
        announce: Callable[[Connection], None],
        settings: NotificationsSettings,
    ) -> None:
        self._house = house
        self._store = house.store
        self._queue = queue
        self._put = put
        self._announce = announce
        self.channels = tuple(settings.channels())
        self.statuses = STATUSES

    async def page(self, status: str, channel: str, cursor: str, limit: int) -> Found:
        """A page, newest first.

        Raises:
            Unreadable: status or cursor are none.
            DependencyError: the store does not answer.
        """
        if status and status not in STATUSES:
            raise Unreadable(f"status: there is {', '.join(STATUSES)}")
        if cursor and not (len(cursor) == 32 and cursor.isascii() and cursor.isalnum()):
            raise Unreadable("cursor: write what the page before gave as `next`")
        instance = self._queue.instance
        return await self._store.read(
            lambda connection: page(connection, instance, status, channel[:60], cursor, limit)
        )

    async def one(self, id_: str) -> Mapping[str, Any] | None:
        """One with its attempts; None where there is none.

        Raises:
            DependencyError: the store does not answer.
        """
        instance = self._queue.instance
        return await self._store.read(lambda connection: one(connection, instance, id_))

    async def change(self, verb: Verb, id_: str, by: str | None) -> str | None:
        """Retry or cancel one; its status where that cannot be, "" where it was done, None where there is none.

        Raises:
            DependencyError: the store does not take it.
        """

        def job(connection: Connection) -> tuple[str, dict[str, Any] | None]:
            act = self._queue.retry if verb == "retry" else self._queue.cancel
            done = act(connection, id_)
            if done:
                self._announce(connection)
            mine = (rows.c.instance == self._queue.instance) & (rows.c.id == id_)
            found = select(rows.c.status, rows.c.channel, rows.c.template, rows.c.request_id).where(mine)
            row = connection.execute(found).mappings().one_or_none()
            return "" if done or row is None else str(row["status"]), None if row is None else dict(row)

        status, row = await self._store.write(job)
        if row is None:
            return None
        if not status:
            made = NotificationRetried if verb == "retry" else NotificationCancelled
            del row["status"]
            self._house.events.publish(made(instance=self._queue.instance, id=id_, by=by, **row))
        return status

    async def test(self, channel: str, to: str | None) -> str:
        """Queue a test; its id.

        Raises:
            NotifyError: there is no such channel, or the address is none.
            DependencyError: the store does not take it.
        """
        return await self._put(Words(channel, "test", {}, to))
