"""Where a run begins: on nothing, or on what a killed run has left, with a WAL that must be recovered."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from tests.fault.judge import Promises
from tests.fault.points import Point, points
from tests.fault.victim import Outcome, run
from tests.fault.workload import Plan

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Scene:
    """A place to begin.

    Attributes:
        left: a directory to begin with a copy of, or None.
        promises: what it holds.
        points: the calls of a whole run from there.
    """

    name: str
    plan: Plan
    left: Path | None
    promises: Promises
    points: Sequence[Point] = ()

    def play(
        self,
        directory: Path,
        *expressions: str,
        options: Sequence[str] = (),
        only: bool = True,
        complaints: int | None = None,
        **changes: Any,
    ) -> tuple[Outcome, Promises, Path]:
        """Run from here in a new directory; gives what happened, what is promised now, and the database."""
        if self.left is None:
            directory.mkdir()
        else:
            shutil.copytree(self.left, directory)
        plan = replace(self.plan, database=directory / "narthex.db", **changes)
        outcome = run(plan, *expressions, options=options, only=only, complaints=complaints)
        return outcome, self.promises.add(outcome), plan.database


def scenes(directory: Path) -> Sequence[Scene]:
    """Both, with the points of each recorded."""
    fresh = Scene("a new store", Plan(directory), None, Promises())
    _, promises, database = fresh.play(directory / "left", "inject=pwrite64:signal=KILL:when=120")
    # The memory of the processes that had it open is gone with them, and so is what only lay in shared memory.
    database.with_name("narthex.db-shm").unlink(missing_ok=True)
    again = Scene("a store left by kill -9", Plan(directory, first=1001), database.parent, promises)
    return [_recorded(fresh, directory / "fresh"), _recorded(again, directory / "again")]


def _recorded(scene: Scene, directory: Path) -> Scene:
    outcome, _, _ = scene.play(directory)
    if not outcome.of("done"):
        raise AssertionError(f"an undisturbed run fails: {outcome.told}")
    return replace(scene, points=points(outcome.trace))


def two_at_a_time(function: Callable[..., R], *items: Sequence[object]) -> list[R]:
    """`map` on two threads: the machine of CI has two processors."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, *items))
