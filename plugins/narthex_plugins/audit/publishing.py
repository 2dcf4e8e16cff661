"""Where checkpoints go: places outside the store, where whoever changes the store does not reach them.

What has arrived where stands in the store, so that a checkpoint that was signed and not published before its process
died is published by the next one. A place that does not take it is tried again at the next turn; only the latest goes
out then, for it covers those before it.
"""

import asyncio
import hashlib
import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from narthex_plugins.audit.checkpoint_settings import PublishSettings
from narthex_plugins.audit.checkpoints import Checkpoint
from narthex_plugins.audit.tables import published

TIMEOUT: Final = 10.0
"""Seconds that a webhook may take."""


class Place(Protocol):
    """One place that checkpoints go to."""

    @property
    def name(self) -> str:
        """What the store calls it; the same after a restart."""
        ...

    async def put(self, checkpoint: Checkpoint) -> None:
        """Have it arrive.

        Raises:
            OSError: it did not.
        """
        ...


class LogLine:
    """A line of the plugin's logger."""

    name = "log"

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    async def put(self, checkpoint: Checkpoint) -> None:
        """Write the document behind a few words that can be searched for."""
        self._log.info("audit checkpoint %s", checkpoint.document().decode())


class AppendedFile:
    """A file that grows by a line for each checkpoint; written in one call and synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"file:{socket.gethostname()}:{path}"[:500]

    async def put(self, checkpoint: Checkpoint) -> None:
        """Append it, off the event loop."""
        await asyncio.to_thread(self._append, checkpoint.document() + b"\n")

    def _append(self, line: bytes) -> None:
        new = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # whoever wrote last was cut off, by a full disk or a power cut
            written = os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if written != len(line):
            raise OSError(f"{self._path} took {written} of {len(line)} bytes")
        if new:
            _sync_directory(self._path.parent)


class Webhook:
    """An address that checkpoints are sent to by POST."""

    def __init__(self, address: str) -> None:
        self._address = address
        # The address may hold a secret, and the name rests in the store.
        self.name = f"webhook:{hashlib.sha256(address.encode()).hexdigest()}"

    async def put(self, checkpoint: Checkpoint) -> None:
        """Send it; whatever is not a 2xx has not taken it."""
        import httpx  # noqa: PLC0415  heavy, and only where a webhook is set

        try:
            async with httpx.AsyncClient(timeout=TIMEOUT) as client:
                headers = {"content-type": "application/json"}
                reply = await client.post(self._address, content=checkpoint.document(), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(f"the webhook does not answer: {type(error).__name__}") from error
        if not reply.is_success:
            raise OSError(f"the webhook answered {reply.status_code}")


def places(settings: PublishSettings, directory: Path, log: logging.Logger) -> Sequence[Place]:
    """The places that the settings name."""
    found: list[Place] = []
    if settings.log:
        found.append(LogLine(log))
    if settings.file:
        found.append(AppendedFile(directory / settings.file))
    if settings.webhook:
        found.append(Webhook(settings.webhook))
    return found


def arrived(connection: Connection, instance: str) -> dict[str, int]:
    """The number of the last checkpoint that arrived at each place."""
    found = select(published.c.place, published.c.number).where(published.c.instance == instance)
    return {row.place: row.number for row in connection.execute(found)}


def note_arrival(connection: Connection, instance: str, place: str, number: int) -> None:
    """Say that a checkpoint has arrived; a job of the writer."""
    row = {"instance": instance, "place": place, "number": number}
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(published).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=["instance", "place"], set_={"number": number}))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
