"""A real Prometheus that reads from one address, and what it answers."""

import contextlib
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.wire.servers import free_port

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus is not installed (Debian: prometheus)",
)
_CONFIG: Final = """
global:
  scrape_interval: 500ms
  scrape_timeout: 500ms
  evaluation_interval: 500ms
rule_files: [{rules}]
scrape_configs:
  - job_name: narthex
    metrics_path: /api/metrics
    static_configs:
      - targets: ["{target}"]
"""
PATIENCE: Final = 60.0


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **query: str) -> Any:
        """An answer of its API: what stands under `data`."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query that are numbers."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return [one for one in found if one["value"][1] != "NaN"]

    def until(
        self, expression: str, limit: float = PATIENCE, meanwhile: Callable[[], object] = bool
    ) -> list[dict[str, Any]]:
        """Ask until there is an answer; `meanwhile` is called in between."""
        deadline = time.monotonic() + limit
        while not (found := self.ask(expression)):
            assert time.monotonic() < deadline, f"no data for {expression}"
            meanwhile()
            time.sleep(0.3)
        return found

    def target(self) -> dict[str, Any]:
        """What it thinks of the one it reads from."""
        (target,) = self.get("targets")["activeTargets"]
        found: dict[str, Any] = target
        return found


@contextlib.contextmanager
def prometheus(target: str, directory: Path, rules: str = "") -> Generator[Prometheus]:
    """Run one until the block ends; it looks twice a second.

    Args:
        target: "127.0.0.1:8000".
        directory: where it keeps what it has read.
        rules: path of a file of rules, or "".
    """
    config, log, port = directory / "prometheus.yml", directory / "prometheus.log", free_port()
    config.write_text(_CONFIG.format(target=target, rules=json.dumps(rules) if rules else ""))
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        made = Prometheus(port)
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            with contextlib.suppress(OSError, urllib.error.URLError):
                made.get("targets")
                break
            time.sleep(0.1)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
