"""Servers that come up with an app whose start-up fails, or breaks off: how they end, and what they say.

The words differ by those that Narthex puts before the app's own ("the app could not start: ..."), and hypercorn raises
in an app that says it has failed, which Narthex takes upon itself. Compared are the exit status or that it serves on,
what the app was told and has said, and that its reason is in the log.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.wire.differential.compare import log_differences
from tests.wire.differential.records import Records
from tests.wire.servers import ServerExitedError, serve

STARTS: Final[dict[str, str]] = {
    "an app whose start-up fails": "failing",
    "an app that raises in its start-up": "raising",
}
"""Case to the site that shows it."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a start went.

    Attributes:
        code: the exit status; None for a server that serves.
        reason: whether the log has the app's reason.
        told: what the app was told and said, in order.
    """

    code: int | None
    reason: bool
    told: Sequence[str]
    log: str


def start(site: str, server: str) -> dict[str, Start]:
    """Start the bare and the dressed apps side by side."""
    with TemporaryDirectory(prefix="differential-") as root, ThreadPoolExecutor(3) as threads:
        names = ("bare", "plain", "observers")
        found = threads.map(lambda dressed: _one(site, server, dressed, Path(root) / dressed), names)
        return dict(zip(names, found, strict=True))


def differences(found: dict[str, Start]) -> list[str]:
    """Where a dressed start parts from the bare one."""
    bare = found["bare"]
    sentences: list[str] = []
    for name, one in found.items():
        if (one.code, one.reason, one.told) != (bare.code, bare.reason, bare.told):
            sentences.append(f"[{name}] bare {bare}\nbehind {one}")
        if one.code is None:
            sentences += [f"[{name}] {each}" for each in log_differences(bare.log, one.log)]
    return sentences


def _one(site: str, server: str, dressed: str, place: Path) -> Start:
    place.mkdir()
    env = {"DIFFERENTIAL_SITE": site, "DIFFERENTIAL_AS": dressed, "DIFFERENTIAL_DIR": str(place)}
    extra = ["--workers=1"] if server in ("hypercorn", "granian") else []
    try:
        with serve("tests.wire.differential.served:app", server, env=env, extra=extra, timeout=40) as running:
            log, code = running.output(), None
    except ServerExitedError as error:
        log, code = error.output, error.code
    lines = [line for line in Records(place).of("lifespan") if line.side == "inside"]
    told = [f"{line.what} {line.fact}" for line in lines if line.what in ("received", "sent")]
    return Start(code, "the pool is empty" in log, told, log)
