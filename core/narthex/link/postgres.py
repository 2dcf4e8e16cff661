"""The link between processes anywhere that share a PostgreSQL: NOTIFY at commit, one listening connection each.

While the connection is away nothing is heard, so after each reconnect every topic counts as changed.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

import psycopg
from sqlalchemy import URL, text

from narthex.link import Listener, Listeners, Unsubscribe

_log = logging.getLogger("narthex.link")

CHANNEL: Final = "narthex"
PATIENCE: Final = 5.0
"""Seconds of silence after which the connection is asked whether it is still there."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', current_schema() || ':' || :topic)")


class PostgresLink:
    """NOTIFY and LISTEN on one channel; deployments in other schemas of the database do not hear each other.

    Args:
        url: SQLAlchemy's, of the store.
    """

    def __init__(self, url: URL) -> None:
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._listeners = Listeners()
        self._counts: dict[str, int] = {}
        self._lives = 0
        self._task: asyncio.Task[None] | None = None
        self._listening: asyncio.Event | None = None

    def announce(self, connection: Any, topic: str) -> None:
        """Send the notification with the transaction: the server delivers it when that is committed."""
        connection.execute(_NOTIFY, {"topic": topic})

    def committed(self) -> None:
        """Nothing to do: the server tells everybody, us too."""

    def mark(self, topic: str) -> int:
        """Changes after each notification and after each reconnect."""
        return (self._lives << 32) + self._counts.get(topic, 0)

    def page(self) -> str:
        """None: a notification takes some milliseconds, or is lost with the connection."""
        return ""

    def subscribe(self, topic: str, listener: Listener) -> Unsubscribe:
        """Call `listener` when the notification arrives."""
        return self._listeners.subscribe(topic, listener)

    async def start(self) -> None:
        """Begin to listen; returns when the first connection listens, or after `PATIENCE` without one."""
        self._listeners.loop = asyncio.get_running_loop()
        self._listening = asyncio.Event()
        self._task = asyncio.create_task(self._keep_listening(self._listening), name="narthex link")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), PATIENCE)

    async def stop(self) -> None:
        """Listen no more."""
        task, self._task = self._task, None
        self._listeners.loop = None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_listening(self, listening: asyncio.Event) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True, connect_timeout=int(PATIENCE)
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    cursor = await connection.execute("SELECT current_schema()")
                    schema = (await cursor.fetchone() or ("",))[0]
                    pause = _FIRST_PAUSE
                    self._everything_changed()
                    listening.set()
                    await self._listen(connection, f"{schema}:")
            except (psycopg.Error, OSError) as error:
                _log.warning("the link to the other processes is down: %s", str(error).partition("\n")[0])
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _listen(self, connection: "psycopg.AsyncConnection[Any]", ours: str) -> None:
        while True:
            async for notification in connection.notifies(timeout=PATIENCE):
                if notification.payload.startswith(ours):
                    self._changed(notification.payload.removeprefix(ours))
            async with asyncio.timeout(PATIENCE):
                await connection.execute("SELECT 1")

    def _changed(self, topic: str) -> None:
        self._counts[topic] = self._counts.get(topic, 0) + 1
        self._listeners.call(topic)

    def _everything_changed(self) -> None:
        self._lives += 1
        for topic in self._listeners.topics():
            self._listeners.call(topic)
