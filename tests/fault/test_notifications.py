"""The queue of notifications is killed at its storage calls, and its disk fails: what was taken is there, and sent."""

import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fault.conftest import Report
from tests.fault.notified import Plan, main
from tests.fault.points import TOUCHING, WRITING, Point, points, spread
from tests.fault.scenes import two_at_a_time
from tests.fault.victim import Outcome, need_strace, run

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1800)]

KILLS, ERRORS = 8, 4
MANY_KILLS, MANY_ERRORS = 330, 215
"""Of them 300 and 200 are met: runs differ, and one in ten does not come as far as its point."""
LASTING = ("", "..{last}", "+")
COMPLAINTS = 6


@dataclass(frozen=True, slots=True)
class Scene:
    """A store that a house has made, and the storage calls of a run on a copy of it."""

    left: Path
    points: Sequence[Point]

    def play(self, directory: Path, *expressions: str, complaints: int | None = None, patient: bool = False) -> Outcome:
        """Run on a copy."""
        shutil.copytree(self.left, directory)
        wanted = Plan(directory / "narthex.db", patient=patient)
        return run(wanted, *expressions, complaints=complaints, life=main)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    need_strace()
    place = tmp_path_factory.mktemp("notified")
    made = place / "made"
    made.mkdir()
    assert run(Plan(made / "narthex.db", groups=0), life=main).of("done")
    outcome = Scene(made, ()).play(place / "whole")
    assert outcome.of("done"), outcome.told
    return Scene(made, points(outcome.trace))


def grievances(directory: Path, outcome: Outcome) -> list[str]:
    """What is wrong with the queue that a run has left."""
    raw = sqlite3.connect(directory / "narthex.db")
    integrity = raw.execute("PRAGMA integrity_check").fetchone()[0]
    rows = raw.execute("SELECT dedup_key, id, status, attempts FROM notifications_queue").fetchall()
    tried = dict(raw.execute("SELECT notification, count(*) FROM notifications_attempts GROUP BY 1").fetchall())
    raw.close()
    kept = {int(key): int(id_, 16) for key, id_, _, _ in rows}
    found = [] if integrity == "ok" else [f"integrity_check: {integrity}"]
    found += [f"lost: {number}" for number, id_ in outcome.acknowledged.items() if kept.get(number) != id_]
    found += [
        f"{id_}: {attempts} attempts, kept {tried.get(id_, 0)}"
        for _, id_, _, attempts in rows
        if tried.get(id_, 0) != attempts
    ]
    found += [f"{id_}: {status}" for _, id_, status, _ in rows if status not in ("queued", "sending", "sent", "failed")]
    return found


def test_kill_at_a_storage_call_loses_nothing_that_was_taken(
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
    assert killed >= len(chosen) * 0.5
    report(f"notifications, kill -9: {killed} points: 0 acknowledged lost, every attempt that was begun is kept")


@pytest.mark.parametrize(("error", "calls"), [("ENOSPC", WRITING), ("EIO", TOUCHING)])
def test_a_failing_disk_loses_nothing_that_was_taken(
    error: str, calls: frozenset[str], scene: Scene, tmp_path: Path, full: bool, report: Report
) -> None:
    chosen = spread([point for point in scene.points if point.call in calls], MANY_ERRORS if full else ERRORS)
    lasting = [LASTING[turn % len(LASTING)] for turn in range(len(chosen))]

    def fail(point: Point, many: str) -> tuple[bool, list[str]]:
        directory = tmp_path / f"{point.call}-{point.number}"
        when = f"{point.number}{many.format(last=point.number + 2)}"
        expression = f"inject={point.call}:error={error}:when={when}"
        outcome = scene.play(directory, expression, complaints=COMPLAINTS, patient=True)
        faults = grievances(directory, outcome)
        if not (outcome.of("resumed") and outcome.of("done")) or outcome.exit != 0:
            faults.append(f"it ended with {outcome.exit}, its last word was {outcome.told[-1:]}")
        return "(INJECTED)" in outcome.trace, faults

    found = two_at_a_time(fail, chosen, lasting)
    assert {str(point): faults for point, (_, faults) in zip(chosen, found, strict=True) if faults} == {}
    hit = sum(met for met, _ in found)
    assert hit >= len(chosen) * 0.5
    report(f"notifications, {error}: {hit} points: 0 acknowledged lost")
