"""Starting and stopping on real servers, by their own command lines: lifespan on, auto and off, mounted, forked."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.slow import sampled
from tests.wire.datasette_site import request
from tests.wire.replies import ask, body, status
from tests.wire.servers import Server, ServerExitedError, serve

WITH_LIFESPAN: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn on": ("uvicorn", "--lifespan=on"),
    "uvicorn auto": ("uvicorn", "--lifespan=auto"),
    "hypercorn": ("hypercorn",),
    "granian": ("granian",),
    "gunicorn": ("gunicorn",),
    "gunicorn preload": ("gunicorn", "--preload"),
}
WITHOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn off": ("uvicorn", "--lifespan=off"),
    "granian off": ("granian", "--interface=asginl"),
}
WAYS: Final = {**WITH_LIFESPAN, **WITHOUT}


@dataclass(frozen=True, slots=True)
class Booted:
    """A server, and what was written down."""

    server: Server
    diary: Path

    def get(self, path: str = "/") -> tuple[int, dict[str, Any]]:
        """Status and JSON body."""
        reply = ask(self.server.port, request(path))
        return status(reply), json.loads(body(reply))

    def lines(self) -> list[str]:
        """What has started and stopped so far."""
        return self.diary.read_text().splitlines() if self.diary.exists() else []

    def stop(self, number: signal.Signals = signal.SIGTERM) -> list[str]:
        """Stop as an operator does; give the whole diary."""
        self.server.send_signal(number)
        self.server.wait()
        return self.lines()


@contextmanager
def boot(
    directory: Path,
    way: str,
    guest: str = "tidy",
    *,
    plugins: Mapping[str, Mapping[str, Any]] | None = None,
    house: Mapping[str, Any] | None = None,
    attribute: str = "app",
    ready: str | None = "/",
    extra: tuple[str, ...] = (),
) -> Iterator[Booted]:
    """Serve `guest` behind the diary plugin, and others, in one of WAYS."""
    server, *arguments = WAYS[way]
    tables = {"diary": {}, **(plugins or {})}
    tables["diary"] = {"use": "tests.wire.boot_site:Diary", **tables["diary"]}
    config = {"narthex": house or {}, "plugins": tables}
    diary = directory / "diary.txt"
    env = {"BOOT_GUEST": guest, "BOOT_CONFIG": json.dumps(config), "BOOT_DIARY": str(diary)}
    target = f"tests.wire.boot_site:{attribute}"
    with serve(target, server, env=env, extra=[*arguments, *extra], ready=ready, timeout=20) as running:
        yield Booted(running, diary)


@pytest.mark.parametrize("way", sampled(WITH_LIFESPAN, {"uvicorn on", "granian", "gunicorn preload"}.__contains__))
def test_house_and_app_start_before_the_first_request_and_stop_in_reverse(tmp_path: Path, way: str) -> None:
    plugins = {"second": {"use": "tests.wire.boot_site:Diary"}}
    with boot(tmp_path, way, plugins=plugins) as booted:
        assert booted.lines() == ["diary up", "second up", "app up"]
        assert booted.get("/x")[1]["greeting"] == "hello"
        assert booted.stop()[3:] == ["app down", "second down", "diary down"]


@pytest.mark.parametrize("way", WITHOUT)
def test_without_a_lifespan_the_first_request_starts_the_plugins(tmp_path: Path, way: str) -> None:
    with boot(tmp_path, way, ready=None) as booted:
        assert booted.lines() == []
        assert booted.get()[1]["greeting"] is None
        assert booted.lines() == ["diary up"]


@pytest.mark.parametrize("way", WITHOUT)
def test_the_apps_lifespan_is_driven_where_that_is_asked_for(tmp_path: Path, way: str) -> None:
    with boot(tmp_path, way, house={"drive_lifespan": True}) as booted:
        assert booted.get()[1]["greeting"] == "hello"
        assert booted.lines() == ["diary up", "app up"]


def test_an_event_loop_that_is_taken_down_releases_all_without_a_lifespan(tmp_path: Path) -> None:
    with boot(tmp_path, "uvicorn off") as booted:
        assert booted.stop(signal.SIGINT) == ["diary up", "diary down"]


@pytest.mark.parametrize("way", WITHOUT)
def test_a_sigterm_releases_all_without_a_lifespan(tmp_path: Path, way: str) -> None:
    with boot(tmp_path, way) as booted:
        assert booted.stop() == ["diary up", "diary down"]


def test_without_a_lifespan_the_last_line_is_written_before_the_end(tmp_path: Path) -> None:
    # Not so on granian: its workers leave by os._exit, and what came in the last hundredth of a second may be lost.
    with boot(tmp_path, "uvicorn off", plugins={"logging": {"output": str(tmp_path / "log.jsonl")}}) as booted:
        booted.get("/last")
        booted.stop()
    assert '"path":"/last","status":200' in (tmp_path / "log.jsonl").read_text()


@pytest.mark.parametrize("way", WITHOUT)
def test_requests_that_come_first_together_wait_for_one_start(tmp_path: Path, way: str) -> None:
    with boot(tmp_path, way, plugins={"diary": {"slow": 0.5}}, ready=None) as booted, ThreadPoolExecutor(8) as threads:
        assert {seen for seen, _ in threads.map(booted.get, ["/x"] * 8)} == {200}
        assert booted.lines() == ["diary up"]


@pytest.mark.parametrize("way", WITHOUT)
def test_a_readiness_probe_alone_gets_the_house_started(tmp_path: Path, way: str) -> None:
    plugins: dict[str, dict[str, Any]] = {"diary": {"slow": 0.5}, "health": {"ready": "/ready", "live": "/live"}}
    with boot(tmp_path, way, plugins=plugins, ready=None) as booted:
        assert (booted.get("/live")[0], booted.get("/ready")[0], booted.lines()) == (200, 503, [])
        wait_until(lambda: booted.get("/ready")[0] == 200)
        assert booted.lines() == ["diary up"]


def wait_until(true: Callable[[], bool], limit: float = 10) -> None:
    """Look ten times a second until it is true."""
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(("way", "guest"), [*((way, "refuses") for way in WITH_LIFESPAN), ("uvicorn auto", "raises")])
def test_an_app_that_fails_to_start_is_not_served(tmp_path: Path, way: str, guest: str) -> None:
    with pytest.raises(ServerExitedError, match="the app found no database") as failed, boot(tmp_path, way, guest):
        pass
    assert failed.value.code is not None
    assert (tmp_path / "diary.txt").read_text().splitlines()[:2] == ["diary up", "diary down"]


@pytest.mark.parametrize("way", sampled(WITH_LIFESPAN, {"uvicorn on", "granian", "gunicorn preload"}.__contains__))
def test_behind_a_plugin_that_fails_to_start_nothing_is_served(tmp_path: Path, way: str) -> None:
    broken = {"diary": {"fail": True}}
    with pytest.raises(ServerExitedError, match="no pages left") as failed, boot(tmp_path, way, plugins=broken):
        pass
    assert failed.value.code is not None
    assert not any("app up" in line for line in failed.value.output.splitlines())


@pytest.mark.parametrize("way", WITHOUT)
def test_without_a_lifespan_a_plugin_that_fails_to_start_refuses_all(tmp_path: Path, way: str) -> None:
    with boot(tmp_path, way, plugins={"diary": {"fail": True}, "health": {}}, ready=None) as booted:
        refused = [booted.get(path) for path in ("/", "/x", "/")]
        assert {(seen, told["code"]) for seen, told in refused} == {(503, "not_started")}
        assert [booted.get(path)[0] for path in ("/healthz", "/readyz")] == [200, 503]


def test_behind_an_app_whose_driven_lifespan_fails_all_is_refused(tmp_path: Path) -> None:
    with boot(tmp_path, "uvicorn off", "refuses", house={"drive_lifespan": True}, ready=None) as booted:
        assert booted.get()[0] == 503
        assert booted.lines() == ["diary up", "diary down"]


NO_LIFESPAN: Final = [*((way, "http only") for way in WITH_LIFESPAN), ("uvicorn on", "silent"), ("hypercorn", "silent")]


@pytest.mark.parametrize(("way", "guest"), NO_LIFESPAN)
def test_an_app_without_a_lifespan_is_served(tmp_path: Path, way: str, guest: str) -> None:
    with boot(tmp_path, way, guest) as booted:
        assert booted.get("/x")[0] == 200
        assert booted.stop() == ["diary up", "diary down"]


@pytest.mark.parametrize("way", ["uvicorn on", "hypercorn", "granian"])
def test_mounted_under_a_parent_the_first_request_starts_it(tmp_path: Path, way: str) -> None:
    with boot(tmp_path, way, attribute="parent", plugins={"health": {}}) as booted:
        assert (booted.lines(), booted.get("/sub/healthz")[0]) == ([], 200)
        assert booted.get("/sub/x")[1]["path"] == "/sub/x"
        assert booted.lines() == ["diary up"]


@pytest.mark.parametrize("way", ["gunicorn", "gunicorn preload"])
def test_the_lines_of_every_forked_worker_arrive(tmp_path: Path, way: str) -> None:
    plugins = {"logging": {"output": str(tmp_path / "log.jsonl")}}
    pids: Counter[int] = Counter()
    with boot(tmp_path, way, plugins=plugins, extra=("--workers=2",)) as booted:
        wait_until(lambda: pids.update([booted.get("/x")[1]["pid"]]) or len(pids) == 2)
        assert sorted(booted.stop()) == ["app down"] * 2 + ["app up"] * 2 + ["diary down"] * 2 + ["diary up"] * 2
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    asked = [line["request_id"] for line in lines if line.get("path") == "/x"]
    assert len(set(asked)) == len(asked) == pids.total()
