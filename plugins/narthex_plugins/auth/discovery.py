"""Where an issuer's keys are: OpenID Connect Discovery 1.0 §4, RFC 8414 §3. Knows texts; opens no connection.

Everything here starts from an address that the operator wrote down. A token never brings one: `jku`, `x5u` and an
unknown `iss` are not followed. The issuer's metadata, fetched by https, may name another host for the keys, as some
large providers do; that is the one address that is taken on somebody's word, and it is held to the same rules.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from narthex_plugins.auth.strict import parse_object

_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,2000}")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
"""Host and port that every parser of addresses reads alike; no name and password."""


class IssuerFault(Exception):
    """An issuer's address, or what it answered, is not as it has to be; or it does not answer.

    Attributes:
        compromised: what it published cannot be trusted any more, and neither can what it published before.
    """

    def __init__(self, message: str, *, compromised: bool = False) -> None:
        super().__init__(message)
        self.compromised = compromised


def metadata_addresses(issuer: str) -> list[str]:
    """Where an issuer's metadata may be, the usual place first.

    OpenID Connect appends to the issuer's path, RFC 8414 §3.1 puts its own before it. Both take a last slash away.
    """
    origin, path = _split(issuer)
    openid = f"{origin}{path}/.well-known/openid-configuration"
    return [openid, f"{origin}/.well-known/oauth-authorization-server{path}"]


def jwks_uri_of(metadata: bytes, issuer: str) -> str:
    """Read where the keys are.

    Args:
        metadata: what the issuer answered.
        issuer: whose metadata they have to be, to the letter (RFC 8414 §3.3: else anybody could speak for anybody).

    Raises:
        IssuerFault: not metadata, another issuer's, or without `jwks_uri`.
    """
    try:
        members = parse_object(metadata)
    except ValueError as error:
        raise IssuerFault(f"its metadata are no JSON object: {error}") from None
    if members.get("issuer") != issuer:
        raise IssuerFault(f"its metadata are those of {str(members.get('issuer'))[:200]!r}")
    uri = members.get("jwks_uri")
    if not isinstance(uri, str):
        raise IssuerFault("its metadata name no jwks_uri")
    return uri


def check_address(address: str, *, insecure_http: bool) -> None:
    """See that something may be fetched from there.

    Args:
        address: to be looked at.
        insecure_http: whether plain http will do where the host is this machine.

    Raises:
        IssuerFault: not https; a name and password, or a fragment in it; not to be read in one way only.
    """
    if not _VISIBLE.fullmatch(address) or "\\" in address:
        raise IssuerFault(f"{address[:200]!r} is no address")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise IssuerFault(f"{address!r} is no address") from None
    if not host or not _AUTHORITY.fullmatch(parts.netloc) or "#" in address:
        raise IssuerFault(f"{address!r} has no plain host, or a fragment")
    if parts.scheme == "https":
        return
    if parts.scheme != "http" or not is_loopback(host):
        raise IssuerFault(f"{address!r} is not https")
    if not insecure_http:
        raise IssuerFault(f"{address!r} is not https; insecure_http allows that on loopback")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses have scheme, host and port in common (RFC 6454 §4)."""
    return _origin(one) == _origin(other)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _split(issuer: str) -> tuple[str, str]:
    """Origin and path, without a last slash; a query or fragment stays in the path, and is refused with it."""
    scheme, separator, rest = issuer.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority}", f"{slash}{path}".removesuffix("/")
