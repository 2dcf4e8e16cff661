"""Verifying: whether the log is what was recorded and signed, told by itself. No I/O; what is read is given to it.

    segment(...)      a segment begins: where, and the Merkle frontier of what was before
    begins(...)       what a chain is, before its first record
    records(rows)     rows in order of position
    checkpoint(...)   as soon as as many records as it covers have been given
    finish()          the report

The first thing that is wrong ends it: `Bad` says what, where, and between which positions. What is found, from near to
far: a record whose bytes, place or columns are not what its link says; a link that does not follow from the one before;
a position or a number of a chain that is missing or there twice; a chain that nobody began, or another log's; records
that are linked well but are not those that were signed; a log that is shorter than a checkpoint says, or begins later
than one has let it. Records after the last checkpoint are only held by their chains: see the report's `covered`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct
from typing import Any, Final

import msgspec

from narthex.errors import NarthexError
from narthex_plugins.audit.chain import LINK, ORIGIN, link_hash, mark
from narthex_plugins.audit.checkpoints import BEFORE_ALL, Checkpoint
from narthex_plugins.audit.merkle import Tree
from narthex_plugins.audit.pending import Intent, Pending
from narthex_plugins.audit.record import INTENT

Row = tuple[Any, ...]
"""position, chain, sequence, hash, mark or None, record (bytes); if nobody has put something else there."""
Progress = Callable[[int], None]
"""Told how many records have been verified."""


class _Details(msgspec.Struct, frozen=True):
    """A record of a whole request has both."""

    method: msgspec.Raw = msgspec.Raw(b"")
    status: msgspec.Raw = msgspec.Raw(b"")


class _Record(msgspec.Struct, frozen=True):
    """What verifying wants to know of a record."""

    id: str
    time: str
    action: str
    outcome: str
    request_id: str | None
    details: _Details


class _Description(msgspec.Struct, frozen=True):
    chain: str
    log: str
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong, and where.

    Attributes:
        kind: one word of those in docs/reference/plugins/audit.md.
        says: it in a sentence.
        first: position of the first record that is bad, or may be.
        last: of the last that may be; the same where it is known exactly.
        record: its id, where it can be read.
        chain: its chain.
        sequence: its number there.
        checkpoint: number of the checkpoint that says so.
    """

    kind: str
    says: str
    first: int
    last: int
    record: str = ""
    chain: str = ""
    sequence: int | None = None
    checkpoint: int | None = None


