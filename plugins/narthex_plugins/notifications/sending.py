"""What a channel is to the courier: something that makes one attempt, and says what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from narthex_plugins.notifications.mailbox import one_line
from narthex_plugins.notifications.templates import Message

SHOWN: Final = 500
"""Characters of an answer or an error that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is to be sent.

    Attributes:
        id: the notification's; the same with every attempt, so that a receiver knows it again.
        created: seconds since the epoch.
        data: what the template was given, as JSON text.
        to: addresses, or None for the channel's own.
    """

    id: str
    template: str
    created: float
    data: str
    message: Message
    to: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        sent: whether it arrived.
        code: of the answer: an HTTP status, an SMTP reply.
        answer: what the receiver said.
        error: why it did not arrive, in words without secrets.
        final: another attempt would not help.
        asked: seconds that the receiver asks to be left alone.
        blame: whether the failure says something of the channel, and not of this notification alone.
        left: addresses that are still to have it, where some have.
    """

    sent: bool
    code: int | None = None
    answer: str = ""
    error: str = ""
    final: bool = False
    asked: float | None = None
    blame: bool = True
    left: Sequence[str] | None = None


class Channel(Protocol):
    """One channel of the settings."""

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt. Whatever it raises is a failure that says nothing more than its name."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def shown(text: str) -> str:
    """A text of the receiver's as it is kept: one line, shortened, no control characters."""
    return one_line(text, SHOWN)
