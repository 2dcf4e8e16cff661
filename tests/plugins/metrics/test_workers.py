"""Several workers behind one port: any of them answers for all, whatever becomes of the others."""

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.metrics.reading import read_plain
from tests.slow import sampled
from tests.wire.narthex_run import LIMIT, House, is_alive, narthex_run
from tests.wire.servers import serve

APP = """
import os
import time

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from narthex import Narthex
from narthex_plugins.metrics import counter

asked = counter("shop_asked_total", "Asked.")


async def pid(request):
    asked.inc()
    return PlainTextResponse(str(os.getpid()))


app = Starlette(routes=[Route("/pid/{any}", pid)])
house = Narthex(app, os.path.join(os.path.dirname(__file__), "narthex.toml"))
"""
TOML = """
[narthex]
app = "counting:app"
quiet = ["/api/metrics"]

[plugins.metrics]
directory = "figures"
"""
Figures = dict[tuple[str, ...], float]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "figures").mkdir()
    (tmp_path / "counting.py").write_text(APP)
    (tmp_path / "narthex.toml").write_text(TOML)
    return tmp_path


class Caller:
    """Asks on a new connection each time, so that any worker may answer."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200, path
            return answer.read().decode()

    def scrape(self) -> Figures:
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in read_plain(self.get("/api/metrics"))
            for sample in family.samples
        }

    def ask_all(self, workers: int) -> tuple[set[int], int]:
        """Ask until so many workers have answered; their pids, and how often that took."""
        pids: set[int] = set()
        asked, deadline = 0, time.monotonic() + LIMIT
        while len(pids) < workers:
            assert time.monotonic() < deadline, pids
            pids.add(int(self.get(f"/pid/{asked}")))
            asked += 1
        return pids, asked

    def until(self, name: str, value: float) -> Figures:
        """Scrape until a figure is so, and return all."""
        deadline = time.monotonic() + LIMIT
        while (told := self.scrape()).get((name,)) != value:
            assert time.monotonic() < deadline, told.get((name,))
            time.sleep(0.05)
        return told

    def settle(self, count: float) -> None:
        """Scrape until so many requests are counted."""
        deadline = time.monotonic() + LIMIT
        while counted(self.scrape()) != count:
            assert time.monotonic() < deadline, count
            time.sleep(0.05)


def counted(told: Figures) -> float:
    return told.get(("narthex_http_requests_total", "GET", "/pid/{any}", "200"), 0.0)


def port_of(house: House) -> int:
    return int(house.url.rpartition(":")[2])


@contextlib.contextmanager
def started(place: Path, server: str, workers: int) -> Iterator[Caller]:
    """The house, with so many workers, by `narthex run` or by a server's own command line."""
    if server == "narthex run":
        with narthex_run(None, place, TOML, workers=workers) as house:
            yield Caller(port_of(house))
        return
    extra = [f"--workers={workers}"]
    with serve(
        "counting:house", server, extra=extra, directory=place, env={"PYTHONPATH": str(place)}, ready="/pid/x"
    ) as one:
        yield Caller(one.port)


@pytest.mark.parametrize(
    "server",
    sampled(
        ["narthex run", "uvicorn", "hypercorn", "granian", "gunicorn"],
        lambda server: server in {"narthex run", "gunicorn"},
    ),
)
def test_whichever_worker_is_asked_the_figures_are_those_of_all(place: Path, server: str) -> None:
    with started(place, server, 2) as caller:
        before = counted(caller.until("narthex_processes", 2))
        _, asked = caller.ask_all(2)
        caller.until("shop_asked_total", before + asked)  # a request is counted a moment after its answer has left
        caller.settle(before + asked)
        for _ in range(20):
            told = caller.scrape()
            assert counted(told) == before + asked
            assert told["shop_asked_total",] == before + asked
            assert told["narthex_processes",] == 2


def test_a_worker_killed_under_load_takes_its_gauges_with_it_and_no_count(place: Path) -> None:
    """Four workers, one killed with -9: what each had answered is still counted, and totals never fall."""
    with narthex_run(None, place, TOML, workers=4) as house:
        caller = Caller(port_of(house))
        caller.until("narthex_processes", 4)
        answered, stop = [0] * 4, threading.Event()

        def load(number: int) -> None:
            own = Caller(caller.port)
            while not stop.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):  # those that the kill cuts off
                    own.get("/pid/x")
                    answered[number] += 1

        callers = [threading.Thread(target=load, args=(number,)) for number in range(4)]
        for one in callers:
            one.start()
        try:
            time.sleep(1)
            killed = min(house.workers())
            house.send(signal.SIGSTOP)  # or another worker may have taken its place before anybody looks
            os.kill(killed, signal.SIGKILL)
            house.until(lambda: not is_alive(killed))
            seen = [counted(caller.scrape())]
            gone = caller.scrape()["narthex_processes",]
            house.send(signal.SIGCONT)
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                seen.append(counted(caller.scrape()))
        finally:
            stop.set()
            for one in callers:
                one.join()
        assert gone == 3
        assert seen == sorted(seen)
        assert seen[-1] > seen[0]
        caller.until("narthex_processes", 4)
        # What the killed one had under way, four at most, may have been counted and not answered or the reverse.
        house.until(lambda: abs(counted(caller.scrape()) - sum(answered)) <= 4)
        (run,) = (place / "figures" / f"narthex-{os.geteuid()}").iterdir()
        assert len(list(run.glob("*.names"))) == 4


def test_workers_that_come_and_go_leave_no_files(place: Path) -> None:
    with narthex_run(None, place, TOML, workers=2) as house:
        caller = Caller(port_of(house))
        asked = 0
        for _ in range(3):
            caller.until("narthex_processes", 2)
            pids, more = caller.ask_all(2)
            asked += more
            caller.until("shop_asked_total", asked)
            house.send(signal.SIGSTOP)
            os.kill(min(pids), signal.SIGKILL)
            caller.until("narthex_processes", 1)
            house.send(signal.SIGCONT)
        assert counted(caller.until("narthex_processes", 2)) == asked
        (run,) = (place / "figures" / f"narthex-{os.geteuid()}").iterdir()
        assert len(list(run.iterdir())) == 4 + 2 * 2


def test_a_restart_begins_at_nothing_and_clears_away_what_was(place: Path) -> None:
    for _ in range(2):
        with narthex_run(None, place, TOML, workers=2) as house:
            caller = Caller(port_of(house))
            assert counted(caller.until("narthex_processes", 2)) == 0
            caller.ask_all(2)
            (run,) = (place / "figures" / f"narthex-{os.geteuid()}").iterdir()
        assert run.exists()  # the workers cannot know that they were the last


def test_two_servers_on_two_ports_do_not_count_for_each_other(place: Path) -> None:
    with started(place, "uvicorn", 1) as one, started(place, "uvicorn", 1) as other:
        one.ask_all(1)
        assert counted(one.scrape()) >= 1
        assert counted(other.scrape()) <= 1  # the one that waited for it to be ready
        assert other.scrape()["narthex_processes",] == 1
