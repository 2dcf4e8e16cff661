"""`narthex log-level` reaches every worker, those that begin later too, and a reload keeps it."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.wire.narthex_run import LIMIT, House, narthex_run

JSON = "[plugins.logging]\n"


def command(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-P", "-m", "narthex", *arguments, "--config", str(file)]
    return subprocess.run(line, capture_output=True, text=True, timeout=2 * LIMIT, check=False)


def lines_of(house: House, path: str) -> list[dict[str, Any]]:
    """What is logged of one request."""
    house.get(path)
    found: list[dict[str, Any]] = []

    def complete() -> bool:
        found[:] = [json.loads(line) for line in house.stdout.splitlines() if path in line]
        return any(line["logger"] == "narthex.access" for line in found)

    house.until(complete)
    return found


def levels(lines: list[dict[str, Any]]) -> Counter[str]:
    return Counter(line["level"] for line in lines if line["logger"] == "shop.orders")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_level_is_changed_everywhere_and_given_back(workers: int, tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    with narthex_run("chatty:app", tmp_path, JSON, workers=workers) as house:
        assert levels(lines_of(house, "/before")) == {"info": 1}
        said = command(file, "log-level", "shop", "debug")
        assert (said.returncode, said.stdout) == (0, f"{house.process.pid}: shop debug\n")
        assert command(file, "reload").returncode == 0
        for number in range(8):
            assert levels(lines_of(house, f"/debug{number}-")) == {"debug": 1, "info": 1}
        assert command(file, "log-level").stdout == f"{house.process.pid}: shop debug\n"
        assert command(file, "log-level", "shop", "default").returncode == 0
        for number in range(8):
            assert levels(lines_of(house, f"/again{number}-")) == {"info": 1}


def test_a_worker_that_begins_later_has_it_too(tmp_path: Path) -> None:
    with narthex_run("chatty:app", tmp_path, JSON, workers=2) as house:
        before = house.workers()
        assert command(tmp_path / "narthex.toml", "log-level", "shop.orders", "debug").returncode == 0
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        house.until(lambda: len(house.workers() - before) == 2)
        house.until(lambda: house.stdout.count("Application startup complete") == 4)
        for number in range(8):
            assert levels(lines_of(house, f"/later{number}-")) == {"debug": 1, "info": 1}


def test_access_lines_have_a_level_of_their_own(tmp_path: Path) -> None:
    with narthex_run("chatty:app", tmp_path, JSON) as house:
        assert command(tmp_path / "narthex.toml", "log-level", "narthex.access", "warning").returncode == 0
        house.get("/silent")
        assert command(tmp_path / "narthex.toml", "log-level", "narthex.access", "default").returncode == 0
        lines_of(house, "/heard")
        told = [json.loads(line) for line in house.stdout.splitlines()]
        assert [line["path"] for line in told if line["logger"] == "narthex.access"] == ["/heard"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shop", "loud"), "no level is called 'loud' (one of debug, info, warning, error, critical, default)"),
        (("shop",), "to what level?"),
    ],
)
def test_what_is_no_level_is_refused(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    said = command(tmp_path / "narthex.toml", "log-level", *arguments)
    assert said.returncode == 2
    assert words in said.stderr


def test_nobody_to_tell_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "narthex.toml").write_text(JSON)
    said = command(tmp_path / "narthex.toml", "log-level", "shop", "debug")
    assert (said.returncode, "follows" in said.stderr) == (1, True)
