"""Logging in, refreshing, logging out: what the endpoints do, without HTTP.

Everything a caller is given is durable before they have it: the session, the digest of the refresh token or cookie.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from narthex.clock import Clock
from narthex.errors import ContractError
from narthex.events import EventBus
from narthex.services import Session
from narthex.storage import Store
from narthex_plugins.auth import events
from narthex_plugins.auth.issuing import access_token
from narthex_plugins.auth.keystore import Keystore
from narthex_plugins.auth.logins import Refused, Wait, log_in
from narthex_plugins.auth.refresh import Refreshed, RefreshRows, Reused, is_refresh_token, new_token
from narthex_plugins.auth.sessions import Client, SessionRows, StoredSessions, digest, new_id, new_secret
from narthex_plugins.auth.settings import AuthSettings
from narthex_plugins.auth.throttle import Throttle
from narthex_plugins.auth.users import StoredUsers, User, UserSource


@dataclass(frozen=True, slots=True, repr=False)
class Granted:
    """What a login or a refresh gives. Its repr shows no secret.

    Attributes:
        access_token, refresh_token: None where a cookie was asked for.
        cookie: the session cookie's value, or None.
        expires_in: seconds that the access token lives, or the session where there is a cookie.
    """

    user: User
    session: Session
    expires_in: float
    access_token: str | None = None
    refresh_token: str | None = None
    cookie: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What `Grants` works with."""

    store: Store
    clock: Clock
    bus: EventBus
    keys: Keystore
    sessions: StoredSessions
    rows: SessionRows
    throttle: Throttle


class Grants:
    """Gives and takes sessions.

    Attributes:
        users: who has an account; set at start.
    """

    def __init__(self, instance: str, settings: AuthSettings, parts: Parts) -> None:
        self.users: UserSource | None = None
        self._instance = instance
        self._settings = settings
        self._store = parts.store
        self._clock = parts.clock
        self._bus = parts.bus
        self._keys = parts.keys
        self._sessions = parts.sessions
        self._rows = parts.rows
        self._refresh = RefreshRows(parts.rows, settings.refresh_grace)
        self._throttle = parts.throttle

    async def login(self, name: str, password: str, client: Client, *, cookie: bool) -> Granted | Refused | Wait:
        """Begin a session for a name and a password.

        Raises:
            DependencyError: it cannot be said now.
        """
        found = await log_in(self._source(), self._throttle, name, password, client.address)
        granted = await self._begin(found, client, cookie=cookie) if isinstance(found, User) else found
        if not isinstance(granted, Granted):
            wait = granted.seconds if isinstance(granted, Wait) else 0.0
            self._bus.publish(
                events.LoginFailed(instance=self._instance, name=name[:128], client=client.address, wait=wait)
            )
            return granted
        self._bus.publish(
            events.LoggedIn(
                instance=self._instance,
                subject=granted.user.subject,
                session_id=granted.session.id,
                client=client.address,
            )
        )
        return granted

    async def refresh(self, token: str, client: Client) -> Granted | Refused:
        """Exchange a refresh token; who uses one twice loses the session.

        Raises:
            DependencyError: it cannot be said now; the token is as good as before, unless it was exchanged already.
        """
        if not is_refresh_token(token):
            return Refused()
        # First a look that changes nothing: whose it is, and whether they may still come in.
        owner = await self._store.read(lambda connection: self._refresh.find(connection, token, self._clock.now()))
        user = None if owner is None else await self._source().find(owner.subject)
        if owner is not None and (user is None or user.disabled):
            await self._sessions.end(owner.id, "the account is gone or disabled")
            return Refused()
        successor, now = new_token(), self._clock.now()
        outcome = await self._store.write(lambda connection: self._refresh.exchange(connection, token, successor, now))
        if isinstance(outcome, Reused):
            self._reused(outcome, client)
        if not isinstance(outcome, Refreshed):
            return Refused()
        if user is None:  # it was given before, within the grace: the first look did not find it unused
            user = await self._source().find(outcome.session.subject)
            if user is None or user.disabled:
                return Refused()
        self._sessions.touch(outcome.session.id, client.address, client.agent)
        self._bus.publish(
            events.TokenRefreshed(
                instance=self._instance, subject=user.subject, session_id=outcome.session.id, client=client.address
            )
        )
        return self._tokens(user, outcome.session, outcome.token)

    async def logout(self, session_id: str, subject: str, client: Client) -> bool:
        """End a session by its owner's wish; False where it was over."""
        done = await self._sessions.end(session_id, "logout")
        if done:
            self._bus.publish(
                events.LoggedOut(instance=self._instance, subject=subject, session_id=session_id, client=client.address)
            )
        return done

    async def owner(self, token: str) -> Session | None:
        """The session that a refresh token is or was of."""
        if not is_refresh_token(token):
            return None
        return await self._store.read(lambda connection: self._refresh.owner(connection, token))

    async def usable(self, token: str) -> Session | None:
        """The session of a refresh token that could be exchanged now."""
        if not is_refresh_token(token):
            return None
        return await self._store.read(lambda connection: self._refresh.find(connection, token, self._clock.now()))

    async def live(self, session_id: str) -> bool:
        """Whether a session is not over."""
        session = await self._store.read(lambda connection: self._rows.of(connection, session_id))
        return session is not None and not self._rows.is_over(session, self._clock.now())

    async def _begin(self, verified: User, client: Client, *, cookie: bool) -> Granted | Refused:
        source, now = self._source(), self._clock.now()
        session = Session(
            id=new_id(),
            subject=verified.subject,
            created=now,
            expires=now + self._settings.session_lifetime,
            last_seen=now,
            address=client.address,
            agent=client.agent,
            methods=("pwd",),
        )
        secret, token = new_secret(), new_token()

        def job(connection: Connection) -> User | None:
            # The transaction that another password or a disabling ends sessions in comes before this one, or after it.
            user = source.still(connection, verified) if isinstance(source, StoredUsers) else verified
            if user is not None:
                self._rows.open(connection, session, digest(secret) if cookie else None)
                if not cookie:
                    self._refresh.issue(connection, session, token)
            return user

        user = await self._store.write(job)
        if user is None:
            return Refused()
        if cookie:
            return Granted(user, session, self._settings.session_lifetime, cookie=secret)
        return self._tokens(user, session, token)

    def _tokens(self, user: User, session: Session, refresh_token: str) -> Granted:
        settings = self._settings
        token, lives = access_token(
            user,
            session,
            self._keys.signing().signer,
            settings.issuer,
            settings.audience or settings.issuer,
            self._clock.now(),
            settings.access_lifetime,
        )
        return Granted(user, session, lives, access_token=token, refresh_token=refresh_token)

    def _reused(self, outcome: Reused, client: Client) -> None:
        self._sessions.outdated()
        self._bus.publish(
            events.RefreshReused(
                instance=self._instance,
                subject=outcome.session.subject,
                session_id=outcome.session.id,
                client=client.address,
                ended=outcome.ended,
            )
        )

    def _source(self) -> UserSource:
        if self.users is None:
            raise ContractError("the plugin has not started")
        return self.users
