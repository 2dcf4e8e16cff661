"""Pseudonyms: what stands in records for what identifies people, until their key is taken away.

    key(subject)  = 32 random bytes, sealed under the house's secret key, one for each person
    pseudonym     = "~" || base32(HMAC-SHA-256(key(subject), kind || 0x00 || value)), 120 bits of it
    search        = HMAC-SHA-256(the log's searching key, kind || 0x00 || value)

The subject of a record is its actor, and where nobody is known the value itself. All that stands in one record for one
person is made with their key. Beside each pseudonym lies its value under that key, so that it can be shown, and what it
is found by. Taking the key away takes both: what stands in the log says nothing then, and the log is as whole as it
was, for it never held anything else. HMACs cannot be tried out without a key that is gone (RFC 2104).
"""

import base64
import hmac
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from narthex.sealing import SealBroken, Sealer
from narthex.secrets import Secret
from narthex_plugins.audit.record import Record
from narthex_plugins.audit.tables import pseudonyms, subjects

KINDS: Final = ("actor", "session", "address")
"""Fields of a record that may be pseudonyms."""
CACHED: Final = 10_000
"""Pseudonyms that a process remembers."""
_BYTES: Final = 15


class Pseudonyms:
    """The pseudonyms of one instance.

    Args:
        instance: the plugin's.
        kinds: which fields of records they stand in.
        sealer: of the house's secret key.

    Attributes:
        searching: the log's key that values are found by; set when the log is opened.
    """

    def __init__(self, instance: str, kinds: Collection[str], sealer: Sealer) -> None:
        self._instance = instance
        self._kinds = tuple(kinds)
        self._sealer = sealer
        self._known: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self.searching = b""

    def stand_in(self, connection: Connection, records: Sequence[Record]) -> Sequence[Record]:
        """The records with pseudonyms; within a writer's job, in its thread.

        Cost: one read for all that are known, which may have been erased meanwhile, or never have been committed.
        """
        wanted = {key for record in records for key in self._keys(record) if key in self._known}
        there = self._there(connection, {self._known[key] for key in wanted})
        for key in wanted:
            if self._known[key] not in there:
                del self._known[key]
        return [self._stand_in(connection, record) for record in records]

    def find(self, connection: Connection, kind: str, value: str) -> Sequence[str]:
        """Every pseudonym that a value has, for a filter; there are as many as people it was seen with."""
        own = (pseudonyms.c.instance == self._instance) & (pseudonyms.c.search == self._search(kind, value))
        return list(connection.execute(select(pseudonyms.c.pseudonym).where(own)).scalars())

    def names(self, connection: Connection, found: Iterable[str]) -> Mapping[str, str]:
        """What pseudonyms stand for; those of people who were erased are left out."""
        wanted = {one for one in found if one.startswith("~")}
        if not wanted:
            return {}
        p, s = pseudonyms.c, subjects.c
        joined = pseudonyms.join(subjects, (p.instance == s.instance) & (p.subject == s.subject))
        rows = select(p.pseudonym, p.kind, p.sealed, p.subject, s.sealed.label("key")).select_from(joined)
        own = rows.where(p.instance == self._instance, p.pseudonym.in_(wanted))
        return {row.pseudonym: self._value(row) for row in connection.execute(own)}

    def erase(self, connection: Connection, subject: str) -> int:
        """Take away the key of a person, and with it all that says who they are; a job of the writer.

        Args:
            connection: the writer's.
            subject: their name as an actor; or an address, for what was done from there by nobody known.

        Returns:
            How many pseudonyms stand for nobody now; 0 where there was no such person.
        """
        if connection.dialect.name == "sqlite":  # what is deleted is overwritten, in the pages that are written anew
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
        digest = self._search("subject", subject)
        of_them = (pseudonyms.c.instance == self._instance) & (pseudonyms.c.subject == digest)
        count = connection.execute(delete(pseudonyms).where(of_them)).rowcount
        own = (subjects.c.instance == self._instance) & (subjects.c.subject == digest)
        return max(count, connection.execute(delete(subjects).where(own)).rowcount)

    # -- in the writer's thread

    def _stand_in(self, connection: Connection, record: Record) -> Record:
        changes: dict[str, Any] = {key[1]: self._pseudonym(connection, *key) for key in self._keys(record)}
        return record.replace(**changes) if changes else record

    def _keys(self, record: Record) -> Iterator[tuple[str, str, str]]:
        """Subject, kind and value of each field that gets a pseudonym."""
        for kind in self._kinds:
            value: str | None = getattr(record, kind)
            if value is not None:
                yield record.actor or value, kind, value

    def _pseudonym(self, connection: Connection, subject: str, kind: str, value: str) -> str:
        known = self._known.get((subject, kind, value))
        if known is not None:
            return known
        digest = self._search("subject", subject)
        key = self._key(connection, digest)
        made = "~" + base64.b32encode(_hmac(key, kind, value)[:_BYTES]).decode().lower()
        if not self._there(connection, {made}):
            sealed = Sealer(Secret(key.hex())).seal(value.encode(), kind.encode())
            row = {"instance": self._instance, "pseudonym": made, "subject": digest, "sealed": sealed}
            connection.execute(insert(pseudonyms).values(**row, kind=kind, search=self._search(kind, value)))
        self._known[subject, kind, value] = made
        if len(self._known) > CACHED:
            self._known.popitem(last=False)
        return made

    def _there(self, connection: Connection, wanted: Collection[str]) -> Collection[str]:
        if not wanted:
            return ()
        own = (pseudonyms.c.instance == self._instance) & pseudonyms.c.pseudonym.in_(wanted)
        return set(connection.execute(select(pseudonyms.c.pseudonym).where(own)).scalars())

    def _key(self, connection: Connection, digest: bytes) -> bytes:
        """The key of a subject, made where there is none."""
        own = (subjects.c.instance == self._instance) & (subjects.c.subject == digest)
        sealed = connection.execute(select(subjects.c.sealed).where(own)).scalar()
        if sealed is not None:
            return self._sealer.open(bytes(sealed), purpose(self._instance, digest))
        key = os.urandom(32)
        row = {
            "instance": self._instance,
            "subject": digest,
            "sealed": self._sealer.seal(key, purpose(self._instance, digest)),
        }
        connection.execute(insert(subjects).values(row))
        return key

    def _value(self, row: Any) -> str:
        try:
            key = self._sealer.open(bytes(row.key), purpose(self._instance, bytes(row.subject)))
            sealer = Sealer(Secret(key.hex()))
            return sealer.open(bytes(row.sealed), row.kind.encode()).decode()
        except SealBroken:
            return str(row.pseudonym)

    def _search(self, kind: str, value: str) -> bytes:
        return _hmac(self.searching, kind, value)


def _hmac(key: bytes, kind: str, value: str) -> bytes:
    return hmac.digest(key, f"{kind}\0{value}".encode(), "sha256")


def purpose(instance: str, digest: bytes) -> bytes:
    """What the seal of a person's key is bound to."""
    return f"audit subject\0{instance}\0{digest.hex()}".encode()


def reseal_people(connection: Connection, instance: str, old: Sealer, new: Sealer) -> int:
    """Seal everybody's key anew; a job of the writer. How many there were.

    Raises:
        SealBroken: one opens under neither secret key.
    """
    found = select(subjects.c.subject, subjects.c.sealed).where(subjects.c.instance == instance)
    done = 0
    for row in connection.execute(found).all():
        bound = purpose(instance, bytes(row.subject))
        try:
            new.open(bytes(row.sealed), bound)
        except SealBroken:
            sealed = new.seal(old.open(bytes(row.sealed), bound), bound)
            own = (subjects.c.instance == instance) & (subjects.c.subject == row.subject)
            done += connection.execute(update(subjects).where(own).values(sealed=sealed)).rowcount
    return done
