"""Fetching an issuer's metadata and keys by httpx, as one fetches from a stranger.

A redirect is followed within the origin it comes from, three times at most. A body is read up to a limit, and never
decompressed: 64 KB can unpack to 64 MB. No cookie, no credential, no connection is kept from one fetch to the next.
How long it may take is for the caller to say, by `asyncio.timeout`.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from narthex_plugins.auth.discovery import IssuerFault, check_address, is_loopback, same_origin

_LARGEST: Final = 512 * 1024
_REDIRECTS: Final = 3
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "narthex"}


class NotThere(IssuerFault):
    """The address was answered with 400 to 499: nothing of the kind is there."""


class Fetcher:
    """Fetches small documents.

    Args:
        certificates: a file (PEM) of those who may sign the server's; None for those that the world trusts.
        insecure_http: whether plain http will do on loopback.
    """

    def __init__(self, certificates: Path | None, *, insecure_http: bool) -> None:
        self._certificates = certificates
        self._insecure_http = insecure_http
        self._tls: ssl.SSLContext | None = None

    async def prepare(self) -> None:
        """Read the certificates, off the event loop: the usual ones take some 20 ms.

        Raises:
            OSError: the file cannot be read, or holds no certificates (`ssl.SSLError`).
        """
        path = self._certificates
        if path is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        else:
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=str(path))

    async def get(self, address: str) -> bytes:
        """Fetch a document.

        Raises:
            IssuerFault: the address is not one to fetch from, or is not answered with 200 and a body that is not too
                large (`NotThere` where the answer is 4xx).
        """
        for _ in range(_REDIRECTS + 1):
            check_address(address, insecure_http=self._insecure_http)
            answer = await self._once(address)
            if isinstance(answer, bytes):
                return answer
            if not same_origin(address, answer):
                raise IssuerFault(f"{address} redirects to another origin, {answer[:200]!r}")
            address = answer
        raise IssuerFault(f"{address} redirects too often")

    async def _once(self, address: str) -> bytes | str:
        """The body, or where to go instead."""
        host = urlsplit(address).hostname or ""
        if self._tls is None:
            await self.prepare()
        # A proxy that the environment names is for the world outside, not for this machine.
        try:
            client = httpx.AsyncClient(verify=self._tls or True, trust_env=not is_loopback(host), timeout=None)  # noqa: S113
        except (ValueError, ImportError) as error:
            raise IssuerFault(f"the proxy that the environment names cannot be used: {error}") from None
        try:
            async with client, client.stream("GET", address, headers=_HEADERS, follow_redirects=False) as response:
                return await _read(response, address)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise IssuerFault(f"{address} does not answer: {type(error).__name__} {error}".rstrip()) from None


async def _read(response: httpx.Response, address: str) -> bytes | str:
    if response.status_code in {301, 302, 303, 307, 308} and "location" in response.headers:
        try:
            return urljoin(address, response.headers["location"])
        except ValueError:
            raise IssuerFault(f"{address} redirects to what is no address") from None
    if response.status_code != 200:
        kind = NotThere if 400 <= response.status_code < 500 and response.status_code != 429 else IssuerFault
        raise kind(f"{address} answers {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise IssuerFault(f"{address} answers in an encoding that was not asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _LARGEST:
            raise IssuerFault(f"{address} answers with more than {_LARGEST} bytes")
    return bytes(body)
