"""`narthex run` as a child process: `with narthex_run("shop:app", workers=2) as house: ...`."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

APPS = Path(__file__).with_name("run_apps")
SERVERS = ("uvicorn", "hypercorn", "granian")
LIMIT = 60.0
_SERVING = re.compile(r"^narthex: serving .* on (http://\S+) ", re.MULTILINE)


class House:
    """A started command and what it has written."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = ""
        self._seen: set[int] = set()
        self._texts: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in self._texts]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = getattr(self.process, name)
        with stream:
            for line in stream:
                self._texts[name].append(line)

    @property
    def stdout(self) -> str:
        return "".join(self._texts["stdout"])

    @property
    def stderr(self) -> str:
        return "".join(self._texts["stderr"])

    def until(self, true: Callable[[], object], limit: float = LIMIT) -> None:
        deadline = time.monotonic() + limit
        while not true():
            assert time.monotonic() < deadline, f"waited {limit} s in vain\n{self.stderr}"
            time.sleep(0.02)

    def serving(self) -> bool:
        found = _SERVING.search(self.stderr)
        self.url = found[1] if found else ""
        return found is not None or self.process.poll() is not None

    def get(self, path: str = "/", **headers: str) -> str:
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=LIMIT) as response:
            text: str = response.read().decode()
            return text

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once everything it wrote has been read."""
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        for reader in self._readers:
            reader.join(LIMIT)
        return code

    def workers(self) -> set[int]:
        found = children(self.process.pid)
        self._seen |= found
        return found

    def kill(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.workers()
            self.process.kill()
        for worker in self._seen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def children(pid: int) -> set[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in listed.split()}


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def begin(app: str | None, directory: Path, toml: str = "", **options: object) -> House:
    """Start `narthex run` from the directory of the apps, on a free port, with a file of this text."""
    config = directory / "narthex.toml"
    config.write_text(toml)
    arguments = [f"--{name}={value}" for name, value in {"port": 0, "config": config, **options}.items()]
    arguments = [argument.removesuffix("=True") for argument in arguments]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "narthex", "run", *([app] if app else []), *arguments],
        cwd=APPS,
        env={**os.environ, "PYTHONPATH": str(APPS.parents[2]), "SHOP_MARK": str(directory / "mark")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return House(process)


@contextmanager
def narthex_run(app: str | None, directory: Path, toml: str = "", **options: object) -> Iterator[House]:
    """Start, wait until it serves or has ended, and end it and all its workers at last."""
    house = begin(app, directory, toml, **options)
    try:
        house.until(house.serving)
        yield house
    finally:
        house.kill()
        house.wait()
