"""One cell: an app on a server, bare and behind Narthex, through all its cases."""

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final

from tests.wire.differential.case import Case
from tests.wire.differential.cases import CASES, slug
from tests.wire.differential.compare import Transcript, View, differences, log_differences, view
from tests.wire.differential.dialogue import Dialogue
from tests.wire.differential.known import known
from tests.wire.differential.records import Records
from tests.wire.servers import Server, serve

SITES: Final = ("raw", "starlette", "fastapi", "litestar", "quart", "django", "wsgi")
SERVERS: Final = ("uvicorn-h11", "uvicorn-httptools", "hypercorn", "granian", "gunicorn")
FULL: Final[tuple[tuple[str, str], ...]] = tuple((site, server) for site in SITES for server in SERVERS)
SAMPLE: Final = tuple(
    (site, server)
    for site, server in FULL
    # Every server with an app of its own messages, every framework on one server, one framework on three.
    if site == "raw" or server == "uvicorn-httptools" or (site == "fastapi" and server in ("hypercorn", "granian"))
)
DRESSED: Final = ("plain", "observers")
LOG: Final = "what is logged"
END: Final = "the lifespan, and the end by SIGTERM"
TRIES: Final = 8
AT_ONCE: Final = 6
"""Cells run side by side: more of a cell is waiting than working."""
_PATIENCE: Final = 30.0
_EXTRA: Final = {"hypercorn": ["--workers=1"], "granian": ["--workers=1"]}


@dataclass(slots=True)
class Cell:
    """What was found.

    Attributes:
        site, server: whose cell it is.
        compared: the names of the cases that were compared.
        different: case to what differed, every time it was tried.
        unable: cases whose bare server did not show what they are about.
        again: cases that were played again, once for each time.
    """

    site: str
    server: str
    compared: list[str] = field(default_factory=list)
    different: dict[str, list[str]] = field(default_factory=dict)
    unable: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def note(self, case: str, dressed: str, found: Sequence[str]) -> None:
        """Put down what a case came to."""
        if case not in self.compared:
            self.compared.append(case)
        if found:
            self.different.setdefault(case, []).extend(f"[{dressed}] {each}" for each in found)


@dataclass(frozen=True, slots=True)
class Served:
    """A served process, how it is dressed, and what it puts on record."""

    dressed: str
    server: Server
    records: Records


def run(site: str, server: str, cases: Sequence[Case] = CASES) -> Cell:
    """Serve the three, play every case of the site to them, end them, and compare."""
    cell = Cell(site, server)
    with _served(site, server) as three, ThreadPoolExecutor(3) as threads:
        bare = three[0]
        ours = [case for case in cases if site in case.sites]
        for case in ours:
            if not known(site, server, case.name):
                _compare(cell, case, three, threads, TRIES)
        for each in three[1:]:
            cell.note(LOG, each.dressed, _settled_log(bare, each))
        for case in ours:
            if known(site, server, case.name):
                _compare(cell, case, three, threads, 1)
        ends = list(threads.map(_end, three))
        for each, end in zip(three[1:], ends[1:], strict=True):
            cell.note(END, each.dressed, differences([view(ends[0])], view(end)))
    return cell


@contextmanager
def _served(site: str, server: str) -> Iterator[list[Served]]:
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="differential-")))
        starting = stack.enter_context(ThreadPoolExecutor(3))

        def one(dressed: str) -> Served:
            place = root / dressed
            place.mkdir()
            env = {"DIFFERENTIAL_SITE": site, "DIFFERENTIAL_AS": dressed, "DIFFERENTIAL_DIR": str(place)}
            env["PYTHONHASHSEED"] = "0"  # frameworks write sets into `allow` fields
            running = serve(
                "tests.wire.differential.served:app", server, env=env, extra=_EXTRA.get(server, ()), timeout=90
            )
            return Served(dressed, stack.enter_context(running), Records(place))

        yield list(starting.map(one, ("bare", *DRESSED)))


def _compare(cell: Cell, case: Case, three: Sequence[Served], threads: ThreadPoolExecutor, tries: int) -> None:
    """Play a case until nothing differs, or `tries` times: a difference is what the bare server never did."""
    bare: list[View] = []
    shown = False
    left = {each.dressed: ["never played"] for each in three[1:]}
    for attempt in range(tries):
        tag = f"{slug(case)}~{attempt}"
        heard = list(threads.map(lambda served, tag=tag: play(served, case, tag), three))
        shown = shown or re.search(case.shows, heard[0].text, re.DOTALL) is not None
        views = [
            view(
                each.without(tag),
                observed=served.dressed == "observers",
                loose=case.loose,
                ordered=cell.site == "raw",
            )
            for served, each in zip(three, heard, strict=True)
        ]
        # The bare one's starts are put in the same form as those that may have had an id.
        bare.append(views[0])
        bare.append(view(heard[0].without(tag), observed=True, loose=case.loose, ordered=cell.site == "raw"))
        for served, seen in zip(three[1:], views[1:], strict=True):
            if left[served.dressed]:
                left[served.dressed] = differences(bare, seen)
        if shown and not any(left.values()):
            break
        if attempt and not shown and not any(left.values()):
            break  # twice is enough for what it cannot do
        cell.again.append(case.name)
    if not shown:
        cell.unable.append(case.name)
    for dressed, sentences in left.items():
        cell.note(case.name, dressed, sentences)


def play(served: Served, case: Case, tag: str) -> Transcript:
    """One case on one server, to its end on both sides."""
    client = Dialogue(served.server.port, tag, served.records)
    case.talk(client)
    client.close()
    if not served.records.settled(tag, _PATIENCE):
        client.said.append(("the app never came to an end", b""))
    return Transcript(client.said, served.records.of(tag))


def _settled_log(bare: Served, other: Served) -> list[str]:
    """Lines come a moment after what they tell of: wait until both logs say the same, or for good."""
    deadline = monotonic() + 20
    while found := log_differences(bare.server.output(), other.server.output()):
        if monotonic() > deadline:
            return found
        sleep(0.05)
    return []


def _end(served: Served) -> Transcript:
    served.server.send_signal(signal.SIGTERM)
    try:
        code = str(served.server.wait(_PATIENCE))
    except subprocess.TimeoutExpired:
        code = "none: it did not end"
    return Transcript([("exit status", code.encode())], served.records.of("lifespan"))
