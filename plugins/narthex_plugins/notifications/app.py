"""What an app calls to have somebody told: `notify`.

It needs an instance of the plugin that runs in this process, for what it is told must not be lost.
"""

import json
import re
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol, overload

from sqlalchemy import Connection

from narthex.context import current_exchange
from narthex.errors import NarthexError

DATA: Final = 64 * 1024
"""Bytes of JSON that a notification carries at most."""
MOST: Final = 100
"""Addresses that one notification goes to at most."""
_KEY: Final = re.compile(r"[\x20-\x7e\u00a1-\ud7ff\ue000-\U0010ffff]{1,200}")


class NotifyError(NarthexError):
    """A notification cannot be taken: no such channel or template, data that are no JSON, no instance that runs."""

    code: ClassVar[str] = "notification_invalid"


class Desk(Protocol):
    """An instance of the plugin that runs."""

    def has(self, channel: str) -> bool:
        """Whether the channel is one of its own."""
        ...

    @property
    def place(self) -> tuple[int, str]:
        """Its house and its name: those of one place follow each other."""
        ...

    def put_in(self, connection: Connection, words: "Words") -> str:
        """Put it into the caller's transaction."""
        ...

    def put_blocking(self, words: "Words") -> str:
        """Put it into the store; durable when it returns."""
        ...

    async def put(self, words: "Words") -> str:
        """Put it into the store; durable when it returns."""
        ...


class Words:
    """What is to be said by which channel, checked as far as that is possible without knowing the instance.

    Attributes:
        data: JSON text.
        to: JSON text of a list, or None.
        not_before: seconds since the epoch, or None for now.
        request_id: of the current exchange, or None.
    """

    __slots__ = ("channel", "data", "dedup_key", "not_before", "request_id", "template", "to")

    def __init__(
        self,
        channel: str,
        template: str,
        data: Mapping[str, Any] | None,
        to: str | Sequence[str] | None = None,
        dedup_key: str | None = None,
        not_before: datetime | float | None = None,
    ) -> None:
        self.channel = channel
        self.template = template
        self.data = _json(data or {})
        receivers = [to] if isinstance(to, str) else None if to is None else [str(one) for one in to]
        if receivers is not None and not 1 <= len(receivers) <= MOST:
            raise NotifyError(f"`to` names 1 to {MOST} addresses")
        self.to = None if receivers is None else json.dumps(receivers)
        if dedup_key is not None and not _KEY.fullmatch(dedup_key):
            raise NotifyError("a dedup_key has 1 to 200 printable characters")
        self.dedup_key = dedup_key
        self.not_before = _moment(not_before)
        exchange = current_exchange()
        self.request_id = None if exchange is None else exchange.id

    def receivers(self) -> Sequence[str]:
        """The addresses; none where the channel's own are meant."""
        found: list[str] = [] if self.to is None else json.loads(self.to)
        return found


DESKS: Final[list[Desk]] = []
"""The instances of this process."""


@overload
def notify(
    channel: str,
    template: str,
    data: Mapping[str, Any] | None = None,
    *,
    to: str | Sequence[str] | None = None,
    dedup_key: str | None = None,
    not_before: datetime | float | None = None,
    connection: Connection,
) -> str: ...


@overload
def notify(
    channel: str,
    template: str,
    data: Mapping[str, Any] | None = None,
    *,
    to: str | Sequence[str] | None = None,
    dedup_key: str | None = None,
    not_before: datetime | float | None = None,
    connection: None = None,
) -> Coroutine[Any, Any, str]: ...


def notify(
    channel: str,
    template: str,
    data: Mapping[str, Any] | None = None,
    *,
    to: str | Sequence[str] | None = None,
    dedup_key: str | None = None,
    not_before: datetime | float | None = None,
    connection: Connection | None = None,
) -> str | Coroutine[Any, Any, str]:
    """Have somebody told; at least once, however often processes die meanwhile.

        await notify("ops", "disk-full", {"host": "db1"})
        with engine.begin() as connection:
            connection.execute(...)
            notify("ops", "order-lost", {"order": 7}, connection=connection)

    Without a connection what comes back is awaited, and the notification is durable once it has been. With one, a
    SQLAlchemy connection to the house's own database, it is part of the transaction that the connection is in, and
    there if that is committed. An AsyncConnection gives its own to a function: `await connection.run_sync(put)`.

    Args:
        channel: a name of the settings.
        template: another.
        data: JSON for the template, at most 64 KiB. It rests in the store in clear until it is sent: no secrets.
        to: e-mail addresses, where the channel's own are not meant.
        dedup_key: a second one with the same key and channel changes nothing, for as long as the first is kept.
        not_before: when it goes at the earliest, with its time zone, or seconds since the epoch.
        connection: whose transaction it is to be part of.

    Returns:
        The id: of the first one, where there is one with the same key.

    Raises:
        NotifyError: it cannot be taken; nothing was written.
        DependencyError: the store does not take it (without a connection).

    Cost: a row; without a connection a share of a group commit.
    """
    words = Words(channel, template, data, to, dedup_key, not_before)
    desk = _desk(channel)
    return desk.put(words) if connection is None else desk.put_in(connection, words)


def notify_blocking(
    channel: str,
    template: str,
    data: Mapping[str, Any] | None = None,
    *,
    to: str | Sequence[str] | None = None,
    dedup_key: str | None = None,
    not_before: datetime | float | None = None,
) -> str:
    """As `notify` without a connection, for threads other than the event loop's: durable when it returns."""
    return _desk(channel).put_blocking(Words(channel, template, data, to, dedup_key, not_before))


def _desk(channel: str) -> Desk:
    """The instance that has the channel; while one follows another after a reload, the later one."""
    found = [desk for desk in DESKS if desk.has(channel)]
    if not found:
        what = f"there is no channel {channel!r}" if DESKS else "the plugin notifications does not run in this process"
        raise NotifyError(what, hint="[plugins.notifications] has the channels")
    if len({desk.place for desk in found}) > 1:
        raise NotifyError(f"several instances of the plugin have a channel {channel!r}")
    return found[-1]


def _json(data: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(data), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise NotifyError(f"data cannot be written as JSON: {error}") from None
    if len(text) > DATA:
        raise NotifyError(f"data are {len(text)} bytes as JSON, and at most {DATA} are taken")
    return text


def _moment(given: datetime | float | None) -> float | None:
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise NotifyError("not_before has no time zone")
        return given.timestamp()
    if given is not None and not 0 <= given < 1e11:
        raise NotifyError("not_before is no time in seconds since the epoch")
    return given
