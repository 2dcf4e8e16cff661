"""E-mail by SMTP: a connection for each message, TLS unless the settings say otherwise.

A reply of 4xx is tried again, one of 5xx is final (RFC 5321 §4.2.1). Where the server takes the message for some
addresses only, the others alone are tried again.
"""

import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import aiosmtplib
from aiosmtplib import SMTP

from narthex.errors import ConfigError
from narthex_plugins.notifications.mailbox import checked, message
from narthex_plugins.notifications.sending import Letter, Outcome, shown
from narthex_plugins.notifications.settings import EmailSettings


class _Reply(Protocol):
    """What a server said of one address."""

    @property
    def code(self) -> int: ...

    @property
    def message(self) -> str: ...


class Email:
    """Sends by one server.

    Args:
        settings: of the channel.
        name: its name, for messages.
        directory: where a relative path begins.
    """

    def __init__(self, settings: EmailSettings, name: str, directory: Path) -> None:
        self._settings = settings
        self._context = ssl.create_default_context()
        if settings.ca is not None:
            try:
                self._context.load_verify_locations(directory / settings.ca)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"email {name}: ca: {settings.ca} cannot be read: {error}") from None

    async def close(self) -> None:
        """Nothing stays open."""

    async def send(self, letter: Letter) -> Outcome:
        """Give it to the server."""
        settings, said = self._settings, letter.message
        to = list(settings.to if letter.to is None else letter.to)
        if not to:
            return Outcome(sent=False, error="nobody is named to send it to", final=True, blame=False)
        try:
            mail = message(settings.sender, to, said.subject, said.text, said.html, letter.id)
            refused, answer = await self._hand_over(mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            return _failed(error, to)
        except ValueError as error:  # an address is none
            return Outcome(sent=False, error=shown(str(error)), final=True, blame=False)
        if refused:
            return _refused(to, refused, answer)
        return Outcome(sent=True, code=250, answer=shown(answer))

    async def _hand_over(self, mail: EmailMessage) -> tuple[Mapping[str, aiosmtplib.SMTPResponse], str]:
        settings = self._settings
        client = SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=settings.timeout,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=None if settings.tls == "none" else self._context,
        )
        async with client:
            if settings.username is not None and settings.password is not None:
                await client.login(settings.username, settings.password.reveal())
            return await client.send_message(mail)


def _failed(error: Exception, to: Sequence[str]) -> Outcome:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _refused(to, {one.recipient: one for one in error.recipients})
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(error)
    return Outcome(sent=False, error=f"{type(error).__name__}: {shown(str(error))}"[:500])


def _answered(error: aiosmtplib.SMTPResponseException) -> Outcome:
    """A reply that is no: a login that fails may be mended, what is said of the message itself not."""
    mends = isinstance(error, aiosmtplib.SMTPAuthenticationError | aiosmtplib.SMTPConnectResponseError)
    return Outcome(
        sent=False,
        code=error.code,
        answer=shown(error.message),
        error=f"the server said {error.code}",
        final=error.code >= 500 and not mends,
        blame=mends or error.code < 500,
    )


def _refused(to: Sequence[str], refused: Mapping[str, _Reply], answer: str = "") -> Outcome:
    """The message was taken for the others, or for nobody: those that are left are tried again, where it may help."""
    first = next(iter(refused.values()))
    left = [one for one in to if checked(one).addr_spec in refused]
    return Outcome(
        sent=False,
        code=first.code,
        answer=shown(answer),
        error=f"refused for {len(refused)} of {len(to)}: {shown(first.message)}"[:500],
        final=all(one.code >= 500 for one in refused.values()),
        blame=False,
        left=left or None,
    )
