"""The lease protocol against an adversary who decides what happens next: nothing revoked is ever accepted.

The machine runs the plugin's own `Lease` and `outstanding` over a model of the store. Processes look, are stopped in
the middle of a look for as long as the adversary likes, are killed, doubted and buried; their clocks start anywhere and
run half a percent fast or slow; the news may be late for ever. What must hold after every step: no process would
accept, at a check that begins now, what a revoke call has returned for.
"""

import os
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from narthex_plugins.revocation.lease import Lease, Reader, outstanding


@dataclass(slots=True, eq=False)
class Process:
    """A process: its clock, its list, and the look it is in the middle of."""

    id: str
    page: str
    rate: float
    offset: float
    lease: Lease
    version: int = 0
    look: tuple[float, int] | None = None
    found: tuple[int, bool] | None = None

    def clock(self, world: float) -> float:
        return self.offset + world * self.rate


@dataclass(slots=True)
class Row:
    """A reader in the store."""

    reader: Reader
    doubt: str = ""


@dataclass(slots=True, eq=False)
class Call:
    """A revoke call under way: its version, and the reading of its own clock after the commit."""

    by: Process
    version: int
    committed: float


@dataclass(slots=True, eq=False)
class Doubt:
    """Somebody wants the dead gone."""

    by: Process
    since: float
    longest: float
    name: str = field(default="")


class Deployment(RuleBasedStateMachine):
    """Processes, a store, and time."""

    processes = Bundle("processes")
    calls = Bundle("calls")
    doubts = Bundle("doubts")

    def __init__(self) -> None:
        super().__init__()
        self.world = 1000.0
        self.committed = 0
        self.returned = 0
        self.marks: dict[str, int] = {}
        self.rows: dict[str, Row] = {}
        self.alive: list[Process] = []
        self.count = 0

    def store(self, process: Process) -> None:
        reader = Reader(process.id, process.version, process.page, process.lease.seconds)
        self.rows[process.id] = Row(reader)

    @precondition(lambda self: len(self.alive) < 3)
    @rule(
        target=processes,
        page=st.sampled_from(["", "", "", "a", "b"]),
        rate=st.sampled_from([0.995, 1.0, 1.005]),
        offset=st.sampled_from([0.0, -900.0, 5000.0]),
        seconds=st.sampled_from([1.0, 3.0]),
    )
    def start(self, page: str, rate: float, offset: float, seconds: float) -> Process:
        self.count += 1
        process = Process(f"p{self.count}", page, rate, offset, Lease(seconds))
        self.store(process)
        self.alive.append(process)
        for _ in range(3):
            self.step(process)
        return process

    @rule(seconds=st.sampled_from([0.01, 0.01, 0.3, 0.7, 1.0, 2.5]))
    def wait(self, seconds: float) -> None:
        self.world += seconds

    @rule(process=processes, steps=st.sampled_from([1, 1, 2, 3]))
    def go_on_looking(self, process: Process, steps: int) -> None:
        for _ in range(steps):
            self.step(process)

    def step(self, process: Process) -> None:
        """Begin, read, end: between any two of them the process may be stopped."""
        if process.look is None:
            process.look = (process.clock(self.world), self.marks.get(process.page, 0))
        elif process.found is None:
            row = self.rows.get(process.id)
            process.found = (self.committed, row is not None and not row.doubt)
        else:
            process.version = max(process.version, process.found[0])
            if process.found[1]:
                process.lease.renew(*process.look)
            process.look = process.found = None

    @rule(process=processes, stands=st.booleans())
    def write(self, process: Process, stands: bool) -> None:
        row = self.rows.get(process.id)
        if stands:
            self.store(process)
        elif row is not None:
            row.reader = Reader(process.id, process.version, process.page, process.lease.seconds)

    @precondition(lambda self: len(self.alive) == 3)
    @rule(process=consumes(processes), killed=st.booleans())
    def end(self, process: Process, killed: bool) -> None:
        self.alive.remove(process)
        if not killed:
            self.rows.pop(process.id, None)

    @rule(target=calls, process=processes)
    def commit(self, process: Process) -> Call:
        self.committed += 1
        if process.page:
            self.marks[process.page] = self.committed
        process.lease.end(process.clock(self.world))
        return Call(process, self.committed, process.clock(self.world))

    @rule(call=calls)
    def ask_whether_all_know(self, call: Call) -> None:
        others = [row.reader for row in self.rows.values() if row.reader.id != call.by.id]
        waited = call.by.clock(self.world) - call.committed
        if not outstanding(others, call.version, call.by.page, waited):
            self.returned = max(self.returned, call.version)

    @rule(target=doubts, process=processes)
    def doubt(self, process: Process) -> Doubt:
        others = [row for row in self.rows.values() if row.reader.id != process.id]
        self.count += 1
        made = Doubt(process, process.clock(self.world), 0.0, f"d{self.count}")
        for row in others:
            row.doubt = made.name
            made.longest = max(made.longest, row.reader.lease)
        return made

    @rule(doubt=consumes(doubts))
    def bury(self, doubt: Doubt) -> None:
        self.world = max(self.world, self.world + (2 * doubt.longest + 1 - (doubt.by.clock(self.world) - doubt.since)))
        self.rows = {name: row for name, row in self.rows.items() if row.doubt != doubt.name}

    @precondition(lambda self: self.returned)
    @invariant()
    def nobody_accepts_what_was_revoked(self) -> None:
        for process in self.alive:
            if process.lease.holds(process.clock(self.world), self.marks.get(process.page, 0)):
                assert process.version >= self.returned, process


TestDeployment = Deployment.TestCase
TestDeployment.settings = settings(
    max_examples=5000 if os.environ.get("REVOCATION") == "full" else 150, stateful_step_count=30, deadline=None
)
