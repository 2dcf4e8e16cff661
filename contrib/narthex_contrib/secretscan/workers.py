"""Many texts at once: in this process where there are few, else in some of its own."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from narthex.errors import ConfigError
from narthex_contrib.secretscan.files import Item, Skipped, decoded, printable, read
from narthex_contrib.secretscan.repository import Blob, contents, is_large
from narthex_contrib.secretscan.scanning import Comment, Finding, TooSlow, scan_text
from narthex_contrib.secretscan.settings import ScanSettings

FEW: Final = 2_000_000
"""Bytes, below which processes cost more time than they save."""
_PART: Final = 64
T = TypeVar("T")


@dataclass(slots=True)
class Looked:
    """What came of looking through some texts."""

    findings: list[Finding] = field(default_factory=list[Finding])
    comments: list[Comment] = field(default_factory=list[Comment])
    scanned: list[str] = field(default_factory=list[str])
    skipped: list[tuple[str, Skipped]] = field(default_factory=list[tuple[str, Skipped]])
    size: int = 0
    seen: int = 0

    def add(self, other: "Looked") -> None:
        """Take over what others found."""
        self.findings += other.findings
        self.comments += other.comments
        self.scanned += other.scanned
        self.skipped += other.skipped
        self.size += other.size
        self.seen += other.seen


def look(path: str, data: bytes | Skipped, settings: ScanSettings) -> Looked:
    """Look through the contents of one file."""
    shown = printable(path)
    text = data if isinstance(data, Skipped) else decoded(data)
    if isinstance(text, Skipped) or isinstance(data, Skipped):
        return Looked(skipped=[(shown, Skipped(text) if isinstance(text, Skipped) else Skipped.BINARY)], seen=1)
    findings, comments = scan_text(shown, text, settings)
    return Looked(findings, comments, [shown], size=len(data), seen=1)


def look_at_files(items: list[Item], settings: ScanSettings, directory: Path) -> Looked:  # noqa: ARG001  as the others
    """Look through files, one after the other."""
    looked = Looked()
    for item in items:
        looked.add(look(item.name, read(item.path, settings.max_size), settings))
    return looked


def look_at_blobs(blobs: list[Blob], settings: ScanSettings, directory: Path) -> Looked:
    """Look through objects of git; what the version before had is no news."""
    looked = Looked()
    with contents(directory) as objects:
        for blob in blobs:
            data = objects.read(blob.id, settings.max_size)
            if data is None:
                continue
            one = look(blob.path, Skipped.LARGE if is_large(data) else data, settings)
            if one.findings and blob.before:
                one.findings = _news(one.findings, blob, objects.read(blob.before, settings.max_size), settings)
            looked.add(replace(one, findings=[replace(finding, commit=blob.id) for finding in one.findings]))
    return looked


def _news(findings: list[Finding], blob: Blob, before: bytes | None, settings: ScanSettings) -> list[Finding]:
    if before is None or is_large(before):
        return findings
    known = {(one.kind, one.secret) for one in look(blob.path, before, settings).findings if not one.exempted}
    return [one for one in findings if (one.kind, one.secret) not in known]


Job = Callable[[list[T], ScanSettings, Path], Looked]


def look_through(
    work: Job[T], things: list[T], settings: ScanSettings, directory: Path, jobs: int, size: int
) -> Iterator[Looked]:
    """Look through things, in as many processes; give what came of each part as it comes, which may end early.

    Raises:
        ConfigError: a process was killed, or a detector of the configuration takes too long.
    """
    count = max(len(things) // _PART, 1) if len(things) > 2 * _PART else max(min(len(things) // 4, jobs * 4), 1)
    parts = [things[number::count] for number in range(count)]
    try:
        if jobs == 1 or size < FEW or len(parts) == 1:
            for part in parts:
                yield work(part, settings, directory)
            return
        with _processes(min(jobs, len(parts))) as pool:
            waiting: set[Future[Looked]] = {pool.submit(work, part, settings, directory) for part in parts}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
    except TooSlow as error:
        raise ConfigError(str(error), hint="does the pattern repeat a repeat, as in (a+)+ ?") from None
    except BrokenProcessPool:
        raise ConfigError("a process of the scan was killed", hint="by whom? --jobs 1 does without them") from None


@contextlib.contextmanager
def _processes(count: int) -> Generator[ProcessPoolExecutor]:
    """Processes that leave Ctrl-C to this one, and are gone when it leaves, however it does."""
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(count, multiprocessing.get_context(method), _deaf)
    try:
        yield pool
    except BaseException:
        processes = list((pool._processes or {}).values())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  no other way to end work under way
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(5)
        raise
    else:
        pool.shutdown()


def _deaf() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
