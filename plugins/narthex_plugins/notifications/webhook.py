"""A webhook: one POST, signed as Standard Webhooks has it, to where it may go.

Whatever is not a 2xx has not taken it. 410 says that the receiver is gone, and ends it; 429 and 503 may say when to
come again. A redirect is followed where the settings allow it, keeps method and body (307, 308), and never leaves TLS.

Source: the Standard Webhooks specification, 1.0; RFC 9110 §10.2.3 (Retry-After), §15.4.
"""

import base64
import ssl
import typing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpcore
import httpx
from standardwebhooks import Webhook as Signer

from narthex.errors import ConfigError
from narthex_plugins.notifications.looking import stamp
from narthex_plugins.notifications.reaching import AddressRefused, Reaching
from narthex_plugins.notifications.sending import Letter, Outcome, shown
from narthex_plugins.notifications.settings import WebhookSettings

READ: Final = 2048
"""Bytes of an answer that are read; the rest is left."""
_SHORTEST: Final = 24
"""Bytes of a secret, as the specification has it."""


class Webhook:
    """Sends to one address.

    Args:
        settings: of the channel.
        name: its name, for messages.
        directory: where a relative path begins.
    """

    def __init__(self, settings: WebhookSettings, name: str, directory: Path) -> None:
        self._url = _url(settings.url.reveal(), name)
        given = [one for one in (settings.secret, settings.previous_secret) if one is not None]
        self._signers = [_signer(one.reveal(), name) for one in given]
        self._timeout = settings.timeout
        self._redirects = settings.redirects
        context = ssl.create_default_context()
        if settings.ca is not None:
            try:
                context.load_verify_locations(directory / settings.ca)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"webhook {name}: ca: {settings.ca} cannot be read: {error}") from None
        self._pool = httpcore.AsyncConnectionPool(
            context,
            max_connections=settings.concurrency,
            max_keepalive_connections=4,
            keepalive_expiry=5.0,
            network_backend=Reaching(settings.allow),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._pool.aclose()

    async def send(self, letter: Letter) -> Outcome:
        """POST it; the signature is made anew with each attempt, over its time."""
        body = letter.message.body or _body(letter)
        try:
            return await self._post(letter.id, body)
        except AddressRefused as error:
            return Outcome(sent=False, error=f"refused: {error}"[:500], final=True)
        except (httpcore.TimeoutException, TimeoutError):
            return Outcome(sent=False, error="it took longer than the timeout")
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            return Outcome(sent=False, error=f"{type(error).__name__}: {shown(str(error))}"[:500])

    async def _post(self, id_: str, body: str) -> Outcome:
        url, left = self._url, self._redirects
        while True:
            status, fields, answer = await self._once(url, id_, body)
            target = fields.get("location")
            if status not in (307, 308) or target is None or not left:
                break
            following = url.join(target)
            if following.scheme not in ("http", "https") or (url.scheme, following.scheme) == ("https", "http"):
                return Outcome(sent=False, code=status, error="it redirects away from TLS", final=True)
            url, left = following, left - 1
        return judged(status, answer, fields.get("retry-after"))

    async def _once(self, url: httpx.URL, id_: str, body: str) -> tuple[int, dict[str, str], str]:
        now = datetime.now(UTC)
        headers = [
            ("host", url.netloc.decode("ascii")),
            ("content-type", "application/json"),
            ("user-agent", "narthex"),
            ("webhook-id", id_),
            ("webhook-timestamp", str(int(now.timestamp()))),
            ("webhook-signature", " ".join(one.sign(id_, now, body) for one in self._signers)),
        ]
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._pool.stream(
            "POST", target, headers=headers, content=body.encode(), extensions={"timeout": limits}
        ) as reply:
            read = b""
            async for some in typing.cast("typing.AsyncIterable[bytes]", reply.stream):
                read += some
                if len(read) >= READ:
                    break
            fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers}
            return reply.status, fields, read[:READ].decode("utf-8", "replace")


def judged(status: int, answer: str, retry_after: str | None) -> Outcome:
    """What a status says."""
    if 200 <= status < 300:
        return Outcome(sent=True, code=status, answer=shown(answer))
    asked = _seconds(retry_after) if status in (429, 503) else None
    return Outcome(
        sent=False,
        code=status,
        answer=shown(answer),
        error=f"it answered {status}",
        final=status == 410,
        asked=asked,
    )


def _seconds(text: str | None) -> float | None:
    """What `Retry-After` asks for: seconds, or a date."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _body(letter: Letter) -> str:
    """The usual payload: data is JSON text already."""
    head = f'{{"type":"{letter.template}","timestamp":"{stamp(letter.created)}"'  # both need no escapes
    return f'{head},"data":{letter.data}}}'


def _url(text: str, name: str) -> httpx.URL:
    try:
        found = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConfigError(f"webhook {name}: url: {error}") from None
    if found.scheme not in ("http", "https") or not found.host or found.userinfo:
        raise ConfigError(f"webhook {name}: url is http:// or https:// with a host, and has no user in it")
    return found


def _signer(secret: str, name: str) -> Signer:
    try:
        length = len(base64.b64decode(secret.removeprefix("whsec_") + "=="))  # as the library does
    except ValueError:
        raise ConfigError(f"webhook {name}: secret is no Base64, as Standard Webhooks wants it") from None
    if length < _SHORTEST:
        hint = "python -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'"
        raise ConfigError(f"webhook {name}: secret has {length} bytes, and at least {_SHORTEST} are wanted", hint=hint)
    return Signer(secret)
