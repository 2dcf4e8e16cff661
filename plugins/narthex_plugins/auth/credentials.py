"""What a request carries to say who it is from. Reads header fields; knows nobody.

Three ways, of which a request may use one (RFC 6750 §2): the field `Authorization: Bearer`, the session cookie, and for
a websocket, which a browser cannot give a header field, a subprotocol `narthex.bearer.<JWT>` beside the app's own. A
token in the query string is not looked at: addresses end up in logs and histories (RFC 9700 §4.3.2).

A browser sends a cookie with whatever page made the request. So a cookie counts only where that page was ours: for
methods that change something, and for every websocket, the browser's own word for it is asked, `Sec-Fetch-Site` or
`Origin`, and a request without either is not believed (RFC 6454, Fetch Metadata).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast
from urllib.parse import urlsplit

from narthex.asgi import Headers
from narthex.exchange import Exchange
from narthex.verdict import Deny

SUBPROTOCOL: Final = "narthex.bearer."
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 §9.2.1)."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)

Via = Literal["header", "cookie", "websocket"]


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, as it came; its repr does not show it."""

    text: str = field(repr=False)
    via: Via


@dataclass(frozen=True, slots=True)
class Cookie:
    """The value of the session cookie, as it came; its repr does not show it."""

    text: str = field(repr=False)


Credential = Token | Cookie

AMBIGUOUS: Final = Deny(400, "credentials_ambiguous", "the request carries several credentials")
FOREIGN: Final = Deny(403, "origin_refused", "a request with the session cookie that did not come from our own page")


def bearer_refused(status: int, code: str, reason: str, error: str = "invalid_token") -> Deny:
    """A refusal with the challenge of RFC 6750 §3; the code is its description, the reason stays with the operator."""
    challenge = f'Bearer error="{error}", error_description="{code}"'
    return Deny(status, code, reason, headers=((b"www-authenticate", challenge.encode()),))


MALFORMED: Final = bearer_refused(
    400, "credentials_malformed", "Authorization is not Bearer and a token", "invalid_request"
)


class Reader:
    """Finds the credential of a request.

    Args:
        cookies: names of the session cookie, as a `CookieJar` has them.
        origins: from which a request may come beside the site's own.

    Attributes:
        hint: stands in every name of the cookie.
        header: "header", a string that only identities read here have in `via`: theirs is the request's one credential.
    """

    def __init__(self, cookies: Sequence[str], origins: Collection[str]) -> None:
        self._cookies = frozenset(cookies)
        self.hint = cookies[0].removeprefix("__Host-").encode()
        self.header: Via = cast("Via", str(b"header", "ascii"))  # an object of its own, unlike a literal
        self._origins = frozenset(origin.lower() for origin in origins)

    def read(self, headers: Headers, subprotocols: Sequence[str] = ()) -> Credential | Deny | None:
        """The one credential, None where there is none of ours, or why it cannot be told.

        Of a scheme other than Bearer nothing is said: it is another identifier's.
        """
        found: list[Credential] = []
        if "authorization" in headers:
            scheme, _, rest = headers["authorization"].partition(" ")
            if scheme.lower() == "bearer":
                token = rest.strip(" ")
                if not _B64TOKEN.fullmatch(token):
                    return MALFORMED
                found.append(Token(token, self.header))
        if "cookie" in headers:
            found += [Cookie(value) for value in self._session_cookies(headers)]
        found += [Token(one[len(SUBPROTOCOL) :], "websocket") for one in subprotocols if one.startswith(SUBPROTOCOL)]
        if len(found) > 1:
            return AMBIGUOUS
        return found[0] if found else None

    def may_have_cookie(self, exchange: Exchange) -> bool:
        """Whether a session cookie may be there; False is certain. Costs a look-up and a search of the value."""
        first = exchange.field(b"cookie")
        # `in` takes twice as long. Of a field that came several times this is the first: any other may hold it.
        return first is not None and (first.find(self.hint) >= 0 or (exchange.names or exchange.look()).repeated)

    def is_own(self, headers: Headers, scheme: str, host: str) -> bool:
        """Whether the browser says that the request was made by a page of ours.

        Args:
            headers: of the request.
            scheme: "http", "https", "ws" or "wss", as the client used it.
            host: the authority that the client asked for.
        """
        sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
        if len(sites) > 1 or len(origins) > 1:
            return False
        if origins and origins[0].lower() in self._origins:
            return True
        if sites:
            return sites[0] == "same-origin"
        return bool(origins) and _same_origin(origins[0], scheme, host)

    def without_cookie(self, raw: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The header fields without the session cookie, everything else as it came."""
        kept: list[tuple[bytes, bytes]] = []
        for name, value in raw:
            if name.lower() != b"cookie" or self.hint not in value:
                kept.append((name, value))
                continue
            pairs = [pair for pair in value.split(b";") if _name(pair) not in self._cookies]
            if pairs:
                kept.append((name, b";".join(pairs).lstrip(b" ")))
        return kept

    def _session_cookies(self, headers: Headers) -> list[str]:
        found: list[str] = []
        for name, value in headers.raw:
            if name.lower() == b"cookie" and self.hint in value:
                pairs = (pair for pair in value.split(b";") if _name(pair) in self._cookies)
                found += [pair.partition(b"=")[2].strip(b" \t").decode("latin-1") for pair in pairs]
        return found


def without_token(subprotocols: Sequence[str]) -> list[str]:
    """The app's own subprotocols."""
    return [one for one in subprotocols if not one.startswith(SUBPROTOCOL)]


def without_token_field(raw: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The header fields without our subprotocol, which is a token."""
    kept: list[tuple[bytes, bytes]] = []
    for name, value in raw:
        if name.lower() != b"sec-websocket-protocol" or SUBPROTOCOL.encode() not in value:
            kept.append((name, value))
            continue
        own = [one for one in value.split(b",") if not one.strip().startswith(SUBPROTOCOL.encode())]
        if own:
            kept.append((name, b",".join(own).lstrip(b" ")))
    return kept


def _name(pair: bytes) -> str:
    # RFC 6265 §5.2 knows these two alone: what a browser lets a neighbour put before `__Host-` is part of the name.
    return pair.partition(b"=")[0].strip(b" \t").decode("latin-1")


def _same_origin(origin: str, scheme: str, host: str) -> bool:
    """Whether an origin is the site's own.

    Behind a proxy that ends TLS and is not trusted, the site seems to be http: https is taken too. The other way round
    it is not: a page that came over http may be anybody's on the way, unless it never left this machine.
    """
    try:
        parts = urlsplit(origin.lower())
        here = urlsplit(f"//{host.lower()}")
        there_port, here_port = parts.port, here.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or parts.path or parts.query or "@" in parts.netloc or not parts.hostname:
        return False
    if parts.scheme == "http" and (scheme in ("https", "wss") or parts.hostname not in LOOPBACK):
        return False
    usual = 443 if parts.scheme == "https" else 80
    return parts.hostname == here.hostname and (there_port or usual) == (here_port or usual)
