"""Checkpoints: one signer at a time, segments that begin and go, and places outside that hear of it."""

import asyncio
import json
import logging
import os
import random
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from narthex.config import Secret
from narthex.errors import StartError
from narthex.sealing import Sealer
from narthex_plugins.audit.checkpoint_settings import PublishSettings
from narthex_plugins.audit.checkpoints import BEFORE_ALL, Checkpoint, CheckpointError, parse
from narthex_plugins.audit.growing import look
from narthex_plugins.audit.keys import add_keys, last_keys
from narthex_plugins.audit.merkle import Tree
from narthex_plugins.audit.proving import Unprovable, check, prove
from narthex_plugins.audit.segments import kept
from narthex_plugins.audit.tables import checkpoints
from narthex_plugins.audit.trail import Trail
from tests.plugins.audit.logbook import QUIET, SEALER, Book, book, on_a_loop, signer


async def ids(log: Book) -> list[str]:
    def read(connection: Connection) -> list[str]:
        found: list[str] = []
        for one in kept(connection, "audit"):
            found += connection.execute(select(one.table.c.id).order_by(one.table.c.position)).scalars()
        return found

    return await log.store.read(read)


@on_a_loop
async def test_a_checkpoint_binds_every_record_of_every_chain(store_url: str, tmp_path: Path) -> None:
    async with book(store_url, tmp_path) as log:
        await log.fill(25)
        first = await log.sign()
        assert (first.number, first.size, first.first, first.previous) == (1, 25, 0, BEFORE_ALL)
        assert first.is_signed()
        assert first.key == log.keys.public
        assert await log.signer.turn(force=True) is None  # nothing is new
        await log.fill(5)
        second = await log.sign()
        assert (second.number, second.size, second.previous) == (2, 30, first.digest())
        report = await log.verify([first, second])
        assert (report.finding, report.records, report.covered, report.chains) == (None, 30, 30, 2)
        assert report.log == first.log == log.trail.log


@on_a_loop
async def test_no_text_is_too_odd_to_be_kept(store_url: str, tmp_path: Path) -> None:
    draw = random.Random(1)
    async with book(store_url, tmp_path) as log:
        for length in (1, 511, 512, 513, 2048, 100_000):
            text = "".join(chr(draw.randrange(1, 0x10FFFF)) for _ in range(length))
            odd = dict.fromkeys(("actor", "session", "address", "resource", "reason", "request_id"), text)
            await log.trail.keep([log.record(**odd, action=text, outcome=text, details={text[:1000]: text[:1000]})])
        await log.sign()
        report = await log.verify()
        assert (report.finding, report.covered) == (None, 6)


@on_a_loop
async def test_none_is_due_before_its_time(tmp_path: Path) -> None:
    async with book("sqlite:///log.db", tmp_path, every=60.0) as log:
        await log.fill(1)
        assert await log.signer.turn() is not None  # the first one at once
        await log.fill(1)
        assert await log.signer.turn() is None
        log.clock.advance(61)
        assert await log.signer.turn() is not None
        await log.fill(1)
        log.clock.advance(-3600)  # set back: nobody waits for an hour
        assert await log.signer.turn() is not None


@on_a_loop
async def test_of_several_who_sign_at_once_one_does(store_url: str, tmp_path: Path) -> None:
    async with book(store_url, tmp_path) as log:
        others = [signer(log.store, log.clock, tmp_path, log.other) for _ in range(4)]
        for round_ in range(1, 6):
            await log.fill(10)
            made = await asyncio.gather(*(one.sign(force=True) for one in [log.signer, *others]))
            signed = [one for one in made if one is not None]
            assert [one.size for one in signed] == [round_ * 10]
        report = await log.verify()
        assert (report.finding, report.checkpoints) == (None, 5)


@on_a_loop
async def test_a_process_that_starts_again_begins_another_chain_of_the_same_log(store_url: str, tmp_path: Path) -> None:
    keys, logs = set(), set()
    for _ in range(3):
        async with book(store_url, tmp_path) as log:
            await log.fill(6)
            await log.sign()
            keys.add(log.keys.public)
            logs.add(log.trail.log)
            report = await log.verify()
    assert (len(keys), len(logs)) == (1, 1)
    assert (report.finding, report.records, report.chains) == (None, 18, 6)


@on_a_loop
async def test_another_secret_key_opens_nothing_until_the_keys_are_sealed_anew(tmp_path: Path) -> None:
    other = Sealer(Secret("z" * 40))
    async with book("sqlite:///log.db", tmp_path) as log:
        await log.fill(3)
        trail = Trail(log.store, "audit", log.clock, other)
        with pytest.raises(StartError, match="another secret key"):
            await trail.start()

        def reseal(connection: Connection) -> None:
            row = last_keys(connection, "audit")
            assert row is not None
            plain = SEALER.open(row["sealed"], b"audit log keys\0audit")
            add_keys(connection, "audit", other, plain, "now", row["number"] + 1)

        await log.store.write(reseal)
        await trail.start()
        assert trail.keys.public == log.keys.public


