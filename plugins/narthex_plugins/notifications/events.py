"""Facts that the plugin tells others of, on the house's bus."""

from dataclasses import dataclass
from typing import ClassVar

from narthex.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationEvent(Event):
    """Something became of a notification. Published in the process that did it.

    Attributes:
        instance: the plugin's.
        id: the notification's.
        request_id: of the request that it came from, or None.
    """

    topic: ClassVar[str] = "notifications"
    instance: str
    id: str
    channel: str
    template: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSent(NotificationEvent):
    """It has arrived."""

    topic: ClassVar[str] = "notifications.sent"
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDead(NotificationEvent):
    """It was given up: somebody was not told."""

    topic: ClassVar[str] = "notifications.dead"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRetried(NotificationEvent):
    """An admin has it tried again."""

    topic: ClassVar[str] = "notifications.retried"
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationCancelled(NotificationEvent):
    """An admin has it not sent."""

    topic: ClassVar[str] = "notifications.cancelled"
    by: str | None
