"""The house watches itself: real requests, real figures, one of several workers that tells."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from narthex import House, Settings, hookimpl
from narthex.alerting import AlertRule
from narthex.errors import BootError, StartError
from narthex.events import AlertFired, AlertResolved
from narthex.measures import Match, Rate, Share
from narthex.testing import Client, FixedClock, config
from narthex_plugins.alerts import Alerts
from tests.wire.narthex_run import LIMIT, is_alive, narthex_run

ERRORS = Share("narthex_http_requests_total", (Match("status", ("500",), other="200"),))


class NoSettings(Settings):
    pass


class Rules:
    """Gives two rules, and keeps what is told of them."""

    name = "rules"
    Settings = NoSettings
    told: ClassVar[list[AlertFired | AlertResolved]] = []

    def __init__(self, settings: object, house: House) -> None:
        self.told.clear()
        house.events.subscribe(AlertFired, self.told.append)
        house.events.subscribe(AlertResolved, self.told.append)

    @hookimpl
    def alert_rules(self) -> list[AlertRule]:
        return [
            AlertRule(
                name="Failing",
                measure=ERRORS,
                above=0.5,
                lasting=30,
                severity="page",
                summary="It fails.",
                runbook="failing",
                keep=60,
            ),
            AlertRule(
                name="Asked",
                measure=Rate("narthex_http_requests_total"),
                above=1e9,
                lasting=0,
                severity="ticket",
                summary="It is asked.",
                runbook="asked",
            ),
        ]


def app() -> Starlette:
    async def fine(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("fine")

    async def failing(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("", 500)

    return Starlette(routes=[Route("/fine", fine), Route("/failing", failing)])


def tables(directory: Path, **alerts: Any) -> dict[str, Any]:
    metrics = {"directory": str(directory)}
    return config(metrics=metrics, rules={"use": f"{__name__}:Rules"}, alerts={"interval": 300, **alerts})


def watcher(client: Client) -> Alerts:
    return next(guest.plugin for guest in client.house.guests if isinstance(guest.plugin, Alerts))


def test_what_is_wrong_for_long_enough_is_told_once_and_so_is_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FixedClock()
    with Client(app(), tables(tmp_path, off=["NarthexErrors"]), clock=clock) as client:
        for path, looks in (("/fine", 5), ("/failing", 30), ("/fine", 60)):
            for _ in range(looks):
                client.get(path)
                clock.advance(15)
                client.run(watcher(client)._look())
    assert [type(one) for one in Rules.told] == [AlertFired, AlertResolved]
    fired, resolved = Rules.told
    assert isinstance(fired, AlertFired)
    assert isinstance(resolved, AlertResolved)
    assert (fired.name, fired.severity, fired.above, fired.value > 0.5) == ("Failing", "page", 0.5, True)
    assert fired.runbook == "docs/runbooks/failing.md"
    assert fired.key == resolved.key
    assert resolved.seconds > 0
    assert [record.getMessage().partition(":")[0] for record in caplog.records if ".alerts" in record.name] == [
        "Failing",
        f"Failing is over, after {resolved.seconds:.0f} s",
    ]


def test_a_threshold_of_the_file_is_taken_and_a_rule_left_out(tmp_path: Path) -> None:
    clock, off = FixedClock(), ["Failing"]
    with Client(app(), tables(tmp_path, above={"Asked": 0.001}, off=off), clock=clock) as client:
        for _ in range(10):
            client.get("/failing")
            clock.advance(15)
            client.run(watcher(client)._look())
    assert [one.name for one in Rules.told] == ["Asked"]


def test_it_looks_by_itself(tmp_path: Path) -> None:
    with Client(app(), tables(tmp_path, interval=1, above={"Asked": 0.001})) as client:
        deadline = time.monotonic() + LIMIT
        while not Rules.told:
            assert time.monotonic() < deadline
            client.get("/fine")
            client.run(asyncio.sleep(0.2))
    assert [one.name for one in Rules.told] == ["Asked"]


def test_without_figures_it_does_not_start_unless_it_is_told_not_to_look(tmp_path: Path) -> None:
    with pytest.raises(BootError, match="no figures"), Client(config=config(alerts={})):
        pass
    with Client(config=config(alerts={"evaluate": False})) as client:
        assert client.get("/").status == 200


def test_a_rule_that_there_is_not_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="Failling"), Client(app(), tables(tmp_path, off=["Failling"])):
        pass


APP = """
import os

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def index(request):
    return PlainTextResponse(str(os.getpid()))


app = Starlette(routes=[Route("/", index)])
"""
TOML = """
[narthex]
app = "watched:app"

[plugins.metrics]
directory = "figures"

[plugins.rules]
use = "tests.plugins.alerts.test_plugin:Rules"

[plugins.alerts]
interval = 1
above = { Asked = 0.0001 }
off = ["Failing"]

[plugins.logging]
"""


def test_of_several_workers_one_tells_and_another_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "watched.py").write_text(APP)
    with narthex_run(None, tmp_path, TOML, workers=3) as house:

        def told() -> int:
            return house.stdout.count('"message":"Asked: ')

        def asked_and_told(times: int) -> bool:
            house.get("/")
            return told() >= times

        house.until(lambda: asked_and_told(1))
        time.sleep(3)
        assert told() == 1
        run = next((tmp_path / "figures" / f"narthex-{os.geteuid()}").iterdir())
        leader = _holder(run / "leading", house.workers())
        os.kill(leader, signal.SIGKILL)
        house.until(lambda: not is_alive(leader))
        house.until(lambda: asked_and_told(2))


def _holder(file: Path, pids: set[int]) -> int:
    """Who has the lock, by the kernel's own list of them."""
    inode = f":{file.stat().st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return next(int(line.split()[4]) for line in lines if inode in line and int(line.split()[4]) in pids)
