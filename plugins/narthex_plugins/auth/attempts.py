"""The table of failed attempts: digests of who and where, and what is counted for them.

Digests and not names, because people type their password into the wrong field; and one length, whatever was typed.
"""

import hashlib
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from narthex_plugins.auth.delays import KINDS, NOTHING, Count, Delays, Kind
from narthex_plugins.auth.names import canonical
from narthex_plugins.auth.tables import attempts

MOST_ROWS: Final = 100_000
"""Rows that only count failures. Beyond them the oldest go: whoever is being attacked now is not among those."""


def network(address: str | None) -> str | None:
    """What counts as one address: an IPv4 address, or the /64 that one subscriber has of IPv6.

    Returns:
        None for what is no address, such as the peer of a unix socket: nothing is known of where it comes from.
    """
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((found, 64), strict=False))
    return str(found)


def keys_of(name: str, address: str | None) -> dict[Kind, str]:
    """Digests of what is counted, in the order of `KINDS`; without an address there is the account alone."""
    who, where = canonical(name) or name, network(address)
    if where is None:
        return {"account": _digest("account", who)}
    parts: dict[Kind, tuple[str, ...]] = {"pair": (who, where), "account": (who,), "address": (where,)}
    return {kind: _digest(kind, *parts[kind]) for kind in KINDS}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class AttemptRows:
    """The rows of one instance of the plugin; every method is for use within a job.

    Args:
        instance: the plugin's.
        delays: knows from when on a row says nothing.
    """

    def __init__(self, instance: str, delays: Delays) -> None:
        self._instance = instance
        self._delays = delays
        self._ours = attempts.c.instance == instance

    def load(self, connection: Connection, keys: Mapping[Kind, str]) -> dict[Kind, Count]:
        """The counts of these keys, also of those that nothing is known of. One statement."""
        wanted = select(attempts).where(self._ours, attempts.c.key.in_(list(keys.values())))
        found = {row["key"]: row for row in connection.execute(wanted).mappings()}
        return {
            kind: Count(row["failures"], row["last"], row["trusted_until"]) if (row := found.get(key)) else NOTHING
            for kind, key in keys.items()
        }

    def save(self, connection: Connection, key: str, count: Count) -> None:
        """Put the count in the place of what was there."""
        row: dict[str, Any] = {"instance": self._instance, "key": key, "failures": count.failures, "last": count.last}
        row |= {"trusted_until": count.trusted_until, "expires": self._delays.expires(count)}
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        primary = [attempts.c.instance, attempts.c.key]
        connection.execute(dialect.insert(attempts).values(row).on_conflict_do_update(index_elements=primary, set_=row))

    def sweep(self, connection: Connection, now: float, most: int = MOST_ROWS) -> None:
        """Delete what says nothing any more, and the oldest of what is too much."""
        connection.execute(delete(attempts).where(self._ours, attempts.c.expires <= now))
        untrusted = self._ours & (attempts.c.trusted_until <= now)
        there = connection.execute(select(func.count()).select_from(attempts).where(untrusted)).scalar_one()
        if there > most:
            oldest = select(attempts.c.key).where(untrusted).order_by(attempts.c.expires).limit(there - most)
            connection.execute(delete(attempts).where(self._ours, attempts.c.key.in_(oldest)))
