"""Verdicts are values: plugins return them, `responses` alone makes bytes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

Header = tuple[bytes, bytes]
"""One header field as ASGI carries it: lower-case name, value, both bytes."""


@dataclass(frozen=True, slots=True)
class Allow:
    """A policy's yes. Needed from at least one policy where any is installed, and overruled by any Deny.

    Attributes:
        reason: for the operator, never sent to the caller.
        rule: which rule of the file decided, as `explain` prints it.
    """

    reason: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Deny:
    """A refusal.

    Attributes:
        status: HTTP status, 400-599.
        code: stable snake_case word sent to the caller.
        reason: for the operator's log, never sent.
        rule: which rule of the file decided, never sent.
        headers: fields added to the answer, e.g. `www-authenticate`.
        retry_after: seconds, sent as `Retry-After` rounded up, or None.
    """

    status: int
    code: str
    reason: str = ""
    rule: str = ""
    headers: Sequence[Header] = ()
    retry_after: float | None = None

    def __post_init__(self) -> None:
        _check(self.status, int, "the status of a Deny is a whole number")
        _check(self.code, str, "the code of a Deny is a word")
        if not 400 <= self.status <= 599:
            raise ValueError(f"a Deny needs a status from 400 to 599, not {self.status}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response that is not a refusal: a redirect, a CORS preflight.

    Attributes:
        status: HTTP status, 200-399.
        headers: fields of the response; `content-length` is added by core.
        body: the whole body.
    """

    status: int = 204
    headers: Sequence[Header] = ()
    body: bytes = b""

    def __post_init__(self) -> None:
        _check(self.status, int, "the status of an Answer is a whole number")
        _check(self.body, bytes, "the body of an Answer is bytes")
        if not 200 <= self.status <= 399:
            raise ValueError(f"an Answer needs a status from 200 to 399, not {self.status}; a refusal is a Deny")


Verdict = Allow | Deny | Answer


def _check(given: object, wanted: type, what: str) -> None:
    """Annotations bind nobody at run time: what no server can send is refused where it is made."""
    if not isinstance(given, wanted):
        raise TypeError(f"{what}, not {type(given).__name__}")
