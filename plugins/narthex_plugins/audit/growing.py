"""How far the log has come since it was signed, and the Merkle tree over it as it grows."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from sqlalchemy import Connection, select

from narthex.errors import NarthexError
from narthex_plugins.audit.chain import mark
from narthex_plugins.audit.checkpoints import Checkpoint, parse
from narthex_plugins.audit.merkle import HASH, Tree
from narthex_plugins.audit.segments import Segment, all_segments, end, links
from narthex_plugins.audit.tables import checkpoints


class Damaged(NarthexError):
    """The log is not what it was when it was last signed."""

    code = "audit_damaged"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the log has come, and how far it is signed.

    Attributes:
        last: the last checkpoint; None before the first.
        frontier: of its tree.
        end: position of the next record.
        segments: all that there ever were, the oldest first.
    """

    last: Checkpoint | None
    frontier: bytes
    end: int
    segments: Sequence[Segment]

    @property
    def size(self) -> int:
        """Records that are covered."""
        return 0 if self.last is None else self.last.size

    @property
    def first(self) -> int:
        """Position of the oldest record that is kept."""
        return 0 if self.last is None else self.last.first


def look(connection: Connection, instance: str) -> Standing:
    """How far the log has come. Cost: three or four small reads."""
    own = select(checkpoints.c.document, checkpoints.c.frontier).where(checkpoints.c.instance == instance)
    row = connection.execute(own.order_by(checkpoints.c.number.desc()).limit(1)).one_or_none()
    segments = all_segments(connection, instance)
    last = None if row is None else parse(row.document)
    return Standing(last, b"" if row is None else row.frontier, end(connection, segments), segments)


def frontier(flat: bytes) -> list[bytes]:
    """The hashes of a frontier, as they lie in one column."""
    return [flat[at : at + HASH] for at in range(0, len(flat), HASH)]


class Growth:
    """A Merkle tree that takes in what was recorded since it was signed.

    Args:
        standing: how far the log has come.
        key: that the last link of all that was put in together is marked with.

    Attributes:
        tree: over all records until now.
    """

    def __init__(self, standing: Standing, key: bytes) -> None:
        self.tree = Tree(standing.size, frontier(standing.frontier))
        self._key = key
        self._loose: dict[str, int] = {}

    def copy(self) -> "Growth":
        """Another one, as far as this is."""
        other = copy(self)
        other.tree = Tree(self.tree.size, self.tree.frontier)
        other._loose = dict(self._loose)  # noqa: SLF001  its own kind
        return other

    def take(self, connection: Connection, segments: Sequence[Segment], limit: int | None = None) -> None:
        """Take in the links that follow, at most so many, or all.

        Raises:
            Damaged: one is missing, or its mark is not ours.
        """
        tree, loose = self.tree, self._loose
        for position, chain, link, marked in links(connection, segments, tree.size, limit):
            if position != tree.size:
                raise Damaged(f"there is no record at position {tree.size}")
            if marked is None:
                loose.setdefault(chain, position)
            elif marked == mark(self._key, link):
                loose.pop(chain, None)
            else:
                raise Damaged(f"the record at position {position} was not written by this log")
            tree.append_hash(link)

    def end(self) -> Tree:
        """The tree, now that all was taken in.

        Raises:
            Damaged: some of it is nobody's.
        """
        if self._loose:
            raise Damaged(f"the record at position {min(self._loose.values())} was not written by this log")
        return self.tree
