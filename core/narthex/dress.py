"""What the app's scope is dressed in, where something was asked for: identity, headers, client."""

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from narthex.asgi import Scope
from narthex.exchange import Exchange
from narthex.identity import Identity

_OURS = b"x-narthex-"


class Dress:
    """Makes the scope the app gets.

    Attributes:
        needed: whether the app gets a scope of its own at all.
        slight: all that it says is the identity.

    Args:
        expose: "starlette" sets `scope["user"]` and `scope["auth"]`; "headers" sends `x-narthex-subject`, `-roles`
            and `-session`; "client" puts the client address and scheme of the trusted proxies into the scope.
        identified: whether an identifier is on; then a caller's own `x-narthex-*` headers never reach the app.
    """

    def __init__(self, expose: Collection[str], *, identified: bool) -> None:
        self._starlette = "starlette" in expose
        self._headers = "headers" in expose
        self._client = "client" in expose
        self._marked = identified or self._headers
        self.needed = identified or bool(expose)
        self.slight = identified and not expose

    def scope(self, exchange: Exchange, scope: Scope, state: dict[str, Any] | None) -> dict[str, Any]:
        """A shallow copy of the scope with what was asked for; the caller's own is not written to."""
        own = dict(scope)
        identity = exchange.identity
        if self._marked:
            own["narthex.identity"] = identity
            if (exchange.names or exchange.look()).ours and any(_is_ours(name) for name, _ in scope["headers"]):
                own["headers"] = [(name, value) for name, value in scope["headers"] if not _is_ours(name)]
            if self._headers and identity is not None:
                own["headers"] = [*own["headers"], *_fields(identity)]
        if self._starlette:
            own["user"], own["auth"] = _as_starlette(identity)
        if self._client:
            _put_client(own, exchange)
        if state is not None:
            own["state"] = {**own.get("state", {}), **state}
        return own


def written(own: Scope, worn: Scope) -> bool:
    """Whether the app has written to its scope. What most apps set are new keys."""
    if len(own) != len(worn):
        return True
    try:
        return own != worn  # looks at identity first, and only then asks a value what it thinks of another
    except Exception:  # noqa: BLE001  whatever that one raises: it is another
        return True


def hand_back(own: Scope, worn: Scope, scope: Scope) -> None:
    """Give the caller's scope the keys that the app has set: a parent's router and tracer look for them there.

    Args:
        own: the dict the app got, as it is now.
        worn: the same as it was before.
        scope: the caller's.
    """
    for key, value in own.items():
        if key not in worn or worn[key] is not value:
            scope[key] = value


def _is_ours(name: bytes) -> bool:
    # A WSGI server makes HTTP_X_NARTHEX_SUBJECT of `x_narthex_subject` too.
    return name[:1] in b"xX" and name.lower().replace(b"_", b"-").startswith(_OURS)


def _fields(identity: Identity) -> list[tuple[bytes, bytes]]:
    fields = [
        (b"x-narthex-subject", _value(identity.subject)),
        (b"x-narthex-roles", b",".join(_value(role) for role in sorted(identity.roles))),
    ]
    if identity.session_id is not None:
        fields.append((b"x-narthex-session", _value(identity.session_id)))
    return fields


def _value(text: str) -> bytes:
    """A header value that can neither split the message nor a list: everything unusual is percent-encoded."""
    return quote(text, safe="@:/+=|!$&'()*;~", errors="surrogatepass").encode("ascii")


def _as_starlette(identity: Identity | None) -> tuple[object, object]:
    from starlette.authentication import AuthCredentials, SimpleUser, UnauthenticatedUser  # noqa: PLC0415  only when asked for

    if identity is None:
        return UnauthenticatedUser(), AuthCredentials()
    return SimpleUser(identity.subject), AuthCredentials(["authenticated", *sorted(identity.permissions)])


def _put_client(own: Scope, exchange: Exchange) -> None:
    origin = exchange.origin
    own["scheme"] = origin.scheme
    peer = own.get("client")
    if origin.client is None:  # not known: better nobody than a proxy that may stand on an allow list
        own["client"] = None
    elif peer is None or peer[0] != origin.client:
        own["client"] = (origin.client, 0)
