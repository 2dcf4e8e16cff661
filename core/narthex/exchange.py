"""One request, websocket or stream on its way through the house."""

import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from narthex.asgi import Headers, Names, Scope, known_names, name_of, names_of
from narthex.frameworks.templates import Templates
from narthex.identity import Identity
from narthex.paths import route_path
from narthex.plan import Plan, Step
from narthex.proxies import Origin, TrustedProxies
from narthex.services import Permissions
from narthex.traceparent import trace_id
from narthex.verdict import Answer, Deny, Verdict

# An own generator, so that an app that seeds `random` does not repeat our ids; reseeded in a forked child.
_ids = random.Random()  # noqa: S311  an id names an exchange, it does not authorize anything
os.register_at_fork(after_in_child=_ids.seed)
_ROUTED = ("type", "method", "raw_path", "query_string", "headers", "scheme", "server", "http_version")
"""What routers look at, beside the path."""
_ID = re.compile(rb"[\w.~+/=:@-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Hall:
    """What all exchanges of one house share.

    Attributes:
        proxies: whose word about the client is believed.
        permissions: gives the answer to who may what.
        trusting: whether any proxy is believed at all.
        framework: the package of the app's framework, where it is known.
        own_root: the prefix that the app puts in the place of `root_path`, or "".
        templates: those of the app behind the house, which give `Exchange.route`.
    """

    proxies: TrustedProxies
    permissions: Callable[[], Permissions]
    trusting: bool = False
    framework: str | None = None
    own_root: str = ""
    templates: Templates = field(default_factory=lambda: Templates(None))


class Exchange:
    """What is known of one exchange. Core writes it, plugins read it; `trace_id` and `state` are theirs to set.

    What costs anything to work out (id, headers, client, route path) is worked out when first asked for.

    Attributes:
        kind: "http" or "websocket".
        method: the HTTP method; "WEBSOCKET" for a websocket, as rules name it.
        path: the decoded path as the server gave it, mount prefix included.
        hall: what all exchanges of one configuration share; core's own.
        app_scope: the dict the app got: the server's own, or a copy where something was asked for.
        plan: what applies to this path: its hooks, whether it is open or quiet, the plugin route that answers it.
        identity: who asks, or None while unknown or anonymous.
        verdict: the Deny or Answer that ended the walk, a guard's Deny inside the app, the policies' Allow, or None.
        decided_by: whose hook gave the verdict; None where core itself, a decorator or nobody did.
        status: HTTP status of the response once it started (101 for an accepted websocket), else None.
        error: the exception that left the app, or None; gone again once every observer has been told.
        bytes_in, bytes_out: body or websocket payload bytes that passed so far.
        names: of the request header fields, once they have been looked at; core's own, as is `look`.
        refused_inside: a guard has refused in the app; core's own.
        started, ended: `clock.monotonic()` seconds; `ended` is None until the response is complete.
    """

    __slots__ = (
        "_fields",
        "_headers",
        "_id",
        "_origin",
        "_root",
        "_route",
        "_route_path",
        "_scope",
        "_state",
        "_trace_id",
        "app_scope",
        "bytes_in",
        "bytes_out",
        "decided_by",
        "ended",
        "error",
        "hall",
        "identity",
        "kind",
        "method",
        "names",
        "path",
        "plan",
        "refused_inside",
        "started",
        "status",
        "verdict",
    )

    method: str
    path: str

    def __init__(
        self,
        scope: Scope,
        kind: Literal["http", "websocket"],
        plan: Plan,
        hall: Hall,
        started: float,
    ) -> None:
        # Assigned in chains, what is alike together: each of these is paid for by every request.
        self._scope = self.app_scope = scope
        self.kind: Literal["http", "websocket"] = kind
        self.plan = plan
        self.hall = hall
        self.started = started
        # Routers write to the scope: a mount sets root_path, Litestar the path.
        self.method = scope.get("method", "") if kind == "http" else "WEBSOCKET"
        self.path = scope["path"]
        self._root: str | None = scope.get("root_path")
        self.identity: Identity | None = None
        self.verdict: Verdict | None = None
        self.decided_by: Step | None = None
        self.status: int | None = None
        self.error: BaseException | None = None
        self.ended: float | None = None
        self.bytes_in = self.bytes_out = 0
        self.refused_inside = False
        self._trace_id: str | Literal[False] | None = False  # not yet asked for
        self._route: str | Literal[False] | None = False  # the same
        self._id: str | None = None
        self.names: Names | None = None
        self._headers: Headers | None = None
        self._route_path: str | None = None
        self._origin: Origin | None = None
        self._state: dict[str, Any] | None = None

    def follow(self, scope: Scope, plan: Plan) -> None:
        """Go on with what an outside wrapper made of the scope; core's own. The id stays."""
        self.path, self._root = scope["path"], scope.get("root_path")
        self.method = scope.get("method", "") if self.kind == "http" else "WEBSOCKET"
        if scope is self._scope and plan is self.plan and self._route_path is None:
            return
        _ = self.id
        self._scope = self.app_scope = scope
        self.plan = plan
        self.names = self._headers = self._route_path = self._origin = None

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI scope as the server gave it, read-only."""
        return MappingProxyType(self._scope)

    @property
    def id(self) -> str:
        """The request id: the caller's `x-request-id` if that is 1-128 harmless characters, else 32 hex digits."""
        if self._id is None:
            given = self.field(b"x-request-id")
            if given is not None and _ID.fullmatch(given):
                self._id = given.decode("ascii")
            else:
                self._id = f"{_ids.getrandbits(128):032x}"
        return self._id

    @property
    def trace_id(self) -> str | None:
        """32 hex digits (W3C Trace Context §3.2.2.3): a tracing plugin's, else those of `traceparent`, or None."""
        if self._trace_id is False:
            given = self.field(b"traceparent")
            self._trace_id = None if given is None else trace_id(given)
        return self._trace_id

    @trace_id.setter
    def trace_id(self, trace_id: str | None) -> None:
        self._trace_id = trace_id

    @property
    def headers(self) -> Headers:
        """Request header fields, repeats kept."""
        if self._headers is None:
            _ = self.names or self.look()
            self._headers = Headers(self._fields)
        return self._headers

    def field(self, name: bytes) -> bytes | None:
        """The first value of a request header field as it came, or None. Costs half of what `headers` does.

        Args:
            name: in lower case.
        """
        place = (self.names or self.look()).first.get(name)
        return None if place is None else self._fields[place][1]

    def look(self) -> Names:
        """Look at the names of the request header fields, as whoever finds `names` None does; core's own."""
        fields: list[tuple[bytes, bytes]]
        self._fields = fields = [*self._scope["headers"]]  # a copy: an app may write to the list
        names = known_names.get(b"\n".join(map(name_of, fields)))  # what `names_of` does first: a call less
        if names is None or names.count != len(fields):
            names = names_of(fields)
        self.names = names
        return names

    @property
    def route_path(self) -> str:
        """The path as the app's router sees it: without the mount prefix. What guards judge."""
        if self._route_path is None:
            if self._root or self.hall.own_root:
                self._route_path = route_path({"path": self.path, "root_path": self._root}, self.hall.own_root)
            else:
                self._route_path = self.path or "/"
        return self._route_path

    @property
    def route(self) -> str | None:
        """The template of the route that answered, "/orders/{id}": mounts included, relative to the app.

        None before the response has started, where the house refused before the app was asked, where no route of the
        app has that path (404, a redirect to the other spelling of a slash), and where the app's framework is not
        known. A plugin's endpoint has its own. Worked out when first asked for; see docs/reference/frameworks.md.
        """
        if self._route is False:
            if self.status is None and self.error is None:
                return None
            refused = isinstance(self.verdict, Deny | Answer) and not self.refused_inside
            self._route = None if refused else self.hall.templates.of(self._request, self.app_scope)
        return self._route

    @route.setter
    def route(self, template: str | None) -> None:
        """Say it; core's own."""
        self._route = template

    def refuse_inside(self, deny: Deny) -> None:
        """Note that code of the app refuses; core's own. The first Deny stands: it may have been told already."""
        if not isinstance(self.verdict, Deny):
            self.verdict = deny
            self.decided_by = None
        self.refused_inside = True

    def _request(self) -> dict[str, Any]:
        """The request as the app's router first saw it."""
        scope: dict[str, Any] = {key: self._scope[key] for key in _ROUTED if key in self._scope}
        scope.update(path=self.path, root_path=self.hall.own_root or self._root or "", path_params={})
        return scope

    @property
    def query(self) -> str:
        """The raw query string, without the question mark."""
        query: bytes = self._scope.get("query_string", b"")
        return query.decode("latin-1")

    @property
    def origin(self) -> Origin:
        """Client address, scheme and host, by the trusted proxies."""
        if self._origin is None:
            self._origin = self.hall.proxies.origin(self._scope, self.headers)
        return self._origin

    @property
    def client(self) -> str | None:
        """The client's address, or None on a unix socket."""
        if not self.hall.trusting:
            peer = self._scope.get("client")
            return (peer[0] or None) if peer else None  # granian names a unix socket's peer ""
        return self.origin.client

    @property
    def scheme(self) -> str:
        """The scheme the client used: "http", "https", "ws" or "wss"."""
        return self.origin.scheme

    @property
    def host(self) -> str:
        """The authority the client asked for, port included where it was sent."""
        return self.origin.host

    @property
    def permissions(self) -> Permissions:
        """Who may what, as the access plugin says, else core."""
        return self.hall.permissions()

    @property
    def framework(self) -> str | None:
        """The package of the app's framework, where it is known."""
        return self.hall.framework

    @property
    def state(self) -> dict[str, Any]:
        """A place for plugins to keep what belongs to this exchange, keyed by instance name."""
        if self._state is None:
            self._state = {}
        return self._state

    def __repr__(self) -> str:
        return f"<Exchange {self.id} {self.method} {self.route_path} status={self.status}>"
