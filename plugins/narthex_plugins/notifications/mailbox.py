"""E-mail addresses and messages: nothing that was given gets into a header as more than its own value."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SPEC: Final = r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}@[A-Za-z0-9\u0080-\uffff.-]{1,255}"
_ADDRESS: Final = re.compile(rf"(?P<bare>{_SPEC})|(?P<name>[^<>]{{0,200}}+)<(?P<named>{_SPEC})>")


def checked(text: str) -> Address:
    """An address as it may stand in a header: "ops@shop.example", "Shop <ops@shop.example>".

    Raises:
        ValueError: it is none, or two, or has line ends in it.
    """
    found = None if _CONTROL.search(text) else _ADDRESS.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:100]!r} is no e-mail address")
    named = found["named"]
    if named is None:
        return Address(addr_spec=found["bare"])
    return Address(display_name=found["name"].strip().strip('"'), addr_spec=named)


def one_line(text: str, longest: int = 500) -> str:
    """The text with line ends and control characters made spaces, and cut."""
    return _CONTROL.sub(" ", text).strip()[:longest]


def message(sender: str, to: Sequence[str], subject: str, text: str, html: str | None, id_: str) -> EmailMessage:
    """A message; its id is the notification's, so that one that arrives twice is known.

    Raises:
        ValueError: an address is none.
    """
    found = EmailMessage(policy=SMTP)
    origin = checked(sender)
    found["From"] = origin
    found["To"] = [checked(one) for one in to]
    found["Subject"] = one_line(subject)
    found["Date"] = format_datetime(datetime.now(UTC))
    found["Message-ID"] = f"<{id_}@{origin.domain or 'localhost'}>"
    found["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    found.set_content(text)
    if html is not None:
        found.add_alternative(html, subtype="html")
    return found
