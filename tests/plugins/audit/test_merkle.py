"""RFC 6962's trees: known answers of certificate transparency's implementations, its own example, and its edges."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex_plugins.audit.merkle import (
    EMPTY,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
# The roots over the first one to eight of them, as every implementation of certificate transparency has them.
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = [  # leaf from 1, size, path
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [  # old size, new size, path
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def test_roots_are_those_that_everybody_has() -> None:
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root([]) == EMPTY == Tree().root()
    assert [root(LEAVES[: size + 1]).hex() for size in range(8)] == ROOTS
    tree, grown = Tree(), []
    for one in LEAVES:
        tree.append(one)
        grown.append(tree.root().hex())
    assert grown == ROOTS


@pytest.mark.parametrize(("leaf", "size", "path"), INCLUSION)
def test_known_inclusion_proofs(leaf: int, size: int, path: list[str]) -> None:
    proof = inclusion_proof(LEAVES[:size], leaf - 1)
    assert [one.hex() for one in proof] == path
    assert verify_inclusion(leaf_hash(LEAVES[leaf - 1]), leaf - 1, size, proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_known_consistency_proofs(old: int, new: int, path: list[str]) -> None:
    proof = consistency_proof(LEAVES[:new], old)
    assert [one.hex() for one in proof] == path
    assert verify_consistency(old, new, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]), proof)


def test_the_example_of_the_rfc() -> None:
    """Section 2.1.3: seven leaves, whose inner nodes have the letters a to l there."""
    d = [b"d%d" % number for number in range(7)]
    a, b, c, e, f, g_, j = (leaf_hash(d[at]) for at in (0, 1, 2, 3, 4, 5, 6))
    g, h, i = node_hash(a, b), node_hash(c, e), node_hash(f, g_)
    k, l_ = node_hash(g, h), node_hash(i, j)
    assert root(d) == node_hash(k, l_)
    assert inclusion_proof(d, 0) == [b, h, l_]
    assert inclusion_proof(d, 3) == [c, g, l_]
    assert inclusion_proof(d, 4) == [g_, j, k]
    assert inclusion_proof(d, 6) == [i, k]
    assert consistency_proof(d, 3) == [c, e, g, l_]
    assert consistency_proof(d, 4) == [l_]
    assert consistency_proof(d, 6) == [i, j, k]


def test_a_leaf_is_never_a_node() -> None:
    a, b = b"x" * 32, b"y" * 32
    assert leaf_hash(a + b) != node_hash(a, b)
    assert leaf_hash(b"") == sha256(b"\x00").digest() != EMPTY


def data(size: int) -> list[bytes]:
    return [b"%d" % number for number in range(size)]


@given(st.integers(1, 300), st.data())
def test_every_inclusion_proof_holds_and_no_other(size: int, draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, size - 1))
    leaves = data(size)
    proof, top, leaf = inclusion_proof(leaves, index), root(leaves), leaf_hash(leaves[index])
    assert len(proof) <= size.bit_length()
    assert verify_inclusion(leaf, index, size, proof, top)
    other = draw.draw(st.integers(-2, size + 2).filter(lambda one: one != index))
    assert not verify_inclusion(leaf, other, size, proof, top)
    assert not verify_inclusion(leaf, index, size, [*proof, EMPTY], top)
    assert not verify_inclusion(leaf, index, size, [*proof, *proof, EMPTY], top)
    assert not verify_inclusion(EMPTY, index, size, proof, top)
    assert not verify_inclusion(leaf, index, size, proof, EMPTY)
    if proof:
        assert not verify_inclusion(leaf, index, size, proof[:-1], top)
        assert not verify_inclusion(leaf, index, size, proof[1:], top)
        at = draw.draw(st.integers(0, len(proof) - 1))
        bit = draw.draw(st.integers(0, 255))
        changed = bytearray(proof[at])
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify_inclusion(leaf, index, size, [*proof[:at], bytes(changed), *proof[at + 1 :]], top)


@given(st.integers(0, 300), st.data())
def test_every_consistency_proof_holds_and_no_other(size: int, draw: st.DataObject) -> None:
    old = draw.draw(st.integers(0, size))
    leaves = data(size)
    proof, first, second = consistency_proof(leaves, old), root(leaves[:old]), root(leaves)
    assert verify_consistency(old, size, first, second, proof)
    assert not verify_consistency(old, size, first, second, [*proof, EMPTY])
    assert not verify_consistency(old, size, leaf_hash(b"x"), second, proof)
    if old > 0:
        assert not verify_consistency(old, size, first, leaf_hash(b"x"), proof)
    if proof:
        assert not verify_consistency(old, size, first, second, proof[:-1])
        assert not verify_consistency(old, size, first, second, proof[1:])
        assert not verify_consistency(old, size, first, second, [])
        at, bit = draw.draw(st.integers(0, len(proof) - 1)), draw.draw(st.integers(0, 255))
        changed = bytearray(proof[at])
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify_consistency(old, size, first, second, [*proof[:at], bytes(changed), *proof[at + 1 :]])
    else:
        assert old in (0, size)


def test_the_edges_of_consistency() -> None:
    """RFC 6962 speaks of an old tree with leaves and a larger new one; RFC 9162 says what the others are."""
    top, other = root(data(5)), root(data(6))
    assert verify_consistency(0, 5, EMPTY, top, [])
    assert not verify_consistency(0, 5, top, top, [])
    assert not verify_consistency(0, 5, EMPTY, top, [EMPTY])
    assert verify_consistency(0, 0, EMPTY, EMPTY, [])
    assert not verify_consistency(0, 0, EMPTY, top, [])
    assert verify_consistency(5, 5, top, top, [])
    assert not verify_consistency(5, 5, top, other, [])
    assert not verify_consistency(5, 5, top, top, [top])
    assert not verify_consistency(6, 5, other, top, [])
    assert not verify_consistency(-1, 5, top, top, [])
    assert consistency_proof(data(5), 0) == consistency_proof(data(5), 5) == []
    with pytest.raises(ValueError, match="does not begin with 6"):
        consistency_proof(data(5), 6)


def test_the_edges_of_inclusion() -> None:
    leaf = leaf_hash(b"0")
    assert verify_inclusion(leaf, 0, 1, [], leaf)
    assert not verify_inclusion(leaf, 0, 0, [], EMPTY)
    assert not verify_inclusion(leaf, 1, 1, [], leaf)
    assert not verify_inclusion(leaf, -1, 1, [], leaf)
    assert not verify_inclusion(leaf, 0, 1, [leaf], leaf)
    assert not verify_inclusion(leaf[:31], 0, 1, [], leaf[:31])
    assert not verify_inclusion(leaf, 0, 2, [b"short"], node_hash(leaf, b"short"))
    for index in (0, 5, -1):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(data(5)[:index] if index == 0 else data(5), index)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_tree_goes_on_from_its_frontier(before: int, more: int) -> None:
    leaves = data(before + more)
    tree = Tree()
    tree.extend(leaf_hash(one) for one in leaves[:before])
    again = Tree(tree.size, tree.frontier)
    for one in leaves[before:]:
        again.append(one)
    assert again.root() == root(leaves)
    assert again.size == len(leaves)
    assert len(again.frontier) == again.size.bit_count()


@pytest.mark.parametrize(("size", "frontier"), [(1, []), (2, [EMPTY, EMPTY]), (0, [EMPTY]), (1, [b"x"]), (-1, [EMPTY])])
def test_a_frontier_that_cannot_be_is_refused(size: int, frontier: list[bytes]) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Tree(size, frontier)


CARELESS = b"don't care 1"


@pytest.mark.parametrize(
    ("old", "new", "old_root", "new_root", "proof", "holds"),
    [
        # What implementations of certificate transparency test, with roots that are none where nobody looks.
        (0, 0, CARELESS, CARELESS, [], True),
        (1, 1, CARELESS, CARELESS, [], True),
        (0, 0, CARELESS, b"don't care 2", [], False),
        (1, 1, CARELESS, b"don't care 2", [], False),
        (0, 0, EMPTY, EMPTY, [EMPTY], False),
        (1, 1, EMPTY, EMPTY, [EMPTY], False),
        (0, 1, EMPTY, EMPTY, [EMPTY], False),
        (0, 1, CARELESS, b"don't care 2", [], False),
        (0, 1, EMPTY, b"don't care 2", [], False),
        (1, 0, CARELESS, CARELESS, [], False),
        (2, 1, CARELESS, CARELESS, [], False),
        (1, 2, CARELESS, CARELESS, [], False),
        (1, 2, bytes.fromhex(ROOTS[0]), bytes.fromhex(ROOTS[1]), [b""], False),
        (1, 2, bytes.fromhex(ROOTS[0]), bytes.fromhex(ROOTS[1]), [leaf_hash(LEAVES[1])], True),
    ],
)
def test_edges_that_others_test(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes], holds: bool
) -> None:
    assert verify_consistency(old, new, old_root, new_root, proof) is holds
