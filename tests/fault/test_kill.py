"""`kill -9` at every storage call: nothing acknowledged is lost, and the store opens clean."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fault.conftest import Report
from tests.fault.judge import Verdict, judge
from tests.fault.points import Point, spread
from tests.fault.scenes import Scene, two_at_a_time
from tests.fault.workload import Variant

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

SAMPLE = 30


def kill(scene: Scene, point: Point, directory: Path, variant: Variant = "honest") -> tuple[bool, Verdict]:
    """End a run when it comes to that call, and judge what it leaves; whether it came there, and the verdict."""
    name = f"{point.call}-{point.number}"
    strike = f"inject={point.call}:signal=KILL:when={point.number}"
    outcome, promises, database = scene.play(directory / name, strike, variant=variant)
    verdict = judge(database, promises)
    if verdict:
        shutil.rmtree(database.parent)
    return "killed by SIGKILL" in outcome.trace, verdict


@pytest.mark.parametrize("at", [0, 1], ids=["new", "left"])
def test_kill_at_every_storage_call_loses_nothing(
    at: int, places: Sequence[Scene], tmp_path: Path, full: bool, report: Report
) -> None:
    scene = places[at]
    chosen = spread(scene.points, 10_000 if full else SAMPLE)
    found = two_at_a_time(lambda point: kill(scene, point, tmp_path), chosen)
    assert {str(point): verdict for point, (_, verdict) in zip(chosen, found, strict=True) if not verdict} == {}
    killed = [point.call for point, (came, _) in zip(chosen, found, strict=True) if came]
    assert len(killed) >= len(chosen) * 0.8
    calls = ", ".join(f"{count} {call}" for call, count in Counter(killed).most_common())
    report(f"kill -9, {scene.name}: {len(killed)} points ({calls}): 0 acknowledged records lost")


def test_a_writer_that_acknowledges_before_the_commit_is_found_out(
    places: Sequence[Scene], tmp_path: Path, report: Report
) -> None:
    writes = [point for point in places[0].points if point.call == "pwrite64"]
    chosen = spread(writes, 12)
    found = two_at_a_time(lambda point: kill(places[0], point, tmp_path, variant="early"), chosen)
    guilty = [verdict for _, verdict in found if verdict.lost]
    assert guilty
    report(f"control, acknowledged before the commit: found out at {len(guilty)} of {len(chosen)} kills")
