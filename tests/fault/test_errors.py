"""A disk that is full, or broken, for some calls: nobody is told a lie, and it works again when the disk does."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fault.conftest import Report
from tests.fault.judge import judge
from tests.fault.points import TOUCHING, WRITING, Point, spread
from tests.fault.scenes import Scene, two_at_a_time
from tests.fault.victim import Outcome

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

SAMPLE, MANY = 10, 110
FEWEST = 100
"""Of `MANY` points so many have to be met: runs differ, and one in a hundred does not come as far as its point."""
LASTING = ("", "..{last}", "+")
"""For `when=`, in turn from point to point: one call fails, three do, all do until the disk is well again."""
COMPLAINTS = 6
"""So many callers are told that the store does not answer, then the disk is well again."""

CLEAR = {"unavailable": "the store could not be written", "unread": "the store could not be read"}
"""What a caller is told, whatever it was."""


def strike(scene: Scene, point: Point, error: str, lasting: str, directory: Path) -> tuple[int, list[str]]:
    """Let calls from there on fail; how many did, and what was wrong with what came of it."""
    name = f"{error}-{point.call}-{point.number}"
    when = f"{point.number}{lasting.format(last=point.number + 2)}"
    expression = f"inject={point.call}:error={error}:when={when}"
    outcome, promises, database = scene.play(directory / name, expression, complaints=COMPLAINTS, patient=True)
    verdict = judge(database, promises)
    faults = [f"lost: {verdict.lost}"] if verdict.lost else []
    faults += [*verdict.faults, *grievances(outcome)]
    if not faults:
        shutil.rmtree(database.parent)
    return outcome.trace.count("(INJECTED)"), faults


def grievances(outcome: Outcome) -> list[str]:
    """What a caller of the store had to complain of."""
    found = [" ".join(line) for line in outcome.of("gap")]
    for kind, message in CLEAR.items():
        said = {" ".join(line[2:]) for line in outcome.of(kind)} - {message}
        found += [f"{kind}, and told {text!r}" for text in said]
    if not outcome.of("resumed"):
        found.append("the store took no record again")
    if not outcome.of("done") or outcome.exit != 0:
        found.append(f"the process ended with {outcome.exit}, its last word was {outcome.told[-1:]}")
    return found


@pytest.mark.parametrize("at", [0, 1], ids=["new", "left"])
@pytest.mark.parametrize(("error", "calls"), [("ENOSPC", WRITING), ("EIO", TOUCHING)])
def test_a_failing_disk_loses_nothing_acknowledged_and_is_forgiven(
    error: str, calls: frozenset[str], at: int, places: Sequence[Scene], tmp_path: Path, full: bool, report: Report
) -> None:
    points = [point for point in places[at].points if point.call in calls]
    chosen = spread(points, MANY if full else SAMPLE)
    lasting = [LASTING[turn % len(LASTING)] for turn in range(len(chosen))]
    found = two_at_a_time(lambda point, many: strike(places[at], point, error, many, tmp_path), chosen, lasting)
    assert {str(point): faults for point, (_, faults) in zip(chosen, found, strict=True) if faults} == {}
    hit = [point.call for point, (count, _) in zip(chosen, found, strict=True) if count]
    assert len(hit) >= (FEWEST if full else len(chosen) * 0.8)
    tell(report, f"{error}, {places[at].name}", hit, sum(count for count, _ in found))


def tell(report: Report, what: str, hit: Sequence[str], calls: int) -> None:
    names = ", ".join(f"{count} {call}" for call, count in Counter(hit).most_common())
    report(f"{what}: {len(hit)} points ({names}), {calls} calls failed: 0 lost, every caller told, resumed")
