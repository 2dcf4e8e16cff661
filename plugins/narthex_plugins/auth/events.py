"""Facts that the plugin tells others of, on the house's bus."""

from dataclasses import dataclass
from typing import ClassVar

from narthex.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEvent(Event):
    """Something became of a stored account. Published in every process of the deployment, whoever did it.

    Attributes:
        instance: the plugin's.
        version: rises with each change; the same in every process, for those who act once.
        at: seconds since the epoch, UTC.
    """

    topic: ClassVar[str] = "auth.account"
    told_by: ClassVar[tuple[str, ...]] = ("instance", "version")
    instance: str
    version: int
    at: float
    subject: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreated(AccountEvent):
    """There is a new account."""

    topic: ClassVar[str] = "auth.account.created"
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDisabled(AccountEvent):
    """An account may do nothing until it is enabled again."""

    topic: ClassVar[str] = "auth.account.disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEnabled(AccountEvent):
    """A disabled account may log in again."""

    topic: ClassVar[str] = "auth.account.enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRolesChanged(AccountEvent):
    """An account has these roles and no others from now on."""

    topic: ClassVar[str] = "auth.account.roles"
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPasswordChanged(AccountEvent):
    """An account has another password. Not told where only its hash was made anew."""

    topic: ClassVar[str] = "auth.account.password"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Event):
    """Somebody logged in, and a session began.

    Attributes:
        instance: the plugin's.
        client: the address, as the trusted proxies tell it.
    """

    topic: ClassVar[str] = "auth.login"
    instance: str
    subject: str
    session_id: str
    client: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Event):
    """A login was refused, or has to wait.

    Attributes:
        name: what was typed, at most 128 characters. People type passwords into the wrong field: keep it accordingly.
        wait: seconds until the next try, where this one was not even looked at; else 0.
    """

    topic: ClassVar[str] = "auth.login_failed"
    instance: str
    name: str
    client: str | None
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshed(Event):
    """A refresh token was exchanged for its successor."""

    topic: ClassVar[str] = "auth.refresh"
    instance: str
    subject: str
    session_id: str
    client: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshReused(Event):
    """A refresh token came a second time: it was stolen, or its successor was. The session is over.

    Attributes:
        ended: whether this ended it; False where it was over already.
    """

    topic: ClassVar[str] = "auth.refresh_reused"
    instance: str
    subject: str
    session_id: str
    client: str | None
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut(Event):
    """A session was ended by its owner."""

    topic: ClassVar[str] = "auth.logout"
    instance: str
    subject: str
    session_id: str
    client: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """A session was ended before its time. Published in every process of the deployment, whoever ended it."""

    topic: ClassVar[str] = "auth.session_ended"
    told_by: ClassVar[tuple[str, ...]] = ("instance", "session_id")
    instance: str
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdded(Event):
    """There is a new signing key. Published in every process that serves, as it has it.

    Attributes:
        signs_at: when it begins to sign, seconds since the epoch.
    """

    topic: ClassVar[str] = "auth.key_added"
    told_by: ClassVar[tuple[str, ...]] = ("instance", "kid")
    instance: str
    kid: str
    algorithm: str
    signs_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGone(Event):
    """A signing key verifies no more. Published in every process that serves, as it lets go of it."""

    topic: ClassVar[str] = "auth.key_gone"
    told_by: ClassVar[tuple[str, ...]] = ("instance", "kid")
    instance: str
    kid: str
