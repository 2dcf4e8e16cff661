"""Every graph of the dashboard shows something of the demo, once somebody has been there."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from narthex_contrib.demo import accounts, command
from tests.contrib.demo.conftest import NARTHEX, free_port, served
from tests.plugins.metrics.prometheus import Prometheus, needs_prometheus, prometheus

pytestmark = needs_prometheus


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        served((*NARTHEX, "demo", "--port", str(free_port())), tmp_path_factory.mktemp("demo")) as running,
        httpx.Client(base_url=f"http://{running.address}", timeout=10) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return accounts.settle(command.CONFIG, tmp_path_factory.mktemp("config"))


def written(what: str, config: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "narthex", "alerts", what, "--config", str(config)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def visit(client: httpx.Client) -> None:
    for path in ("/", "/api/orders", "/api/orders/1", "/fail", "/download?rows=20", "/office/orders", "/nowhere"):
        with suppress(httpx.TransportError):  # after /fail the server closes the connection, sooner or later
            client.get(path)
    client.post("/api/orders", json={"customer": "Grace", "item": "rope", "quantity": 3})
    client.post("/_narthex/auth/login", data={"username": "grace", "password": "a guess"})  # of which ops is told


def test_each_expression_has_an_answer(demo: httpx.Client, config: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(written("rules", config))
    panels = json.loads(written("dashboards", config))["panels"]
    asked = {target["expr"]: panel["title"] for panel in panels for target in panel.get("targets", ())}
    with prometheus(f"{demo.base_url.host}:{demo.base_url.port}", tmp_path, str(rules)) as reader:
        assert len(asked) >= 20
        for expression, title in asked.items():
            _until(demo, reader, expression.replace("$__rate_interval", "15s").replace("$job", ".+"), title)
        groups = reader.get("rules")["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
        assert not [rule for group in groups for rule in group["rules"] if rule["state"] == "firing"]


def _until(demo: httpx.Client, reader: Prometheus, expression: str, title: str) -> None:
    for _ in range(60):
        if reader.ask(expression):
            return
        visit(demo)
        time.sleep(0.7)  # a scrape and a half
    raise AssertionError(f"{title} shows nothing: {expression}")
