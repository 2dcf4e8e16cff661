"""The order desk twice: by itself on uvicorn, and as `narthex demo`. Each in a process of its own, on loopback."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

NARTHEX = (str(Path(sys.executable).with_name("narthex")),)


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs: its address like "127.0.0.1:40123", its process, and the files it writes to."""

    address: str
    process: subprocess.Popen[bytes]
    out: Path
    told: Path

    def lines(self) -> list[dict[str, object]]:
        """What it has written to standard output so far; each line must be a JSON object."""
        return [json.loads(line) for line in self.out.read_text("utf-8").splitlines()]

    def messages(self, request_id: str, logger: str) -> list[object]:
        """What a logger has said so far about one request, in order."""
        return [line["message"] for line in self.lines() if self._is(line, request_id, logger)]

    def line_about(self, request_id: str, logger: str, within: float = 10) -> dict[str, object]:
        """The one line of a logger that carries a request id, waited for: log lines are written in the background."""
        deadline = time.monotonic() + within
        while True:
            found = [line for line in self.lines() if self._is(line, request_id, logger)]
            if found or time.monotonic() > deadline:
                assert len(found) == 1, f"{len(found)} lines of {logger} for {request_id}"
                return found[0]
            time.sleep(0.02)

    @staticmethod
    def _is(line: dict[str, object], request_id: str, logger: str) -> bool:
        return (line["logger"], line.get("request_id")) == (logger, request_id)


@contextmanager
def served(command: Sequence[str], directory: Path, **environ: str) -> Generator[Served]:
    """Run a server until the block ends. It listens on a free port and says so on standard error."""
    out, told = directory / "out", directory / "told"
    with out.open("wb") as stdout, told.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=directory, env={**os.environ, **environ})
    try:
        yield Served(wait_for_address(process, told), process, out, told)
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for_address(process: subprocess.Popen[bytes], told: Path) -> str:
    """Wait until a server says that it serves, and return where."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        said = re.search(r"(?:running|serving .*) on http://(\S+)", told.read_text("utf-8"))
        if said:
            return said[1]
        time.sleep(0.05)
    raise AssertionError(f"it does not serve:\n{told.read_text('utf-8')}")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The order desk by itself, with a book of its own."""
    directory = tmp_path_factory.mktemp("bare")
    command = (sys.executable, "-m", "uvicorn", "--port", "0", "narthex_contrib.demo.shop.main:app")
    with served(command, directory, SHOP_DATA=str(directory / "data")) as running:
        yield running


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The order desk behind Narthex, by `narthex demo`, with a book of its own."""
    with served((*NARTHEX, "demo", "--port", str(free_port())), tmp_path_factory.mktemp("behind")) as running:
        yield running


@pytest.fixture
def shop(bare: Served) -> Iterator[httpx.Client]:
    """A client of the order desk by itself."""
    with httpx.Client(base_url=f"http://{bare.address}", timeout=10) as client:
        yield client


@pytest.fixture
def hall(behind: Served) -> Iterator[httpx.Client]:
    """A client of the order desk behind Narthex."""
    with httpx.Client(base_url=f"http://{behind.address}", timeout=10) as client:
        yield client
