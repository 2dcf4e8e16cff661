"""Fetching one issuer's keys: where they are, by its metadata or the operator's word, and what they are."""

import asyncio
from typing import Final, Protocol

from narthex.clock import Clock
from narthex_plugins.auth.discovery import IssuerFault, jwks_uri_of, metadata_addresses
from narthex_plugins.auth.issuer_settings import IssuerSettings
from narthex_plugins.auth.keyset import KeySet, load_jwks
from narthex_plugins.auth.refusals import KeyCode, KeyRefused

_REDISCOVER: Final = 3600.0
_COMPROMISED: Final = frozenset({KeyCode.PRIVATE, KeyCode.SET_MIXED})


class Documents(Protocol):
    """What fetches documents: `fetching.Fetcher`."""

    async def get(self, address: str) -> bytes:
        """Fetch one.

        Raises:
            IssuerFault: it cannot be had.
        """
        ...


class JwksSource:
    """Fetches the keys of one issuer.

    Its metadata are read at first, after a fetch that failed, and once an hour; where that fails while the former
    address of the keys is known, the former is used.
    """

    def __init__(self, settings: IssuerSettings, documents: Documents, clock: Clock) -> None:
        self._settings = settings
        self._documents = documents
        self._now = clock.boottime
        self._address: str | None = None
        self._good_until = 0.0
        self._body: bytes | None = None
        self._keys = KeySet(())

    async def fetch(self) -> KeySet:
        """Fetch them; the same object as before where they are the same.

        Raises:
            IssuerFault: they cannot be had.
        """
        try:
            body = await self._documents.get(await self._where())
        except (IssuerFault, asyncio.CancelledError):
            self._good_until = 0.0  # they may have moved
            raise
        if body != self._body:
            # Off the event loop: 256 keys take some 100 ms to check.
            self._keys, self._body = await asyncio.to_thread(self._load, body), body
        return self._keys

    def _load(self, body: bytes) -> KeySet:
        try:
            return load_jwks(body, self._settings.algorithms)
        except KeyRefused as refused:
            raise IssuerFault(f"its keys are refused: {refused}", compromised=refused.code in _COMPROMISED) from None

    async def _where(self) -> str:
        if self._settings.jwks_uri is not None:
            return self._settings.jwks_uri
        if self._address is not None and self._now() < self._good_until:
            return self._address
        try:
            async with asyncio.timeout(self._settings.fetch_timeout / 2):
                metadata = await self._metadata()
        except (IssuerFault, TimeoutError) as fault:
            if self._address is not None:
                return self._address
            raise IssuerFault(str(fault) or "its metadata do not come") from None
        address = jwks_uri_of(metadata, self._settings.issuer)
        self._address, self._good_until = address, self._now() + _REDISCOVER
        return address

    async def _metadata(self) -> bytes:
        """The first of the usual places where there is something."""
        faults: list[IssuerFault] = []
        for address in metadata_addresses(self._settings.issuer):
            try:
                return await self._documents.get(address)
            except IssuerFault as fault:
                faults.append(fault)
        raise IssuerFault("; ".join(map(str, faults)))
