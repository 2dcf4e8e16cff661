"""Protocols that plugins offer each other, and the registry that joins them.

A plugin provides an object under a Protocol, another asks for the Protocol; neither imports the other.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from narthex.errors import BootError, ContractError
from narthex.identity import Identity

S = TypeVar("S")


class Permissions(Protocol):
    """Answers what an identity may. Offered by the access plugin; without it `CorePermissions` holds."""

    def has_role(self, identity: Identity, role: str) -> bool:
        """Whether the identity holds `role` or one above it."""
        ...

    def has_permission(self, identity: Identity, permission: str) -> bool:
        """Whether the identity holds `permission`, written `resource:action`.

        Raises:
            DependencyError: not as far as is known; but what was granted lately cannot be read. Core refuses with 503.
        """
        ...


class CorePermissions:
    """The order user < engineer < admin; admin has every permission; everything else compares literally."""

    _order = ("user", "engineer", "admin")

    def has_role(self, identity: Identity, role: str) -> bool:
        """Whether the identity holds `role` or one above it. Cost: one set lookup, at most three."""
        if role in identity.roles:
            return True
        if role not in self._order:
            return False
        above = self._order[self._order.index(role) + 1 :]
        return not identity.roles.isdisjoint(above)

    def has_permission(self, identity: Identity, permission: str) -> bool:
        """Whether the identity is an admin or holds exactly this permission."""
        return permission in identity.permissions or "admin" in identity.roles


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody's login, from its beginning to its end. Times are seconds since the epoch.

    Attributes:
        id: the `sid` of its tokens; no secret.
        expires: when it ends at the latest.
        last_seen: when it was last used, exact to a minute.
        address, agent: of the client, when it was last seen; None where not known.
        methods: how its owner proved who they are (RFC 8176).
        ended: when it was ended before its time, or None.
        reason: why it was ended, or "".
    """

    id: str
    subject: str
    created: float
    expires: float
    last_seen: float
    address: str | None = None
    agent: str | None = None
    methods: tuple[str, ...] = ()
    ended: float | None = None
    reason: str = ""


class Sessions(Protocol):
    """The sessions of a deployment. Offered by the plugin auth.

    Each of them raises DependencyError where the store does not answer.
    """

    @property
    def issuer(self) -> str:
        """The issuer of the tokens that carry their ids; the subjects are its own."""
        ...

    async def list(self, subject: str) -> Sequence[Session]:
        """The subject's sessions, the latest first; those that are over too, for as long as they are kept."""
        ...

    async def end(self, session_id: str, reason: str) -> bool:
        """End a session: its refresh tokens and its cookie are no longer good. False where it was over already."""
        ...

    async def end_all(self, subject: str, reason: str) -> int:
        """End every session of a subject; how many there were."""
        ...

    def touch(self, session_id: str, address: str | None, agent: str | None) -> None:
        """Note that a session is in use. Does not wait, and writes at most once a minute."""
        ...


class TokenRevoker(Protocol):
    """Makes tokens that were issued no longer good, everywhere. Offered by the plugin revocation.

    What is revoked is refused by every process once the call has returned. Each of them raises DependencyError where
    that cannot be said.
    """

    async def is_revoked(self, identity: Identity) -> bool:
        """Whether a request by this identity would be refused: for those who ask of a token without using it."""
        ...

    async def revoke_token(self, token_id: str, issuer: str, expires_at: float, reason: str, by: str | None) -> None:
        """Refuse one token, by its `jti`, until it expires."""
        ...

    async def revoke_session(self, session_id: str, issuer: str, reason: str, by: str | None) -> None:
        """Refuse every token of a session."""
        ...

    async def revoke_subject(self, subject: str, issuer: str, reason: str, by: str | None) -> None:
        """Refuse every token of a subject that was issued until now."""
        ...


