"""Facts that the plugin tells others of, on the house's bus."""

from dataclasses import dataclass
from typing import ClassVar

from narthex.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(Event):
    """Something was revoked. Published in every process of the deployment, whoever did it.

    Attributes:
        instance: the plugin's.
        version: rises with each; the same in every process, for those who act once.
        at: seconds since the epoch, UTC.
        issuer: whose; "*" for all.
        by: who did it, or None.
        reason: why.
    """

    topic: ClassVar[str] = "revocation"
    told_by: ClassVar[tuple[str, ...]] = ("instance", "version")
    instance: str
    version: int
    at: float
    issuer: str
    by: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Revoked):
    """A token is no longer good."""

    topic: ClassVar[str] = "revocation.token"
    token_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRevoked(Revoked):
    """No token of a session is good any more."""

    topic: ClassVar[str] = "revocation.session"
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRevoked(Revoked):
    """No token of a subject that was issued before `cut` is good any more."""

    topic: ClassVar[str] = "revocation.subject"
    subject: str
    cut: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerRevoked(Revoked):
    """No token of an issuer, or of all, that was issued before `cut` is good any more."""

    topic: ClassVar[str] = "revocation.issuer"
    cut: float