class Bad(NarthexError):
    """The log is not what was recorded."""

    code = "audit_bad"

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.says)
        self.finding = finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What verifying has found.

    Attributes:
        log: its id, "" where nothing says so.
        first: position of the first record.
        records: how many were verified.
        chains: how many there are.
        checkpoints: how many were verified.
        covered: records from `first` on that a checkpoint covers; the others are held by their chains only.
        finding: the first thing that is wrong.
        unknown: intents without an outcome, the first 1,000.
        unknown_count: how many there are.
    """

    log: str
    first: int
    records: int
    chains: int
    checkpoints: int
    covered: int
    finding: Finding | None
    unknown: Sequence[Intent] = ()
    unknown_count: int = 0


@dataclass(slots=True)
class _Head:
    """A chain as far as it was read."""

    hash: bytes
    begun: int
    sequence: int = 0
    marked: int = 0


@dataclass(slots=True)
class _Signed:
    """The checkpoints as far as they were read."""

    last: Checkpoint | None = None
    count: int = 0
    compared: int = -1
    first: int = 0
    """What the newest of all lets begin the log."""
    longest: Checkpoint | None = None
    """Of those that were published."""
    published: Iterator[Checkpoint] = field(default_factory=lambda: iter(()))
    due: Checkpoint | None = None


class Verifier:
    """Verifies one log, given in order.

    Args:
        keys: public keys, in hex, by which checkpoints may be signed.
        published: checkpoints from outside; they hold the log to what it once was.
        marking: the key that links are marked with; None where it is not known, or marks are not there.

    Raises:
        Bad: a published checkpoint is not signed by the key, or there are two of one number.

    Memory: the tree's frontier, a hash for each chain of the segments at hand, and open intents; none of it grows
    with the number of records. Published checkpoints are held: some 600 bytes each.
    """

    def __init__(self, keys: Iterable[str], published: Iterable[Checkpoint] = (), marking: bytes | None = None) -> None:
        self._marking = marking
        self._keys = frozenset(keys)
        self._tree = Tree()
        self._segment = 0
        self._start: int | None = None
        self._heads: dict[str, _Head] = {}
        self._begun: dict[str, bytes] = {}
        self._chains = 0
        self._pending = Pending()
        self._signed = _Signed()
        self.log = ""
        self._publish(published)

    @property
    def size(self) -> int:
        """Position of the record that comes next."""
        return self._tree.size

    def segment(self, number: int, first: int, frontier: Sequence[bytes]) -> None:
        """A segment begins.

        Raises:
            Bad: it does not begin where the one before ended.
        """
        try:
            tree = Tree(first, frontier)
        except ValueError:
            raise self._bad("segment", f"segment {number} does not say what was before it", first) from None
        if self._start is None:
            self._start = first
            self._tree = tree
        elif first != self._tree.size:
            raise (
                self._missing(first)
                if first > self._tree.size
                else self._bad(
                    "segment",
                    f"segment {number} begins at {first}, and there are records up to {self._tree.size}",
                    first,
                )
            )
        elif tree.frontier != self._tree.frontier:
            raise self._bad("segment", f"segment {number} does not say what was before it", first)
        self._must_be_marked()
        self._segment = number
        self._heads, self._begun = {}, {}
        self._pass_published()

    def begins(self, description: bytes) -> None:
        """What a chain is: the canonical JSON of it.

        Raises:
            Bad: it is another log's, another segment's, or cannot be read.
        """
        try:
            found = _decode_description(description)
        except (msgspec.MsgspecError, UnicodeError):
            raise self._bad("chain", "a chain is described by what cannot be read", self._tree.size) from None
        self.log = self.log or found.log
        if found.log != self.log:
            raise self._bad("log", f"chain {found.chain} belongs to another log, {found.log}", self._tree.size)
        if found.segment != self._segment:
            raise self._bad("chain", f"chain {found.chain} belongs to segment {found.segment}", self._tree.size)
        if found.chain in self._begun:
            raise self._bad("chain", f"chain {found.chain} begins twice", self._tree.size)
        self._begun[found.chain] = description

    def records(self, rows: Sequence[Row]) -> None:
        """Records in order of position.

        Raises:
            Bad: at the first that is not what was recorded.

        Cost: two hashes for each, 3 µs or so in all; a look into its JSON while an intent waits.
        """
        done = 0
        while done < len(rows):
            due = self._signed.due
            room = len(rows) if due is None or due.size <= self._tree.size else due.size - self._tree.size
            self._follow(rows[done : done + room])
            done += room
            self._pass_published()

    def _follow(self, rows: Sequence[Row]) -> None:
        """Follow the chains through rows, and add their links to the tree."""
        heads, key, pending, pack, hashed = self._heads, self._marking, self._pending, _pack, sha256
        position, links = self._tree.size, list[bytes]()
        add, current, head, waiting = links.append, None, None, len(pending)
        for row in rows:
            at, chain, sequence, link, marked, record = row
            if chain != current or head is None:  # most often it is the chain of the row before
                head = heads.get(chain) or self._begin(row, links)
                current = chain
            number = head.sequence + 1
            try:
                found = hashed(pack(LINK, head.hash, position, number) + record).digest()
            except TypeError:
                raise self._wrong(row, head, links) from None
            if link != found or at != position or sequence != number:
                raise self._wrong(row, head, links)
            head.hash, head.sequence = found, number
            if marked is not None and key is not None:
                if marked != mark(key, found):
                    says = f"record {position} was not written by this log's processes"
                    raise self._at(row, "mark", says, links)
                head.marked = number
            add(found)
            position += 1
            if waiting or _INTENT in record:
                self._look(row, links)
                waiting = len(pending)
        self._tree.extend(links)

    def checkpoint(self, one: Checkpoint) -> None:
        """A checkpoint of the log itself; as soon as it can be compared, or later.

        Raises:
            Bad: it is not signed, does not follow the one before, or speaks of other records.
        """
        signed, last = self._signed, self._signed.last
        self._must_be_signed(one)
        if last is not None and (
            one.number != last.number + 1 or one.previous != last.digest() or one.size < last.size
        ):
            says = f"checkpoint {one.number} does not follow number {last.number}"
            raise self._of_checkpoint("checkpoint", says, one)
        if last is None and (one.number != 1 or one.previous != BEFORE_ALL):
            raise self._of_checkpoint("checkpoint", f"checkpoint {one.number} is the first, and should not be", one)
        signed.last, signed.first = one, max(signed.first, one.first)
        signed.count += 1
        self._compare(one)

    def finish(self) -> Report:
        """There is no more.

        Raises:
            Bad: there should be.
        """
        signed, start = self._signed, self._start or 0
        longest = max((one for one in (signed.longest, signed.last) if one is not None), key=_size, default=None)
        if longest is not None and longest.size > self._tree.size:
            raise self._short(longest)
        self._must_be_marked()
        if start > signed.first:
            says = f"records {signed.first} to {start - 1} are gone, and no checkpoint has let them go"
            raise Bad(Finding(kind="missing", says=says, first=signed.first, last=start - 1))
        if start and signed.compared < start:
            says = f"nothing that was signed speaks of what was before record {start}"
            raise Bad(Finding(kind="segment", says=says, first=start, last=start))
        covered = max(signed.compared - start, 0)
        return self.report(None, covered)

    def report(self, finding: Finding | None, covered: int = 0) -> Report:
        """What was found so far."""
        start = self._start or 0
        return Report(
            log=self.log,
            first=start,
            records=self._tree.size - start,
            chains=self._chains,
            checkpoints=self._signed.count,
            covered=covered,
            finding=finding,
            unknown=self._pending.first(),
            unknown_count=len(self._pending),
        )

    # -- chains; `links`: of the records before, which the tree does not have yet

    def _begin(self, row: Row, links: Sequence[bytes]) -> _Head:
        """The head of a chain of which this is the first record."""
        at, chain = row[0], row[1]
        position = self._tree.size + len(links)
        description = self._begun.get(chain) if isinstance(chain, str) else None
        if at != position:
            head = None if description is None else _Head(sha256(ORIGIN + description).digest(), position)
            raise self._wrong(row, head, links)
        if description is None:
            raise self._at(row, "chain", f"record {position} is of a chain that nobody began", links)
        self._chains += 1
        head = self._heads[chain] = _Head(sha256(ORIGIN + description).digest(), position)
        return head

    def _wrong(self, row: Row, head: _Head | None, links: Sequence[bytes]) -> Bad:  # noqa: PLR0911  each is another
        """Say what is wrong with a row."""
        at, _, sequence, link, _, record = row
        position = self._tree.size + len(links)
        if type(at) is not int:
            return self._at(row, "malformed", f"where record {position} should be is something else", links)
        if at != position and head is not None and _fits(row, head, position):
            return self._at(row, "position", f"record {position} says that it stands at {at}", links)
        if at > position:
            self._tree.extend(links)
            return self._missing(at)
        if at < position or head is None:
            says = f"record {at} is there again where record {position} should be"
            return self._at(row, "doubled", says, links)
        if sequence != head.sequence + 1:
            says = f"record {position} is number {sequence!r} of its chain and should be number {head.sequence + 1}"
            return self._at(row, "sequence", says, links)
        if not isinstance(record, bytes) or not isinstance(link, bytes):
            return self._at(row, "malformed", f"record {position} cannot be read", links)
        says = f"record {position} was changed, or its link was, or what its chain says of itself"
        return self._at(row, "link", says, links)

    def _look(self, row: Row, links: Sequence[bytes]) -> None:
        """Note an intent, or what came of one."""
        try:
            record = _decode(row[5])
        except (msgspec.MsgspecError, UnicodeError):
            raise self._at(row, "malformed", f"record {row[0]} cannot be read", links[:-1]) from None
        if record.outcome == INTENT:
            self._pending.add(Intent(row[0], record.id, record.time, record.request_id or "", record.action))
        else:
            whole = bool(record.details.method and record.details.status)
            self._pending.answers(record.request_id, record.action, whole=whole)

    def _must_be_marked(self) -> None:
        """See that the last record of every chain was written by us: it vouches for those before it."""
        if self._marking is None:
            return
        for chain, head in self._heads.items():
            if head.marked != head.sequence:
                says = f"the last records of chain {chain} were not written by this log's processes"
                first = max(head.begun, self._signed.compared)
                last = self._tree.size - 1
                raise Bad(Finding(kind="mark", says=says, first=first, last=last, chain=chain, sequence=head.sequence))

    def _at(self, row: Row, kind: str, says: str, links: Sequence[bytes]) -> Bad:
        self._tree.extend(links)
        position = self._tree.size
        return Bad(
            Finding(
                kind=kind,
                says=says,
                first=position,
                last=position,
                record=_id(row),
                chain=row[1] if isinstance(row[1], str) else "",
                sequence=row[2] if isinstance(row[2], int) else None,
            )
        )

    def _missing(self, at: int) -> Bad:
        first, last = self._tree.size, at - 1
        says = f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
        return Bad(Finding(kind="missing", says=says, first=first, last=last))

    def _bad(self, kind: str, says: str, at: int) -> Bad:
        return Bad(Finding(kind=kind, says=says, first=at, last=at))

    # -- checkpoints

    def _publish(self, published: Iterable[Checkpoint]) -> None:
        """Put checkpoints from outside in order."""
        known: dict[int, Checkpoint] = {}
        for one in published:
            self._must_be_signed(one)
            other = known.setdefault(one.number, one)
            if other != one:
                raise self._of_checkpoint("fork", f"two checkpoints are published as number {one.number}", one)
        ordered = sorted(known.values(), key=lambda one: (one.size, one.number))
        self._signed.first = max((one.first for one in ordered), default=0)
        self._signed.longest = max(ordered, key=_size, default=None)
        self._signed.published = iter(ordered)
        self._signed.due = next(self._signed.published, None)

    def _pass_published(self) -> None:
        """Compare the published checkpoints that speak of what was read."""
        signed, size = self._signed, self._tree.size
        while (one := signed.due) is not None and one.size <= size:
            if one.size == size:
                self._compare(one)
            signed.due = next(signed.published, None)

    def _must_be_signed(self, one: Checkpoint) -> None:
        if one.key not in self._keys or not one.is_signed():
            raise self._of_checkpoint("signature", f"checkpoint {one.number} is not signed by the key", one)
        self.log = self.log or one.log
        if one.log != self.log:
            raise self._of_checkpoint("log", f"checkpoint {one.number} is of another log, {one.log}", one)

    def _compare(self, one: Checkpoint) -> None:
        """See that the records are those that were signed. A checkpoint of what was dropped has nothing to say."""
        tree, start = self._tree, self._start or 0
        if one.size > tree.size:
            raise self._short(one)
        if one.size < start:
            return
        if one.size < tree.size:
            raise self._of_checkpoint("checkpoint", f"checkpoint {one.number} comes after what it covers", one)
        if tree.root().hex() != one.root:
            first = max(self._signed.compared, start, 0)
            says = f"records {first} to {one.size - 1} are linked well, and are not those that were signed"
            if first >= one.size:
                says = f"what was before record {first} is not what was signed"
            last = max(one.size - 1, first)
            raise Bad(Finding(kind="root", says=says, first=first, last=last, checkpoint=one.number))
        self._signed.compared = one.size

    def _short(self, one: Checkpoint) -> Bad:
        size = self._tree.size
        says = f"the log ends before record {size}, and checkpoint {one.number} covers {one.size}: its end was cut off"
        return Bad(Finding(kind="cut", says=says, first=size, last=one.size - 1, checkpoint=one.number))

    def _of_checkpoint(self, kind: str, says: str, one: Checkpoint) -> Bad:
        first = max(self._signed.compared, 0)
        last = max(one.size - 1, first)
        return Bad(Finding(kind=kind, says=says, first=first, last=last, checkpoint=one.number))


_decode: Final = msgspec.json.Decoder(_Record).decode
_decode_description: Final = msgspec.json.Decoder(_Description).decode
_pack: Final = Struct(f">{len(LINK)}s32sQQ").pack
_INTENT: Final = b'"outcome":"intent"'
"""What the bytes of an intent hold; other records may hold it too, in their details."""


def _size(one: Checkpoint) -> int:
    return one.size


def _fits(row: Row, head: _Head, position: int) -> bool:
    """Whether all but its position says that a row stands at another one."""
    try:
        return bool(row[3] == link_hash(head.hash, position, head.sequence + 1, row[5]))
    except TypeError:
        return False


def _id(row: Row) -> str:
    try:
        return _decode(row[5]).id
    except (TypeError, ValueError, msgspec.MsgspecError):
        return ""
