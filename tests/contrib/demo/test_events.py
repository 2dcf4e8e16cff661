"""What happens in the demo's house, as it happens: the admin watches, alice logs in."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contrib.demo.conftest import NARTHEX, Served, free_port, served
from tests.contrib.demo.test_office import tour, typed


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served((*NARTHEX, "demo", "--port", str(free_port())), tmp_path_factory.mktemp("events")) as running:
        yield running


def test_the_admin_sees_a_login_as_it_happens(demo: Served, tmp_path: Path) -> None:
    (login,) = tour(demo, " -c adam.jar ")
    typed(login, tmp_path)
    (watch,) = tour(demo, "/_narthex/events")
    seen = tmp_path / "seen"
    with seen.open("wb") as file, subprocess.Popen(["sh", "-c", f"exec {watch}"], stdout=file, cwd=tmp_path) as process:
        try:
            wait_for(seen, "\nid: ", process)
            (login,) = tour(demo, " -c alice.jar ")
            typed(login, tmp_path)
            wait_for(seen, '"topic":"auth.login"', process)
        finally:
            process.terminate()


def wait_for(file: Path, words: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while words not in file.read_text():
        assert process.poll() is None, file.read_text()
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.05)