@on_a_loop
async def test_segments_begin_and_go_and_the_log_stays_whole(store_url: str, tmp_path: Path) -> None:
    async with book(store_url, tmp_path, records=20, keep=100.0) as log:
        published = []
        for _ in range(3):
            await log.fill(25)
            published.append(await log.sign())
        whole = await log.verify(published)
        assert (whole.finding, whole.records, whole.first) == (None, 75, 0)
        first_ids = await ids(log)
        log.clock.advance(200)
        gone = await log.sign()
        assert (gone.first, gone.size) == (75, 76)  # a record says that they went
        report = await log.verify([*published, gone])
        assert (report.finding, report.first, report.records, report.covered) == (None, 75, 1, 1)
        await log.fill(25)
        await log.sign()
        await log.fill(2)
        report = await log.verify(published)
        assert (report.finding, report.first, report.records, report.covered) == (None, 75, 28, 26)
        [told, *_] = await ids(log)
        assert told not in first_ids
        proof = await log.store.read(lambda connection: prove(connection, "audit", told))
        assert check(proof, log.keys.public) == ""


@on_a_loop
async def test_a_segment_whose_table_somebody_dropped_is_missed(tmp_path: Path) -> None:
    async with book("sqlite:///log.db", tmp_path, records=20) as log:
        for _ in range(3):
            await log.fill(25)
            await log.sign()
        await log.store.write(lambda connection: connection.exec_driver_sql("DROP TABLE audit_records_1") and None)
        report = await log.verify()
        assert report.finding is not None
        assert (report.finding.kind, report.finding.first) == ("unreadable", 0)


@on_a_loop
async def test_a_proof_holds_for_every_record_and_for_nothing_else(store_url: str, tmp_path: Path) -> None:
    async with book(store_url, tmp_path, records=30) as log:
        for _ in range(4):
            await log.fill(17)
            await log.sign()
        await log.fill(1)
        *covered, last = await ids(log)
        for one in covered[::7]:
            proof = await log.store.read(partial(prove, instance="audit", record=one))
            assert proof["record"]["id"] == one
            assert check(json.loads(json.dumps(proof)), log.keys.public) == ""
            assert "not signed" in check(proof, "0" * 64)
            changed = json.loads(json.dumps(proof))
            changed["record"]["actor"] = "mallory"
            assert "not among" in check(changed, log.keys.public)
            for name in ("position", "sequence"):
                assert check({**proof, name: proof[name] + 1}, log.keys.public)
            assert check({**proof, "inclusion": proof["inclusion"][1:]}, log.keys.public)
            later = {**proof["consistency"], "path": [*proof["consistency"]["path"], "00" * 32]}
            assert check({**proof, "consistency": later}, log.keys.public)
        for wrong in (last, "nobody"):
            with pytest.raises(Unprovable):
                await log.store.read(partial(prove, instance="audit", record=wrong))
    things: list[object] = [{}, [], None, {"checkpoint": 1}, "x"]
    for nonsense in things:
        assert "no proof" in check(nonsense, "")


@on_a_loop
async def test_a_log_that_was_cut_is_not_signed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with book("sqlite:///log.db", tmp_path) as log:
        await log.fill(20)
        await log.sign()

        def cut(connection: Connection) -> None:
            connection.exec_driver_sql("DROP TRIGGER audit_records_1_no_delete")
            connection.exec_driver_sql("DELETE FROM audit_records_1 WHERE position > 15")

        await log.store.write(cut)
        assert await log.signer.turn(force=True) is None
        assert log.signer.health().status == "fail"
        assert "ends before position 16" in caplog.text


@on_a_loop
async def test_a_record_that_none_of_us_wrote_is_not_signed(tmp_path: Path) -> None:
    async with book("sqlite:///log.db", tmp_path) as log:
        await log.fill(10)
        statement = (
            "INSERT INTO audit_records_1 (position, chain, sequence, hash, record)"
            " SELECT position + 1, chain, sequence + 1, hash, record FROM audit_records_1 WHERE position = 9"
        )
        await log.store.write(lambda connection: connection.exec_driver_sql(statement) and None)
        assert await log.signer.turn(force=True) is None
        assert "position 10 was not written by this log" in log.signer.damage
        await log.fill(6)  # what is ours goes on, in other chains
        assert await log.signer.turn(force=True) is None


# -- places


