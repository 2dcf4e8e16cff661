"""Who the client is when proxies stand in between.

Each proxy writes down who connected to it: a new last element of `X-Forwarded-For`, or of `Forwarded` (RFC
7239). Only what a trusted proxy wrote is worth anything, and what a client wrote stands left of it. So the
walk goes from the right: the peer of the connection, if trusted, vouches for the last element; if the
address in it is trusted too, it vouches for the one before; the first address that is not trusted is the
client. An element that names no address ends the walk at the last hop that did.

Scheme and host are those that the outermost trusted proxy saw: of `Forwarded`, in the same element; of
`X-Forwarded-Proto` and `-Host`, as many elements from the right, or the first one where a proxy overwrites
instead of appending. Trusted proxies must overwrite or append each of these fields, not pass them on.

Most proxies write one of the two kinds and pass the other on as the client sent it. When both are present
and do not lead to the same client, one of them is the client's own invention, and nothing tells which. Then
neither is believed, and the client is unknown (None): the address of the proxy would be worse, an allow
list may hold it. The same goes for a field that has not led to the client within the bounds on what is read.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from narthex.asgi import Headers, Scope
from narthex.errors import ConfigError

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
_Claim = tuple[str | None, str, str]
"""Client, scheme and host as the headers have them; "" is not given."""
_LONGEST_NODE: Final = 64
_MOST_HOPS: Final = 64  # no chain of proxies is that long


class _TooLongError(Exception):
    """A bound was met before the client was found. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an exchange comes from.

    Attributes:
        client: address without port, IPv6 in its shortest form, IPv4-mapped IPv6 as IPv4; None where it is
            not known (unix socket, contradicting headers). None belongs to no network.
        scheme: "http" or "https"; for a websocket "ws" or "wss".
        host: host[:port] as the client asked for it, or "" where it is missing, repeated or malformed.
    """

    client: str | None
    scheme: str
    host: str


class TrustedProxies:
    """The proxies whose word about the client is taken.

    Args:
        networks: addresses ("10.0.0.7"), networks ("10.0.0.0/8", "fd00::/8") and "unix" for the peer of a
            unix socket. Empty: the headers are not looked at.

    Raises:
        ConfigError: an entry is none of these, or a network with host bits set.
    """

    __slots__ = ("_hop", "_networks", "_unix")

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._unix = "unix" in networks
        self._networks = tuple(_network(text) for text in networks if text != "unix")
        # Addresses repeat; parsing one costs about 2 µs. Bounded, so that junk cannot fill the memory.
        self._hop = lru_cache(maxsize=1024)(self._parse_hop)

    def origin(self, scope: Scope, headers: Headers) -> Origin:
        """Work out client, scheme and host. Never raises on any header.

        Cost: about 2 µs where the peer is not trusted, 8 µs for one trusted hop.
        """
        peer = scope.get("client")
        address = (peer[0] or None) if peer else None  # granian says ("", "0") of a unix socket
        websocket = scope["type"] == "websocket"
        scheme = scope.get("scheme") or ("ws" if websocket else "http")
        hosts = headers.getlist("host")
        host = _host(hosts[0]) if len(hosts) == 1 else ""
        if not (self._networks or self._unix):
            return Origin(address, scheme, host)
        client, trusted = self._hop(address) if address else (None, self._unix)
        if not trusted:
            return Origin(client or address, scheme, host)
        try:
            client, proto, authority = self._believe(client, headers)
        except _TooLongError:
            client, proto, authority = None, "", ""
        return Origin(client, _scheme(proto, websocket) or scheme, _host(authority) or host)

    def _believe(self, peer: str | None, headers: Headers) -> _Claim:
        """Follow the kind of header that is there, from a trusted peer; "" is a scheme or host not given."""
        forwarded = headers.getlist("forwarded")
        addresses = _elements(headers.getlist("x-forwarded-for"))
        if not forwarded:
            return self._by_lists(peer, addresses, headers)
        claim = self._by_forwarded(peer, ", ".join(forwarded))
        return _agreed(claim, self._by_lists(peer, addresses, headers)) if addresses else claim

    def _by_lists(self, peer: str | None, addresses: Sequence[str], headers: Headers) -> _Claim:
        client, depth = self._walk(peer, addresses)
        protos = _elements(headers.getlist("x-forwarded-proto"))
        hosts = _elements(headers.getlist("x-forwarded-host"))
        return client, _at(protos, depth).lower(), _at(hosts, depth)

    def _by_forwarded(self, peer: str | None, text: str) -> _Claim:
        outermost: dict[str, str] = {}

        def nodes() -> Iterator[str]:
            nonlocal outermost
            for outermost in _forwarded(text):
                yield outermost.get("for", "")

        # The walk asks for no element beyond the client's: what the client wrote left of it is not parsed.
        client, _ = self._walk(peer, nodes())
        return client, outermost.get("proto", "").lower(), outermost.get("host", "")

    def _walk(self, peer: str | None, nodes: Iterable[str]) -> tuple[str | None, int]:
        """Walk the hops, nearest first; give the client and the depth of the outermost trusted writer."""
        client, depth = peer, 0
        for depth, node in enumerate(nodes):
            if depth == _MOST_HOPS:
                raise _TooLongError
            hop, trusted = self._hop(node) if len(node) <= _LONGEST_NODE else (None, False)
            if hop is None:
                return client, depth
            client = hop
            if not trusted:
                return client, depth
        return client, depth

    def _parse_hop(self, text: str) -> tuple[str | None, bool]:
        """Give the address in its one spelling, or None where it is no address, and whether it is trusted."""
        try:
            address = _plain(ip_address(_node(text)))
        except ValueError:
            return None, False
        return str(address), any(address in network for network in self._networks)


def _agreed(one: _Claim, other: _Claim) -> _Claim:
    """Give what both kinds of header say alike."""
    if one[0] != other[0]:
        return None, "", ""
    return one[0], one[1] if one[1] == other[1] else "", one[2] if one[2] == other[2] else ""


def _network(text: str) -> _Network:
    try:
        network = ip_network(text)
    except ValueError:
        hint = 'addresses ("10.0.0.7"), networks ("10.0.0.0/8") or "unix"'
        with suppress(ValueError):
            hint = f"did you mean {ip_network(text, strict=False)}"
        raise ConfigError(f"{text!r} in trusted_proxies is not a network", hint=hint) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def _plain(address: _Address) -> _Address:
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _elements(fields: Sequence[str]) -> list[str]:
    """Split a list field, nearest hop first; empty elements do not count (RFC 9110 §5.6.1.2)."""
    if not fields:
        return []
    parts = ",".join(fields).split(",")
    return [element for part in reversed(parts) if (element := part.strip())]


def _at(elements: Sequence[str], depth: int) -> str:
    return elements[min(depth, len(elements) - 1)] if elements else ""


_NODE: Final = re.compile(r"\[(?P<six>[^\[\]]+)\](?::\w{1,6})?|(?P<four>[0-9.]+)(?::\w{1,6})?")


def _node(text: str) -> str:
    """Take the port and the brackets off a node name (RFC 7239 §6); what is no address stays as it is."""
    found = _NODE.fullmatch(text)
    return (found["six"] or found["four"]) if found else text


_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  RFC 9110 has tokens that are no secrets
_VALUE: Final = rf'(?:{_TOKEN}|"(?:[^"\\]|\\.)*+")'
_PAIR: Final = re.compile(rf"(?P<name>{_TOKEN})=(?P<value>{_VALUE})")
# Possessive throughout: a near miss is found out in one pass.
_SPACE: Final = r"[ \t]*+"
_ELEMENT: Final = re.compile(rf"{_SPACE}(?:{_TOKEN}={_VALUE}(?:{_SPACE};{_SPACE}(?:{_TOKEN}={_VALUE})?+)*+)?+{_SPACE}")
_LONGEST_ELEMENT: Final = 1024
_LONGEST_FIELD: Final = 8192  # counted from the right; a trusted proxy's own element stands there
_MOST_COMMAS: Final = 128  # tried in one field, as the place where an element begins; each try costs about 2 µs


def _forwarded(text: str) -> Iterator[dict[str, str]]:
    """Yield the elements of a `Forwarded` value, nearest hop first, up to the first that is malformed.

    A client can leave a quotation mark open in the part that it wrote, so that a reader from the left takes
    what the proxy appended for the inside of a string. Hence from the right. Source: RFC 7239 §4.

    Raises:
        _TooLongError: there is more, past one of the bounds.
    """
    starts = _Starts(text)
    end = len(text)
    while end > 0:
        start = starts.before(end)
        if start is None:
            return
        pairs = [(pair["name"].lower(), _unquote(pair["value"])) for pair in _PAIR.finditer(text, start, end)]
        element = dict(pairs)
        if len(element) < len(pairs):
            return
        if element:
            yield element
        end = start - 1


class _Starts:
    """Finds where the elements of one field start, within the bounds on it."""

    __slots__ = ("_floor", "_left", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._floor = max(0, len(text) - _LONGEST_FIELD)
        self._left = _MOST_COMMAS

    def before(self, end: int) -> int | None:
        """The start of the element that ends at `end`: the nearest comma from which on it is well-formed.

        A comma inside a quoted string cannot be taken for that: what follows it holds an odd number of
        quotation marks. None where it is well-formed from nowhere on.

        Raises:
            _TooLongError: nobody knows, past a bound.
        """
        floor = max(self._floor, end - _LONGEST_ELEMENT)
        start = end + 1
        while self._left > 0:
            self._left -= 1
            start = self._text.rfind(",", floor, start - 1) + 1
            if start == 0 < floor:
                break
            if _ELEMENT.fullmatch(self._text, start, end):
                return start
            if start == 0:
                return None
        raise _TooLongError


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_SOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}


def _scheme(text: str, websocket: bool) -> str:
    """Give the scheme that belongs to the kind of exchange, or "" for anything else."""
    scheme = _SCHEMES.get(text, "")
    return _SOCKET_SCHEMES.get(scheme, "") if websocket else scheme


_HOST: Final = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def _host(text: str) -> str:
    """Give host[:port] if that is all it is (RFC 3986 §3.2.2), else ""."""
    return text if _HOST.fullmatch(text) else ""
