r"""A hash chain for each process that writes, in which every link holds the hash of the one before it.

    origin(chain) = SHA-256("narthex audit chain v1\0" || canonical JSON of what the chain is)
    link 1        = SHA-256(0x00 || "narthex audit link v1\0" || origin || position || sequence 1 || record 1)
    link n        = SHA-256(0x00 || "narthex audit link v1\0" || link n-1 || position || sequence n || record n)

Position and sequence are 8 bytes, big-endian: the sequence counts the chain's own records from 1, the position those
of all chains together, from 0, in the order in which they were committed. Everything before the record has a fixed
length, so no two records give the same input. What a chain is (its id, the log's, when and by which process it was
begun) is bound by its origin. A process that starts again begins another chain.

The 0x00 makes a link a leaf hash of RFC 6962: the links of all chains, by position, are the leaves of the Merkle tree
of which checkpoints sign the root. So the tree binds all chains at no more than a hash for each record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any, Final

from narthex_plugins.audit.record import canonical

LINK: Final = b"\0narthex audit link v1\0"
MARK: Final = 16
"""Bytes of a mark."""
ORIGIN: Final = b"narthex audit chain v1\0"


@dataclass(frozen=True, slots=True)
class Link:
    """Where a record stands.

    Attributes:
        chain: the chain's id, 32 hex digits.
        sequence: among the chain's records, from 1.
        position: among all records of the log, from 0.
        hash: 32 bytes; what the next link holds.
    """

    chain: str
    sequence: int
    position: int
    hash: bytes


class Chain:
    """A chain as it grows.

    Args:
        id: 32 hex digits.
        head: the hash of its last link, or its origin.
        sequence: of its last link, 0 where there is none.
    """

    __slots__ = ("head", "id", "sequence")

    def __init__(self, id: str, head: bytes, sequence: int = 0) -> None:  # noqa: A002  it is its id
        self.id = id
        self.head = head
        self.sequence = sequence

    def append(self, record: bytes, position: int) -> Link:
        """Add a record, given as its canonical bytes. Cost: one hash, 1 to 2 µs."""
        self.sequence += 1
        self.head = link_hash(self.head, position, self.sequence, record)
        return Link(self.id, self.sequence, position, self.head)


def mark(key: bytes, link: bytes) -> bytes:
    """What shows that a link was written by a process that has the log's keys: keyed BLAKE2b (RFC 7693), 16 bytes.

    Links can be computed by anybody. Without the mark whoever can write to the store could put a record at the end, or
    change those that no checkpoint covers yet, and have them signed. It says nothing to those without the key.
    """
    return blake2b(link, key=key, digest_size=MARK).digest()


def origin(description: Mapping[str, Any]) -> bytes:
    """The hash that a chain begins with."""
    return sha256(ORIGIN + canonical(description)).digest()


def link_hash(previous: bytes, position: int, sequence: int, record: bytes) -> bytes:
    """The hash of a link. Cost: one hash."""
    numbers = (position << 64 | sequence).to_bytes(16)
    return sha256(LINK + previous + numbers + record).digest()
