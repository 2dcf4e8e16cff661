"""Where a webhook may connect to: public addresses, and networks that the operator allows.

A name is resolved once for each connection; every address is judged, and it is the judged address that is connected to,
so that a name whose address changes between a check and its use (DNS rebinding) gains nothing. `Host` and the name in
the TLS handshake stay those of the URL. What a redirect leads to takes the same way.

Source: OWASP, Server-Side Request Forgery Prevention; RFC 6890 and the IANA special-purpose registries, as `ipaddress`
knows them; RFC 6052 (64:ff9b::/96), RFC 3056 (2002::/16), RFC 4380 (2001::/32) hold IPv4 addresses inside.
"""

import asyncio
import socket
import typing
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, cast

import httpcore

_NAT64: Final = ip_network("64:ff9b::/96")
_METADATA: Final = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))
"""Of clouds, though some count as public. The others (169.254.169.254, 100.100.100.200, fd00:ec2::254) do not."""

Networks = typing.Sequence[IPv4Network | IPv6Network]


class AddressRefused(Exception):
    """A name leads only to where nothing may be sent."""


class Reaching(httpcore.AsyncNetworkBackend):
    """Connects where it may.

    Args:
        allow: networks that are not public and may be connected to.
    """

    def __init__(self, allow: Networks) -> None:
        self._allow = tuple(allow)
        self._inner = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's
        local_address: str | None = None,
        socket_options: typing.Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, connect to what was judged: the first address that answers.

        Raises:
            AddressRefused: none of its addresses may be connected to.
            httpcore.ConnectError: it has none, or none answers.
        """
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name does not resolve in time") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name does not resolve: {error}") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        good = [address for address in addresses if permitted(address, self._allow)]
        if not good:
            raise AddressRefused(f"{host} is {', '.join(addresses[:3])}, which is not public and not allowed")
        for address in good[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        return await self._inner.connect_tcp(good[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        socket_options: typing.Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Not from here."""
        raise AddressRefused("a webhook goes over the network")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def permitted(text: str, allow: Networks) -> bool:
    """Whether an address may be connected to: it is public, or in a network that is allowed."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _within(address)
    if any(one in network for network in allow for one in (address, inner) if one.version == network.version):
        return True
    return _public(inner)


def _public(address: IPv4Address | IPv6Address) -> bool:
    special = address.is_multicast or address.is_reserved or any(address in network for network in _METADATA)
    return address.is_global and not special


def _within(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for; itself where it stands for none."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
