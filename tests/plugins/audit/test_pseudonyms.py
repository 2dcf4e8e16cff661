"""Pseudonyms: the same for the same person, nobody's once their key is gone, and the log as whole as before."""

from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from narthex_plugins.audit.pseudonyms import Pseudonyms
from narthex_plugins.audit.querying import Query, Reader
from tests.plugins.audit.logbook import Book, book, on_a_loop

KINDS = ("actor", "address")


def names_of(log: Book) -> Pseudonyms:
    assert log.trail.pseudonyms is not None
    return log.trail.pseudonyms


async def kept(log: Book) -> list[str]:
    def read(connection: Connection) -> list[str]:
        statement = "SELECT record FROM audit_records_1 ORDER BY position"
        return list(connection.exec_driver_sql(statement).scalars())

    return await log.store.read(read)


@on_a_loop
async def test_nothing_that_identifies_is_kept_in_clear(store_url: str, tmp_path: Path) -> None:
    async with book(store_url, tmp_path, pseudonyms=KINDS) as log:
        await log.trail.keep([log.record(actor="alice", address="203.0.113.77") for _ in range(3)])
        await log.other.keep([log.record(actor="alice", address="203.0.113.77")])
        await log.trail.keep([log.record(actor=None, address="203.0.113.77")])
        text = "".join(await kept(log))
        assert "alice" not in text
        assert "203.0.113.77" not in text
        reader = Reader(log.store, "audit", names_of(log))
        found = await reader.page(Query(actor="alice"), 10)
        assert len(found.rows) == 4
        assert {row.facts["actor"] for row in found.rows} == {"alice"}
        # One value, seen with alice and with nobody: two pseudonyms, both of which are found.
        assert len((await reader.page(Query(address="203.0.113.77"), 10)).rows) == 5
        raw = [row async for rows in reader.all(Query()) for row in rows]
        assert len({row.facts["actor"] for row in raw}) == 2
        assert len({row.facts["address"] for row in raw}) == 2


@on_a_loop
async def test_who_was_erased_is_nobody_and_the_log_is_whole(store_url: str, tmp_path: Path) -> None:
    async with book(store_url, tmp_path, pseudonyms=KINDS) as log:
        names = names_of(log)
        await log.trail.keep([log.record(actor=who, address="203.0.113.9") for who in ("alice", "bob")])
        await log.sign()
        before = await kept(log)
        assert await log.store.write(lambda connection: names.erase(connection, "alice")) == 2
        assert await log.store.write(lambda connection: names.erase(connection, "alice")) == 0
        assert await kept(log) == before
        assert (await log.verify()).finding is None
        reader = Reader(log.store, "audit", names)
        assert (await reader.page(Query(actor="alice"), 10)).rows == []
        [row] = (await reader.page(Query(address="203.0.113.9"), 10)).rows
        assert row.facts["actor"] == "bob"
        shown = {one.facts["actor"] for one in (await reader.page(Query(), 10)).rows}
        assert len(shown) == 2
        assert "bob" in shown
        # Whoever comes back is somebody else.
        await log.trail.keep([log.record(actor="alice")])
        await log.other.keep([log.record(actor="alice")])
        [one, other] = (await reader.page(Query(actor="alice"), 10)).rows
        assert one.record.split('"actor":')[1][:20] == other.record.split('"actor":')[1][:20]
        assert one.record.split('"actor":')[1][:20] not in "".join(before)


@on_a_loop
async def test_a_pseudonym_of_a_write_that_failed_is_not_gone_by(tmp_path: Path) -> None:
    async with book("sqlite:///log.db", tmp_path, pseudonyms=KINDS) as log:
        names = names_of(log)
        record = log.record(actor="alice")

        def fails(connection: Connection) -> None:
            names.stand_in(connection, [record])
            raise LookupError

        for _ in range(2):
            try:
                await log.store.write(fails)
            except LookupError:
                continue
        await log.trail.keep([record])
        reader = Reader(log.store, "audit", names)
        assert len((await reader.page(Query(actor="alice"), 10)).rows) == 1


@on_a_loop
async def test_two_logs_have_other_pseudonyms_for_one_person(tmp_path: Path) -> None:
    found: set[str] = set()
    for name in ("one", "two"):
        async with book(f"sqlite:///{name}.db", tmp_path, pseudonyms=KINDS) as log:
            await log.trail.keep([log.record(actor="alice")])
            find = partial(names_of(log).find, kind="actor", value="alice")
            found.update(await log.store.read(find))
    assert len(found) == 2
    assert all(one.startswith("~") and len(one) == 25 for one in found)
