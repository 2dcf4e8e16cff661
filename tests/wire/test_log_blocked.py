"""Nobody reads standard output for ten seconds, under load: no request waits, every line is written or counted."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.wire.narthex_run import APPS, LIMIT, SERVERS

BLOCKED = float(os.environ.get("BLOCKED", "10"))
TOML = "[plugins.logging]\nqueue = 500\n[plugins.metrics]\n"
_COMMAND = (sys.executable, "-P", "-m", "narthex", "run", "chatty:app", "--port=0")
_SERVING = re.compile(r"serving .* on (http://\S+) ")


class Unread:
    """`narthex run` whose standard output is a pipe that is read only when asked to."""

    def __init__(self, directory: Path, server: str) -> None:
        config = directory / "narthex.toml"
        config.write_text(TOML)
        self.process = subprocess.Popen(
            [*_COMMAND, f"--config={config}", f"--server={server}"],
            cwd=APPS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._out, self._errors = self.process.stdout, self.process.stderr
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        found = None
        while found is None:
            line = self._errors.readline()
            assert line, "it has ended"
            found = _SERVING.search(line)
        self.url = found[1]
        self._waste = threading.Thread(target=self._errors.read, daemon=True)
        self._waste.start()

    def _read(self) -> None:
        self.lines += list(self._out)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=LIMIT) as response:
            text: str = response.read().decode()
            return text

    def end(self) -> None:
        """Read all that there is, and stop it."""
        self._reader.start()
        self.process.terminate()
        self.process.wait(LIMIT)
        for reader, stream in ((self._reader, self._out), (self._waste, self._errors)):
            reader.join(LIMIT)
            stream.close()


def load(url: str, until: float, statuses: Counter[object]) -> None:
    """Requests one after the other; one that waited for the reader would run into the time limit."""
    at = urlsplit(url)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=BLOCKED / 2)
    while time.monotonic() < until:
        try:
            connection.request("GET", "/x")
            with connection.getresponse() as response:
                response.read()
                statuses[response.status] += 1
        except OSError as error:
            statuses[repr(error)] += 1
            connection.close()
    connection.close()


@pytest.mark.parametrize("server", SERVERS)
def test_no_request_waits_for_a_reader_and_every_line_is_written_or_counted(server: str, tmp_path: Path) -> None:
    house = Unread(tmp_path, server)
    try:
        until, counts = time.monotonic() + BLOCKED, [Counter[object]() for _ in range(4)]
        threads = [threading.Thread(target=load, args=(house.url, until, count)) for count in counts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sum(counts, Counter[object]())
        metrics = house.get("/api/metrics")
    finally:
        house.end()
    assert set(statuses) == {200}
    lines = [json.loads(line) for line in house.lines]
    written = sum("/x" in line["message"] for line in lines)
    dropped = sum(line.get("dropped", 0) for line in lines)
    assert dropped > 0
    assert 0 <= written + dropped - 2 * statuses[200] <= 5  # lines of the server's end, and of the metrics' request
    counted = re.search(r'^narthex_log_lines_dropped_total\{plugin="logging"\} (\S+)$', metrics, re.MULTILINE)
    assert counted is not None
    assert 0 < float(counted[1]) <= dropped
