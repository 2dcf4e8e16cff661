"""Proofs of single records: a document that shows to somebody who has the public key that a record is in the log.

It holds the record, what its link is made of, the path from the link to the root that a checkpoint signed, and what
shows that a later checkpoint only adds to that one. How to check it without Narthex stands in
docs/reference/plugins/audit.md.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from narthex.errors import NarthexError
from narthex_plugins.audit.chain import link_hash, origin
from narthex_plugins.audit.checkpoints import Checkpoint, CheckpointError, parse
from narthex_plugins.audit.growing import frontier
from narthex_plugins.audit.merkle import (
    Tree,
    consistency_ranges,
    inclusion_ranges,
    verify_consistency,
    verify_inclusion,
)
from narthex_plugins.audit.record import canonical
from narthex_plugins.audit.segments import Segment, all_segments, kept, links
from narthex_plugins.audit.tables import chains, checkpoints


class Unprovable(NarthexError):
    """There is no proof; the message says why."""

    code = "audit_unprovable"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a record is."""

    segment: Segment
    position: int
    chain: str
    sequence: int
    record: str


def prove(connection: Connection, instance: str, record: str) -> dict[str, Any]:
    """The proof for a record, as JSON.

    Args:
        connection: to the store.
        instance: the plugin's.
        record: its id.

    Raises:
        Unprovable: there is no such record, no checkpoint covers it yet, or the log is damaged.

    Cost: a look at every link from the oldest that is kept, a second or two for a million; memory does not grow.
    """
    there = kept(connection, instance)
    place = _find(connection, there, record)
    covering = _checkpoint(connection, instance, place.position)
    last = _last(connection, instance)
    if covering is None or last is None:
        raise Unprovable(f"no checkpoint covers record {record} yet: wait for the next one")
    leaves = _Leaves(connection, all_segments(connection, instance), there[0])
    path = [leaves.root(*one) for one in inclusion_ranges(place.position, covering.size)]
    more = [leaves.root(*one) for one in consistency_ranges(covering.size, last.size)]
    return {
        "chain": place.chain,
        "checkpoint": json.loads(covering.document()),
        "consistency": {"checkpoint": json.loads(last.document()), "path": [one.hex() for one in more]},
        "inclusion": [one.hex() for one in path],
        "position": place.position,
        "previous": _previous(connection, instance, place).hex(),
        "record": json.loads(place.record),
        "sequence": place.sequence,
    }


def check(proof: Any, key: str) -> str:
    """What is wrong with a proof; "" where it holds.

    Args:
        proof: the JSON of `prove`, from whoever gave it.
        key: the public key, in hex.
    """
    try:
        covering, last = (parse(json.dumps(one)) for one in (proof["checkpoint"], proof["consistency"]["checkpoint"]))
        link = link_hash(
            bytes.fromhex(proof["previous"]), proof["position"], proof["sequence"], canonical(proof["record"])
        )
        path = [bytes.fromhex(one) for one in proof["inclusion"]]
        more = [bytes.fromhex(one) for one in proof["consistency"]["path"]]
        position = proof["position"]
        included = verify_inclusion(link, position, covering.size, path, bytes.fromhex(covering.root))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, CheckpointError) as error:
        return f"this is no proof: {error}"
    for one in (covering, last):
        if one.key != key or not one.is_signed():
            return f"checkpoint {one.number} is not signed by the key"
    if not included:
        return "the record is not among those that were signed"
    roots = bytes.fromhex(covering.root), bytes.fromhex(last.root)
    if covering.log != last.log or not verify_consistency(covering.size, last.size, *roots, more):
        return "the later checkpoint does not only add to the earlier one"
    return ""


class _Leaves:
    """Roots over parts of the log, whose oldest links may be gone: of those the frontier is left."""

    def __init__(self, connection: Connection, segments: Sequence[Segment], oldest: Segment) -> None:
        self._connection = connection
        self._segments = segments
        self._oldest = oldest

    def root(self, first: int, last: int) -> bytes:
        """The root over the links from one position up to another.

        Raises:
            Unprovable: they are not all there.
        """
        gone = max(min(last, self._oldest.first) - first, 0)
        try:  # RFC 6962 splits what was dropped as its frontier does
            tree = Tree(gone, [node for at, node in self._nodes() if first <= at < last])
        except ValueError:
            raise Unprovable("it would need records that were let go") from None
        left = last - first - gone
        for position, _, link, _ in links(self._connection, self._segments, first + gone, left) if left else ():
            if position != first + tree.size:
                break
            tree.append_hash(link)
        if tree.size != last - first:
            raise Unprovable("a record is missing: run narthex audit verify")
        return tree.root()

    def _nodes(self) -> Iterator[tuple[int, bytes]]:
        """The full subtrees over what was dropped: where each begins, and its root."""
        size, at = self._oldest.first, 0
        for node in frontier(self._oldest.frontier):
            length = 1 << (size - at).bit_length() - 1
            yield at, node
            at += length


def _find(connection: Connection, there: Sequence[Segment], record: str) -> _Place:
    for segment in reversed(there):
        table = segment.table
        wanted = select(table.c.position, table.c.chain, table.c.sequence, table.c.record)
        row = connection.execute(wanted.where(table.c.id == record).limit(1)).one_or_none()
        if row is not None:
            return _Place(segment, row.position, row.chain, row.sequence, row.record)
    raise Unprovable(f"there is no record {record!r}")


def _checkpoint(connection: Connection, instance: str, position: int) -> Checkpoint | None:
    """The first checkpoint that covers a position."""
    own = (checkpoints.c.instance == instance) & (checkpoints.c.size > position)
    found = select(checkpoints.c.document).where(own).order_by(checkpoints.c.number).limit(1)
    document = connection.execute(found).scalar()
    return None if document is None else parse(document)


def _last(connection: Connection, instance: str) -> Checkpoint | None:
    own = select(checkpoints.c.document).where(checkpoints.c.instance == instance)
    document = connection.execute(own.order_by(checkpoints.c.number.desc()).limit(1)).scalar()
    return None if document is None else parse(document)


def _previous(connection: Connection, instance: str, place: _Place) -> bytes:
    """The link before a record's, or what its chain began with."""
    table = place.segment.table
    if place.sequence > 1:
        own = (table.c.chain == place.chain) & (table.c.sequence == place.sequence - 1)
        found: bytes | None = connection.execute(select(table.c.hash).where(own)).scalar()
    else:
        own = (chains.c.instance == instance) & (chains.c.chain == place.chain)
        text = connection.execute(select(chains.c.description).where(own)).scalar()
        found = None if text is None else origin(json.loads(text))
    if found is None:
        raise Unprovable("the record before it is missing: run narthex audit verify")
    return bytes(found)