@on_a_loop
async def test_a_file_gets_a_line_for_each_and_none_is_half(tmp_path: Path) -> None:
    place = tmp_path / "checkpoints.jsonl"
    async with book("sqlite:///log.db", tmp_path, publish=PublishSettings(log=False, file=place.name)) as log:
        await log.fill(1)
        first = await log.sign()
        with place.open("a") as file:
            file.write('{"cut of')  # a power cut of another time
        await log.fill(1)
        second = await log.sign()
    lines = place.read_text().splitlines()
    assert [parse(lines[0]), parse(lines[2])] == [first, second]
    assert lines[1] == '{"cut of'


@on_a_loop
async def test_a_place_that_does_not_take_it_gets_it_later(tmp_path: Path) -> None:
    place = tmp_path / "later" / "checkpoints.jsonl"
    async with book("sqlite:///log.db", tmp_path, publish=PublishSettings(log=False, file=str(place))) as log:
        await log.fill(1)
        made = await log.sign()
        assert log.signer.health().status == "warn"
        place.parent.mkdir()
        assert await log.signer.turn() is None
        assert log.signer.health().status == "pass"
    assert parse(place.read_text()) == made


@on_a_loop
async def test_what_a_process_signed_and_could_not_publish_another_one_does(tmp_path: Path) -> None:
    place = tmp_path / "checkpoints.jsonl"
    async with book("sqlite:///log.db", tmp_path) as log:
        await log.fill(1)
        made = await log.signer.sign(force=True)  # killed before it published
        settings = PublishSettings(log=False, file=str(place))
        await signer(log.store, log.clock, tmp_path, log.other, publish=settings).turn()
    assert made is not None
    assert parse(place.read_text()) == made


@on_a_loop
async def test_a_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with book("sqlite:///log.db", tmp_path, publish=PublishSettings()) as log:
        await log.fill(1)
        made = await log.sign()
    [line] = [one.getMessage() for one in caplog.records if "audit checkpoint" in one.getMessage()]
    assert parse(line[line.index("{") :]) == made


class Notary(BaseHTTPRequestHandler):
    """Takes what is posted; every first time it is too busy."""

    seen: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append(body)
        self.send_response(503 if len(self.seen) == 1 else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def notary() -> Iterator[tuple[str, list[bytes]]]:
    Notary.seen = []
    with HTTPServer(("127.0.0.1", 0), Notary) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/notary", Notary.seen
        server.shutdown()
        thread.join()


@on_a_loop
async def test_a_webhook_is_asked_until_it_takes_it(tmp_path: Path, notary: tuple[str, list[bytes]]) -> None:
    address, seen = notary
    async with book("sqlite:///log.db", tmp_path, publish=PublishSettings(log=False, webhook=address)) as log:
        await log.fill(1)
        made = await log.sign()
        assert "503" in log.signer.trouble
        await log.signer.turn()
        await log.signer.turn()
    assert [parse(one) for one in seen] == [made, made]


# -- documents


def a_checkpoint() -> Checkpoint:
    return Checkpoint(
        log="a" * 32, number=1, size=3, root=Tree().root().hex(), first=0, time="t", previous=BEFORE_ALL, key="b" * 64,
        signature="c" * 128,
    )  # fmt: skip


def test_a_document_is_read_as_it_was_written() -> None:
    assert parse(a_checkpoint().document()) == a_checkpoint()


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1},
        {"size": 1.0},
        {"size": True},
        {"size": 2**53},
        {"first": 4},
        {"root": "A" * 64},
        {"root": "a" * 63},
        {"root": None},
        {"version": 2},
        {"time": 1},
        {"time": "\ud800"},
        {"time": "x" * 5000},
        {"more": 1},
    ],
)
def test_what_is_no_checkpoint_is_refused(change: dict[str, object]) -> None:
    document = {**json.loads(a_checkpoint().document()), **change}
    with pytest.raises(CheckpointError):
        parse(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "{}", "[" * 3000, b"\xff"])
def test_what_is_nothing_at_all_is_refused(text: str | bytes) -> None:
    with pytest.raises(CheckpointError):
        parse(text)


@on_a_loop
async def test_a_last_look_says_how_far_the_log_has_come(tmp_path: Path) -> None:
    async with book("sqlite:///log.db", tmp_path, publish=QUIET) as log:
        standing = await log.store.read(lambda connection: look(connection, "audit"))
        assert (standing.size, standing.first, standing.end, standing.last) == (0, 0, 0, None)
        await log.fill(2)
        made = await log.sign()
        standing = await log.store.read(lambda connection: look(connection, "audit"))
        assert (standing.size, standing.end, standing.last) == (2, 2, made)
        rows = await log.store.read(lambda connection: connection.execute(select(checkpoints)).all())
        assert len(rows) == 1
        assert os.listdir(tmp_path)  # noqa: PTH208  a store is there