class Directory(Protocol):
    """Says who somebody would be if they logged in. Offered by the plugin auth, for its accounts.

    It is asked about requests that nobody sends, also by a command in a process that serves nothing.
    """

    def find(self, connection: Any, name: str) -> Identity | None:
        """The identity, or None for nobody and whoever may not log in; a job for a reader of the store.

        Args:
            connection: SQLAlchemy's, to the store.
            name: what they log in with.
        """
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policies said to a request, as it was recorded.

    Attributes:
        record: the record's id.
        at: seconds since the epoch, UTC.
        method: as rules name it; "WEBSOCKET" for a websocket.
        path: the route path, which is what rules judge.
        identity: who asked, with the roles and permissions of then; None for an anonymous caller.
        claims: names of the claims that are kept with a record; of any other nobody knows.
        allowed: whether the policies let it pass.
        code: of the refusal, or "".
    """

    record: str
    at: float
    method: str
    path: str
    identity: Identity | None
    claims: frozenset[str]
    allowed: bool
    code: str = ""


class Decisions(Protocol):
    """The decisions of the past. Offered by the plugin audit, out of its records."""

    def decisions(self, since: float | None, until: float | None) -> AsyncIterator[Sequence[Decision]]:
        """Those of requests that policies were asked about, by pages, in the order of their records.

        Args:
            since: seconds since the epoch, or None for no bound.
            until: the same; what was decided at that very moment is outside.

        Raises:
            DependencyError: the store does not answer.
        """
        ...


class Services:
    """Who offers what. Plugins provide while they are built, and ask from `start` on."""

    def __init__(self) -> None:
        self._offers: dict[type, dict[str, object]] = {}
        self._asked: set[tuple[str, type, str | None]] = set()
        self.complete = False

    def take_over(self, before: "Services", instances: Collection[str]) -> None:
        """Offer, of those instances only, what they offered under the configuration before this one; core's own."""
        self._asked |= {asked for asked in before._asked if asked[0] in instances}  # noqa: SLF001
        for protocol, offers in before._offers.items():  # noqa: SLF001
            own = self._offers.setdefault(protocol, {})
            for instance, service in offers.items():
                if instance in instances:
                    own[instance] = service
                elif own.get(instance) is service:  # it was to be taken over, and then was not
                    del own[instance]

    def offering(self, protocol: type) -> Sequence[str]:
        """The instances that offer something under `protocol`; core's own."""
        return tuple(self._offers.get(protocol, ()))

    def differ(self, before: "Services", asker: str) -> bool:
        """Whether `asker` would be given something else now than it was then; core's own."""
        return any(
            self._answer(protocol, instance) is not before._answer(protocol, instance)  # noqa: SLF001
            for who, protocol, instance in before._asked  # noqa: SLF001
            if who == asker
        )

    def _answer(self, protocol: type, instance: str | None) -> object:
        offers = self._offers.get(protocol, {})
        if instance is not None:
            return offers.get(instance)
        return next(iter(offers.values())) if len(offers) == 1 else None

    def provide(self, protocol: type, service: object, instance: str) -> None:
        """Offer `service` under `protocol` in the name of the plugin instance."""
        if self.complete:
            raise ContractError(
                f"{instance} offers {protocol.__name__} too late", hint="call house.provide in __init__"
            )
        self._offers.setdefault(protocol, {})[instance] = service

    def service(self, protocol: type[S], instance: str | None, asker: str) -> S | None:
        """The one offer, or that of the named instance, or None where nobody offers.

        Raises:
            BootError: several offer it and none was named, or the named one does not.
            ContractError: asked before every plugin was built.
        """
        if not self.complete:
            raise ContractError(
                f"{asker} asks for {protocol.__name__} before every plugin is built",
                hint="ask in `start` or later",
            )
        self._asked.add((asker, protocol, instance))
        offers = self._offers.get(protocol, {})
        if instance is not None:
            if instance not in offers:
                raise BootError(f"{asker} wants {protocol.__name__} of {instance!r}, which does not offer it")
            return cast("S", offers[instance])
        if len(offers) > 1:
            names = ", ".join(sorted(offers))
            raise BootError(
                f"{asker} needs one {protocol.__name__} and {names} offer it", hint="name the instance to use"
            )
        return cast("S", next(iter(offers.values()))) if offers else None
