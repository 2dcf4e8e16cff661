"""Signals, deaths and the end, on every server and worker count."""

import contextlib
import os
import pty
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.slow import sampled
from tests.wire.narthex_run import APPS, SERVERS, House, begin, is_alive, narthex_run

HOUSES = [(server, workers) for server in SERVERS for workers in (1, 2)]
each_house = pytest.mark.parametrize(
    ("server", "workers"), sampled(HOUSES, {("uvicorn", 1), ("granian", 2)}.__contains__)
)
SHORT = '[narthex]\ndrain = "1s"\n'


@contextlib.contextmanager
def open_stream(house: House, path: str = "/stream") -> Generator[None]:
    """Hold a response open that does not end by itself."""
    begun = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError, HTTPException):
            response = urllib.request.urlopen(house.url + path, timeout=30)
            with response:
                while response.read(1):
                    begun.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert begun.wait(10)
    yield
    reader.join(10)


def cpu_seconds(pid: int) -> float:
    """What the process has used so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@each_house
def test_sigterm_lets_a_request_end_refuses_new_ones_and_exits_0(server: str, workers: int, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, server=server, workers=workers) as house, ThreadPoolExecutor() as pool:
        slow = pool.submit(house.get, "/slow")
        time.sleep(0.4)
        house.send(signal.SIGTERM)
        time.sleep(0.4)
        with pytest.raises(OSError, match="refused"):
            house.get()
        assert slow.result(10).isdigit()
        assert house.wait() == 0
        assert house.stderr.count("the app was shut down") == workers


@each_house
def test_a_stream_open_longer_than_drain_is_cut_and_the_app_shut_down(
    server: str, workers: int, tmp_path: Path
) -> None:
    with narthex_run("shop:app", tmp_path, SHORT, server=server, workers=workers) as house, open_stream(house):
        begun = time.monotonic()
        house.send(signal.SIGTERM)
        assert house.wait() == 0
        assert 0.9 < time.monotonic() - begun < 6
        assert house.stderr.count("the app was shut down") == workers


@each_house
def test_a_second_interrupt_does_not_wait(server: str, workers: int, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, server=server, workers=workers) as house, open_stream(house):
        house.send(signal.SIGINT)
        time.sleep(0.5)
        begun = time.monotonic()
        house.send(signal.SIGINT)
        assert house.wait() == 1
        assert time.monotonic() - begun < 5


@each_house
def test_a_stop_while_the_app_starts_exits_0_at_once(server: str, workers: int, tmp_path: Path) -> None:
    house = begin("shop:hanging", tmp_path, server=server, workers=workers)
    house.until(lambda: "the app is starting" in house.stderr)
    house.send(signal.SIGTERM)
    assert house.wait() == 0
    assert "Traceback" not in house.stderr


@each_house
def test_sighup_reaches_no_server(server: str, workers: int, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, server=server, workers=workers) as house:
        before = house.workers()
        house.send(signal.SIGHUP)
        house.until(lambda: "narthex: reloaded: no plugin has changed" in house.stderr)
        time.sleep(0.3)
        assert house.workers() == before
        assert house.get().isdigit()


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server == "granian"))
def test_every_worker_receives_connections(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, server=server, workers=2) as house:
        answering = {int(house.get()) for _ in range(200)}
        assert answering == house.workers()


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server == "uvicorn"))
def test_a_killed_worker_is_reaped_and_replaced_while_the_other_serves(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, server=server, workers=2) as house:
        killed, other = house.workers()
        os.kill(killed, signal.SIGKILL)
        house.until(lambda: killed not in house.workers())
        assert int(house.get()) == other
        house.until(lambda: len(house.workers()) == 2)
        house.until(lambda: int(house.get()) not in (killed, other))
        house.send(signal.SIGTERM)
        assert house.wait() == 0


@pytest.mark.parametrize("server", SERVERS)
def test_no_worker_outlives_a_killed_parent(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, SHORT, server=server, workers=2) as house:
        workers = house.workers()
        assert len(workers) == 2
        house.process.kill()
        house.until(lambda: not any(is_alive(worker) for worker in workers))
        assert house.wait() == -signal.SIGKILL


def test_a_worker_without_a_parent_drains_without_spinning(tmp_path: Path) -> None:
    drain = '[narthex]\ndrain = "4s"\n'
    with narthex_run("shop:app", tmp_path, drain, workers=2) as house, open_stream(house):
        workers = house.workers()
        house.process.kill()
        house.until(lambda: sum(map(is_alive, workers)) == 1)
        (draining,) = filter(is_alive, workers)
        before = cpu_seconds(draining)
        time.sleep(1)
        assert cpu_seconds(draining) - before < 0.15


def test_a_replacement_that_cannot_start_leaves_the_others_serving(tmp_path: Path) -> None:
    with narthex_run("shop:once", tmp_path, workers=2) as house:
        killed, other = house.workers()
        (tmp_path / "mark").touch()
        os.kill(killed, signal.SIGKILL)
        house.until(lambda: house.stderr.count("started again in") >= 2)
        assert int(house.get()) == other
        (tmp_path / "mark").unlink()
        house.until(lambda: int(house.get()) not in (killed, other))


def test_a_worker_that_cannot_even_be_forked_is_tried_again_while_the_others_serve(tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, workers=3) as house:
        killed, *others = house.workers()
        parent = house.process.pid
        limits = resource.prlimit(parent, resource.RLIMIT_NOFILE)
        resource.prlimit(parent, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(killed, signal.SIGKILL)
        house.until(lambda: house.stderr.count("Too many open files; tried again in") >= 2)
        assert int(house.get()) in others
        resource.prlimit(parent, resource.RLIMIT_NOFILE, limits)
        house.until(lambda: len(house.workers()) == 3)
        house.send(signal.SIGTERM)
        assert house.wait() == 0


def test_when_the_last_worker_cannot_be_replaced_the_exit_code_is_3(tmp_path: Path) -> None:
    with narthex_run("shop:once", tmp_path, workers=2) as house:
        (tmp_path / "mark").touch()
        for worker in house.workers():
            os.kill(worker, signal.SIGKILL)
        assert house.wait() == 3


@pytest.mark.parametrize(("workers", "code"), [(1, -signal.SIGALRM), (2, 1)])
def test_a_blocked_event_loop_cannot_hold_up_the_end(workers: int, code: int, tmp_path: Path) -> None:
    with narthex_run("shop:deaf", tmp_path, SHORT, workers=workers) as house, open_stream(house):
        house.until(lambda: "deaf" in house.stderr)
        house.send(signal.SIGTERM)
        assert house.wait() == code


def ended(pid: int) -> int:
    """The exit code of a child of ours; it is killed if it does not end."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_closed_terminal_ends_the_house(tmp_path: Path) -> None:
    (tmp_path / "narthex.toml").touch()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(APPS)
        run = ["run", "shop:app", "--port=0", f"--config={tmp_path}/narthex.toml"]
        os.execv(sys.executable, [sys.executable, "-P", "-m", "narthex", *run])  # noqa: S606  no shell is wanted
    said = b""
    while b"narthex: serving" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    assert ended(pid) == 0


def test_the_terminals_interrupt_is_counted_once(tmp_path: Path) -> None:
    """Ctrl-C goes to the parent and to every worker; together with the parent's order that must not be two."""
    (tmp_path / "narthex.toml").touch()
    command = [sys.executable, "-P", "-m", "narthex", "run", "shop:app", "--port=0", "--workers=2"]
    house = House(
        subprocess.Popen(
            [*command, f"--config={tmp_path}/narthex.toml"],
            cwd=APPS,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    house.until(house.serving)
    house.workers()
    os.killpg(house.process.pid, signal.SIGINT)
    assert house.wait() == 0
    assert house.stderr.count("the app was shut down") == 2
    assert "Traceback" not in house.stderr
