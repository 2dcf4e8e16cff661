"""A power cut at every storage call: the files are rebuilt from what strace saw written and synced."""

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fault.conftest import Report
from tests.fault.disk import Disk, lay_out, safe_before, told
from tests.fault.judge import Promises, Verdict, judge_bytes
from tests.fault.scenes import Scene
from tests.fault.syscalls import OPTIONS, Call, calls
from tests.fault.workload import Variant

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

SAMPLE = 40


@dataclass(frozen=True, slots=True)
class Tape:
    """A run, call by call."""

    calls: Sequence[Call]
    database: Path
    before: dict[Path, bytes]
    promises: Promises

    @property
    def acknowledged(self) -> dict[int, tuple[int, int]]:
        """Record number to its version, and the place of the acknowledgement among the calls."""
        lines = [(at, line.split()) for at, line in told(self.calls)]
        return {int(words[1]): (int(words[2]), at) for at, words in lines if words[0] == "acknowledged"}


def record(scene: Scene, directory: Path, *expressions: str, variant: Variant = "honest", follow: bool = True) -> Tape:
    outcome, _, database = scene.play(
        directory, *expressions, options=OPTIONS, only=False, variant=variant, follow=follow, patient=True
    )
    return Tape(list(calls(outcome.trace)), database, safe_before(scene.left, directory), scene.promises.add(outcome))


def cut(tape: Tape, directory: Path, wanted: int) -> tuple[int, dict[str, Verdict]]:
    """Cut the power after so many of the tape's storage calls, in three ways each; how many cuts, and what is wrong."""
    disk = Disk(tape.database, tape.before)
    due = sorted((at, number, version) for number, (version, at) in tape.acknowledged.items())
    kept = Promises(dict(tape.promises.acknowledged), tape.promises.refused)
    for _, number, _ in due:
        del kept.acknowledged[number]
    every = max(1, sum(map(Disk(tape.database, tape.before).feel, tape.calls)) // wanted)
    dice, felt, last, cuts, wrong = random.Random(6), 0, 0, 0, dict[str, Verdict]()
    for at, call in enumerate(tape.calls):
        while due and due[0][0] <= at:
            _, number, version = due.pop(0)
            kept.acknowledged[number] = version
        felt += disk.feel(call)
        if felt == last or felt % every:
            continue
        last = felt
        for way, files in (("least", disk.least()), ("torn", disk.torn(dice)), ("torn again", disk.torn(dice))):
            cuts += 1
            lay_out(files, directory / f"{cuts}")
            verdict = judge_bytes(directory / f"{cuts}" / tape.database.name, kept)
            if verdict:
                shutil.rmtree(directory / f"{cuts}")
            else:
                wrong[f"after {call.name}, call {at}, {way}"] = verdict
    return cuts, wrong


@pytest.mark.parametrize("at", [0, 1], ids=["new", "left"])
def test_a_power_cut_after_any_storage_call_loses_nothing_acknowledged(
    at: int, places: Sequence[Scene], tmp_path: Path, full: bool, report: Report
) -> None:
    tape = record(places[at], tmp_path / "run")
    cuts, wrong = cut(tape, tmp_path / "cuts", 10_000 if full else SAMPLE)
    assert wrong == {}
    assert len(tape.acknowledged) > 20
    report(f"power cut, {places[at].name}: {cuts} states of the disk: 0 of {len(tape.acknowledged)} records lost")


@pytest.mark.parametrize("number", [12, 14])
@pytest.mark.parametrize("follow", [True, False], ids=["followed", "alone"])
def test_a_power_cut_after_syncs_that_failed_loses_nothing_acknowledged(
    number: int, follow: bool, places: Sequence[Scene], tmp_path: Path, full: bool, report: Report
) -> None:
    # Alone, the connection that failed is the last one. Which syncs they are varies with the groups: a commit's, one
    # of the new connection's, a checkpoint's.
    strike = f"inject=fdatasync:error=EIO:when={number}..{number + 1}"
    tape = record(places[0], tmp_path / "run", strike, follow=follow)
    assert sum(call.failed for call in tape.calls if call.name == "fdatasync") >= 2
    cuts, wrong = cut(tape, tmp_path / "cuts", 10_000 if full else SAMPLE)
    assert wrong == {}
    report(f"power cut, syncs {number} and {number + 1} failed and their pages were forgotten: {cuts} states: 0 lost")


@pytest.mark.parametrize("variant", ["NORMAL", "OFF"])
def test_without_full_synchronous_a_power_cut_is_found_to_lose_records(
    variant: Variant, places: Sequence[Scene], tmp_path: Path, report: Report
) -> None:
    tape = record(places[0], tmp_path / "run", variant=variant)
    cuts, wrong = cut(tape, tmp_path / "cuts", SAMPLE)
    guilty = [verdict for verdict in wrong.values() if verdict.lost]
    assert guilty
    report(f"control, synchronous = {variant}: {len(guilty)} of {cuts} states of the disk have lost records")


def test_the_replayed_disk_is_the_real_one(places: Sequence[Scene], tmp_path: Path) -> None:
    for place in places:
        tape = record(place, tmp_path / place.name)
        disk = Disk(tape.database, tape.before)
        for call in tape.calls:
            disk.feel(call)
        real = {file.name: file.read_bytes() for file in tape.database.parent.iterdir() if file in disk.names}
        assert disk.whole() == real
        assert len(real[tape.database.name]) > 40_000


def synced(tape: Tape) -> dict[int, bool]:
    """Of each acknowledged record, whether a sync of the WAL lies between its first write there and the word."""
    wal = tape.database.with_name(f"{tape.database.name}-wal")
    found = {}
    for number, (_, told_at) in tape.acknowledged.items():
        mark = f"record {number};".encode()
        ours = enumerate(tape.calls[:told_at])
        written = next((at for at, call in ours if call.file == wal and call.ended and mark in call.data), told_at)
        syncs = [call for call in tape.calls[written:told_at] if call.file == wal and call.name == "fdatasync"]
        began = next((at for at, call in enumerate(syncs) if call.began), len(syncs))
        found[number] = any(call.ended and not call.failed for call in syncs[began:])
    return found


def test_between_each_write_and_its_acknowledgement_the_wal_is_synced(
    places: Sequence[Scene], tmp_path: Path, report: Report
) -> None:
    for place in places:
        found = synced(record(place, tmp_path / place.name))
        assert len(found) > 20
        assert [number for number, well in found.items() if not well] == []
        report(f"strace, {place.name}: a sync of the WAL between write and acknowledgement of {len(found)} records")


@pytest.mark.parametrize("variant", ["early", "NORMAL", "OFF"])
def test_a_missing_sync_is_seen(variant: Variant, places: Sequence[Scene], tmp_path: Path) -> None:
    found = synced(record(places[0], tmp_path / "run", variant=variant))
    assert [number for number, well in found.items() if not well]
