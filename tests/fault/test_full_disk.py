"""A disk that is really full: the store says so, keeps what it promised, and goes on when there is room."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fault.conftest import Report

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]


def unshare() -> list[str]:
    """The command for a mount namespace of one's own; skips the test where that is not allowed."""
    command = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    mount = ["mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, *mount], capture_output=True, check=False).returncode
    ):
        pytest.skip("no file system may be mounted here")
    return command


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    command = [*unshare(), sys.executable, "-m", "tests.fault.full_disk", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_full_disk_is_said_and_forgiven(told: dict[str, Any], report: Report) -> None:
    assert told["unstarted"].startswith("the store /narthex.db cannot be opened: ")
    assert told["started"] == ""
    before, during, after = told["refused"]
    assert before == after == []
    assert len(during) > 10
    assert set(during) == {"the store could not be written"}
    assert set(range(20)) | set(range(40, 60)) <= set(told["there"])
    report(f"a full tmpfs: {len(during)} of 20 records refused while there was no room, 0 before and after, 0 lost")
