"""Merkle trees of RFC 6962 (and RFC 9162, whose trees are the same), by themselves: bytes in, bytes and bools out.

    MTH({})     = SHA-256()
    MTH({d0})   = SHA-256(0x00 || d0)                        a leaf
    MTH(D[n])   = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))    k: the largest power of two below n

A root over n leaves says what the leaves are and in which order. An inclusion proof shows that one leaf is under a
root, a consistency proof that a later tree only adds leaves to an earlier one; both are about log2(n) hashes.

Verifying answers False for whatever is not a proof: sizes that cannot be, hashes too many, too few or not of 32 bytes.
It never raises for what a stranger may send.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH: Final = 32
"""Bytes of a hash."""
EMPTY: Final = sha256().digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 6962 §2.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows, of which only the frontier is kept: the roots of its full subtrees, the largest first.

    Args:
        size: leaves that it begins with.
        frontier: their full subtrees; as many as `size` has bits set.

    Raises:
        ValueError: the frontier cannot be that of such a tree.

    Memory: at most 64 hashes for any log that will ever be. Cost: a hash and a half for each leaf.
    """

    __slots__ = ("_frontier", "size")

    def __init__(self, size: int = 0, frontier: Iterable[bytes] = ()) -> None:
        self.size = size
        self._frontier = list(frontier)
        if size < 0 or len(self._frontier) != size.bit_count() or any(len(one) != HASH for one in self._frontier):
            raise ValueError(f"this is not the frontier of a tree of {size} leaves")

    @property
    def frontier(self) -> tuple[bytes, ...]:
        """The roots of its full subtrees, the largest first."""
        return tuple(self._frontier)

    def append(self, data: bytes) -> None:
        """Add a leaf."""
        self.append_hash(sha256(b"\x00" + data).digest())

    def append_hash(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        frontier, size = self._frontier, self.size
        while size & 1:
            leaf = sha256(b"\x01" + frontier.pop() + leaf).digest()
            size >>= 1
        frontier.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves by their hashes: as `append_hash`, at two thirds of its cost."""
        frontier, hashed, size = self._frontier, sha256, self.size
        for leaf in leaves:
            node, full = leaf, size
            while full & 1:
                node = hashed(b"\x01" + frontier.pop() + node).digest()
                full >>= 1
            frontier.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """The root over all leaves until now. Cost: a hash for each bit set in the size but one."""
        if not self._frontier:
            return EMPTY
        found = self._frontier[-1]
        for left in reversed(self._frontier[:-1]):
            found = node_hash(left, found)
        return found


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaves, given as their data and not as hashes (RFC 6962 §2.1)."""
    tree = Tree()
    for data in leaves:
        tree.append(data)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The path from a leaf to the root, the deepest hash first (RFC 6962 §2.1.1).

    Args:
        leaves: their data.
        index: of the leaf, from 0.

    Raises:
        ValueError: there is no such leaf.
    """
    return [root(leaves[first:last]) for first, last in inclusion_ranges(index, len(leaves))]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaves under each hash of an inclusion proof, from and up to: for whoever has not all of them at hand.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    first, last = 0, size
    found: list[tuple[int, int]] = []
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            found.append((middle, last))
            last = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """What shows that the tree over all leaves begins with the first `old_size` of them (RFC 6962 §2.1.2).

    Empty where there is nothing to show: for an old tree without leaves, which every tree begins with, and for one of
    the same size.

    Raises:
        ValueError: there are fewer leaves.
    """
    return [root(leaves[first:last]) for first, last in consistency_ranges(old_size, len(leaves))]


def consistency_ranges(old_size: int, size: int) -> list[tuple[int, int]]:
    """The leaves under each hash of a consistency proof, from and up to.

    Raises:
        ValueError: there are fewer leaves.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} leaves does not begin with {old_size}")
    if old_size in (0, size):
        return []
    first, last, whole = 0, size, True
    found: list[tuple[int, int]] = []
    while old_size < last:
        middle = first + _split(last - first)
        if old_size <= middle:
            found.append((middle, last))
            last = middle
        else:
            found.append((first, middle))
            first, whole = middle, False
    if not whole:  # else the old tree is a node by itself, whose hash the verifier has
        found.append((first, last))
    return found[::-1]


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf with this hash stands at `index` under the root of a tree of `size` leaves (RFC 9162 §2.1.3.2).

    Cost: a hash for each in the proof.
    """
    if not 0 <= index < size or not _hashes([leaf_hash, root, *proof]):
        return False
    at, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and found == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree with the new root only adds to the one with the old root (RFC 9162 §2.1.4.2).

    An empty old tree is the beginning of every tree, if its root is that of an empty tree and the proof is empty;
    trees of one size are consistent if their roots are the same and the proof is empty.
    """
    if not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:  # whatever the roots are
        return not proof and old_root == new_root
    if old_size == 0 or not proof:
        return not proof and old_size == 0 and old_root == EMPTY and len(new_root) == HASH
    if not _hashes([old_root, new_root, *proof]):
        return False
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    # A full old tree is a node of the new one, and is not sent: the verifier has it already.
    first, rest = (old_root, proof) if old_size.bit_count() == 1 else (proof[0], proof[1:])
    old = new = first
    for sibling in rest:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == new_root


def _hashes(found: Sequence[bytes]) -> bool:
    return all(len(one) == HASH for one in found)


def _split(size: int) -> int:
    """The largest power of two below a size of two or more."""
    return 1 << (size - 1).bit_length() - 1
