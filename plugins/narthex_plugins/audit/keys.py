"""The keys of a log, in one row under one seal: what signs it, what marks its records as ours, what names are found by.

They are drawn when the log begins and stay the same; sealing them anew, under another secret key, puts down another
row. So nobody who has only the store can sign, and nobody can write a record that would be signed.
"""

import os
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, RowMapping, insert, select

from narthex.sealing import SealBroken, Sealer
from narthex_plugins.audit.tables import keys

_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The keys of one log.

    Attributes:
        signing: signs checkpoints.
        marking: marks links as written by a process of ours (see `chain.mark`).
        searching: what people's names are found by where they stand as pseudonyms.
    """

    signing: Ed25519PrivateKey
    marking: bytes
    searching: bytes

    def __repr__(self) -> str:
        return f"<LogKeys {self.public}>"

    @property
    def public(self) -> str:
        """The public key that checkpoints are verified with, in hex."""
        return self.signing.public_key().public_bytes_raw().hex()


def draw() -> bytes:
    """Keys for a new log, as they are sealed."""
    return Ed25519PrivateKey.generate().private_bytes_raw() + os.urandom(2 * _LENGTH)


def put_keys(connection: Connection, instance: str, sealer: Sealer, new: bytes, now: str) -> bytes:
    """The sealed keys of an instance; where there are none, the new ones. A job of the writer."""
    row = last_keys(connection, instance)
    if row is not None:
        return bytes(row["sealed"])
    return add_keys(connection, instance, sealer, new, now, 1)


def add_keys(connection: Connection, instance: str, sealer: Sealer, plain: bytes, now: str, number: int) -> bytes:
    """Put keys down under a seal, and give that."""
    sealed = sealer.seal(plain, purpose(instance))
    public = open_keys(sealer, instance, sealed).signing.public_key().public_bytes_raw()
    row = {"instance": instance, "number": number, "public": public, "sealed": sealed, "created": now}
    connection.execute(insert(keys).values(row))
    return sealed


def last_keys(connection: Connection, instance: str) -> RowMapping | None:
    """The row that is good; None where the log has not begun."""
    found = select(keys).where(keys.c.instance == instance).order_by(keys.c.number.desc()).limit(1)
    return connection.execute(found).mappings().one_or_none()


def open_keys(sealer: Sealer, instance: str, sealed: bytes) -> LogKeys:
    """The keys themselves.

    Raises:
        SealBroken: they were sealed under another secret key, or for another instance, or are damaged.
    """
    plain = sealer.open(sealed, purpose(instance))
    private, marking, searching = (plain[at : at + _LENGTH] for at in (0, _LENGTH, 2 * _LENGTH))
    return LogKeys(Ed25519PrivateKey.from_private_bytes(private), marking, searching)


def purpose(instance: str) -> bytes:
    """What the seal is bound to."""
    return f"audit log keys\0{instance}".encode()


def reseal_keys(connection: Connection, instance: str, old: Sealer, new: Sealer, now: str) -> bool:
    """Seal the keys of a log anew; a job of the writer. False where they are under the new secret key already.

    Raises:
        SealBroken: they open under neither secret key.
    """
    row = last_keys(connection, instance)
    if row is None:
        return False
    try:
        new.open(bytes(row["sealed"]), purpose(instance))
    except SealBroken:
        plain = old.open(bytes(row["sealed"]), purpose(instance))
        add_keys(connection, instance, new, plain, now, row["number"] + 1)
        return True
    return False
