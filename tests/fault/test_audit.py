"""A house in strict mode is killed at its storage calls, and its disk fails: what was answered is in the log."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from narthex_plugins.audit.reading import verify_store
from narthex_plugins.audit.verifying import Verifier
from tests.fault.audited import Plan, main
from tests.fault.conftest import Report
from tests.fault.points import TOUCHING, WRITING, Point, points, spread
from tests.fault.scenes import two_at_a_time
from tests.fault.victim import Outcome, need_strace, run

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1800)]

KILLS, ERRORS = 12, 6
MANY_KILLS, MANY_ERRORS = 330, 215
"""Of them 300 and 200 are met: runs differ, and one in ten does not come as far as its point."""
LASTING = ("", "..{last}", "+")
COMPLAINTS = 6
CODES = {"intent_unrecorded", "outcome_unrecorded"}


@dataclass(frozen=True, slots=True)
class Scene:
    """A store that a house has made, and the storage calls of a run on a copy of it."""

    left: Path
    points: Sequence[Point]

    def play(self, directory: Path, *expressions: str, complaints: int | None = None, **plan: bool) -> Outcome:
        """Run on a copy."""
        shutil.copytree(self.left, directory)
        wanted = Plan(directory / "narthex.db", **plan)
        return run(wanted, *expressions, complaints=complaints, life=main)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    need_strace()
    place = tmp_path_factory.mktemp("audited")
    made = place / "made"
    made.mkdir()
    assert run(Plan(made / "narthex.db", groups=0), life=main).of("done")
    fresh = Scene(made, ())
    outcome = fresh.play(place / "whole")
    assert outcome.of("done"), outcome.told
    return Scene(made, points(outcome.trace))


def grievances(directory: Path, outcome: Outcome) -> list[str]:
    """What is wrong with the log that a run has left."""
    database = directory / "narthex.db"
    with sqlite3.connect(database) as raw:
        integrity = raw.execute("PRAGMA integrity_check").fetchone()[0]
        facts = [json.loads(text) for (text,) in raw.execute("SELECT record FROM audit_records_1 ORDER BY position")]
    raw.close()
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        report = verify(connection)
    engine.dispose()
    outcomes = Counter(one["resource"] for one in facts if one["outcome"] == "success")
    intents = Counter(one["resource"] for one in facts if one["outcome"] == "intent")
    found = [] if integrity == "ok" else [f"integrity_check: {integrity}"]
    found += [] if report is None else [f"verify: {report}"]
    found += [f"lost: {number}" for number in outcome.acknowledged if not outcomes[f"/jobs/{number}"]]
    found += [f"twice: {path}" for path, count in (outcomes | intents).items() if count > 1]
    found += [f"an outcome without an intent: {path}" for path in outcomes if not intents[path]]
    found += [f"told {line[2]!r}" for line in outcome.of("unavailable") if line[2] not in CODES]
    return found


def verify(connection: Connection) -> object:
    """What is wrong with the log, or None."""
    key = connection.exec_driver_sql("SELECT public FROM audit_keys").scalar_one()
    return verify_store(connection, "audit", Verifier([bytes(key).hex()])).finding


def test_kill_at_a_storage_call_loses_nothing_that_was_answered(
    scene: Scene, tmp_path: Path, full: bool, report: Report
) -> None:
    chosen = spread(scene.points, MANY_KILLS if full else KILLS)

    def kill(point: Point) -> tuple[bool, list[str]]:
        directory = tmp_path / f"{point.call}-{point.number}"
        outcome = scene.play(directory, f"inject={point.call}:signal=KILL:when={point.number}")
        return "killed by SIGKILL" in outcome.trace, grievances(directory, outcome)

    found = two_at_a_time(kill, chosen)
    assert {str(point): faults for point, (_, faults) in zip(chosen, found, strict=True) if faults} == {}
    killed = sum(came for came, _ in found)
    assert killed >= len(chosen) * 0.8
    report(f"audit, strict, kill -9: {killed} points: 0 answered requests lost, every log verifies")


def test_a_house_that_answers_before_it_has_recorded_is_found_out(scene: Scene, tmp_path: Path) -> None:
    writes = [point for point in scene.points if point.call == "pwrite64"]
    point = writes[len(writes) // 2]
    outcome = scene.play(tmp_path / "early", f"inject={point.call}:signal=KILL:when={point.number}", early=True)
    assert any("lost" in one for one in grievances(tmp_path / "early", outcome))


@pytest.mark.parametrize(("error", "calls"), [("ENOSPC", WRITING), ("EIO", TOUCHING)])
def test_a_failing_disk_refuses_requests_and_loses_none_that_was_answered(
    error: str, calls: frozenset[str], scene: Scene, tmp_path: Path, full: bool, report: Report
) -> None:
    chosen = spread([point for point in scene.points if point.call in calls], MANY_ERRORS if full else ERRORS)
    lasting = [LASTING[turn % len(LASTING)] for turn in range(len(chosen))]

    def fail(point: Point, many: str) -> tuple[bool, bool, list[str]]:
        directory = tmp_path / f"{point.call}-{point.number}"
        when = f"{point.number}{many.format(last=point.number + 2)}"
        expression = f"inject={point.call}:error={error}:when={when}"
        outcome = scene.play(directory, expression, complaints=COMPLAINTS, patient=True)
        faults = grievances(directory, outcome)
        if not (outcome.of("resumed") and outcome.of("done")) or outcome.exit != 0:
            faults.append(f"it ended with {outcome.exit}, its last word was {outcome.told[-1:]}")
        return "(INJECTED)" in outcome.trace, bool(outcome.of("unavailable")), faults

    found = two_at_a_time(fail, chosen, lasting)
    assert {str(point): faults for point, (_, _, faults) in zip(chosen, found, strict=True) if faults} == {}
    hit = sum(met for met, _, _ in found)
    assert hit >= len(chosen) * 0.7
    refused = sum(some for _, some, _ in found)
    report(f"audit, strict, {error}: {hit} points, requests refused at {refused}: 0 answered requests lost")
