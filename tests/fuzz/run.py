"""Many cases on several processes: blocks of them in turn, counted, their faults sorted, the memory watched."""

import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any, Final

from tests.fuzz import lives
from tests.fuzz.case import BLOCK
from tests.fuzz.generate import case as generate
from tests.fuzz.play import Play
from tests.fuzz.report import replay, sort_of, stage
from tests.fuzz.stage import listening

GROWTH: Final = 24 * 1024 * 1024  # bytes a process may grow by from its first tenth on
SHOWN: Final = 12  # faults that are made small and printed
STUCK: Final = 300.0  # seconds in which some block must come to its end


@dataclass
class Tally:
    """What happened in some cases.

    Attributes:
        counts: how often the cases came to this and that, so that one sees that they come to everything.
        faults: case number and fault.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    faults: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def add(self, number: int, play: Play) -> None:
        """Count one case."""
        counts = self.counts
        counts["cases"] += 1
        counts[play.case.scope["type"]] += 1
        counts["reached"] += play.served > 0
        counts["refused"] += play.model.refusal is not None
        counts["refused by a guard in the app"] += play.denied
        counts["cancelled"] += play.cancels > 0
        counts["ended by the house"] += play.closes > 0 or play.gone_seen
        counts["lawful apps"] += play.lawful and play.served > 0
        counts["messages"] += len(play.told)
        self.faults += [(number, fault) for fault in play.faults]


def block(seed: int, first: int, last: int) -> Tally:
    """Play the cases of one block, and the lives of one house."""
    tally = Tally()
    with listening(), stage() as own:
        for number in range(first, last):
            tally.add(number, own.play(generate(seed, number)))
    for number in range(first, last, lives.EVERY):
        tally.counts["lives"] += 1
        tally.faults += [(number, f"life: {fault}") for fault in lives.play(seed, number)]
    return tally


def run(seed: int, count: int, jobs: int, say: Callable[[str], None]) -> int:
    """Play cases 0 to `count`, and print progress and faults; how many faults were found."""
    say(f"seed {seed}, {count} cases, {jobs} processes")
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    workers = [
        context.Process(target=_work, args=(seed, count, job, jobs, results), daemon=True) for job in range(jobs)
    ]
    for worker in workers:
        worker.start()
    total = _gather(results, count, jobs, say)
    for worker in workers:
        worker.join(10)
    say("  ".join(f"{name} {number}" for name, number in sorted(total.counts.items())))
    _explain(seed, total, say)
    return len(total.faults)


def _work(seed: int, count: int, job: int, jobs: int, results: Any) -> None:
    logging.getLogger("narthex").setLevel(logging.CRITICAL + 1)
    mine = range(job * BLOCK, count, jobs * BLOCK)
    early = 0
    for done, first in enumerate(mine, 1):
        results.put(block(seed, first, min(first + BLOCK, count)))
        if done == max(1, len(mine) // 10):
            early = resident()
    results.put((job, early, resident()))


def _gather(results: Any, count: int, jobs: int, say: Callable[[str], None]) -> Tally:
    total = Tally()
    began, told, leaving = time.monotonic(), 0.0, jobs
    while leaving:
        try:
            said = results.get(timeout=STUCK)
        except Empty:
            total.faults.append((-1, f"no block came to its end within {STUCK} s"))
            break
        if isinstance(said, Tally):
            total.counts += said.counts
            total.faults += said.faults
        else:
            leaving -= 1
            job, early, late = said
            say(f"process {job}: {early >> 20} MiB resident at 10 %, {late >> 20} MiB at the end")
            if late - early > GROWTH:
                total.faults.append((-1, f"process {job} grew by {(late - early) >> 20} MiB"))
        now = time.monotonic() - began
        if now - told > 10:
            told, done = now, total.counts["cases"]
            say(f"{done / count:5.0%}  {done} cases  {done / now:.0f}/s  {len(total.faults)} faults")
    return total


def _explain(seed: int, total: Tally, say: Callable[[str], None]) -> None:
    """Print each sort of fault once, with a small case that shows it."""
    sorts: dict[str, list[tuple[int, str]]] = {}
    for number, fault in total.faults:
        sorts.setdefault(sort_of(fault), []).append((number, fault))
    for found in sorted(sorts.values(), key=len, reverse=True)[:SHOWN]:
        number, fault = min(found)
        say(f"\n{len(found)} x {fault}\nreplay with: make fuzz ARGS='--replay {seed}:{number}'")
        if number >= 0 and not fault.startswith("life: "):
            replay(seed, number, say)


def resident() -> int:
    """Bytes of memory that this process has resident; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * 4096
