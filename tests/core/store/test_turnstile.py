"""The fair lock: one inside, one in the doorway, and nobody overtakes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from narthex.store.turnstile import Turnstile

HOLDER = """
import sys
from pathlib import Path
from narthex.store.turnstile import Turnstile
with Turnstile(Path(sys.argv[1])).passing():
    print("inside", flush=True)
    sys.stdin.read()
"""


def test_one_is_inside_at_a_time(tmp_path: Path) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        turnstile = Turnstile(tmp_path / "db")
        for _ in range(20):
            with turnstile.passing():
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0005)
                with lock:
                    inside -= 1
        turnstile.close()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1


def test_who_comes_out_does_not_overtake_who_waits(tmp_path: Path) -> None:
    order: list[str] = []
    first, second = Turnstile(tmp_path / "db"), Turnstile(tmp_path / "db")

    def wait() -> None:
        with second.passing():
            order.append("second")

    for _ in range(20):
        order.clear()
        with first.passing():
            waiting = threading.Thread(target=wait)
            waiting.start()
            time.sleep(0.01)
            order.append("first")
        with first.passing():
            order.append("first again")
        waiting.join(10)
        assert order == ["first", "second", "first again"]
    first.close()
    second.close()


def test_a_process_that_is_killed_gives_the_lock_up(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        threading.Timer(0.1, process.send_signal, [signal.SIGKILL]).start()
        turnstile, begun = Turnstile(tmp_path / "db"), time.monotonic()
        with turnstile.passing():
            assert 0.05 < time.monotonic() - begun < 10
        turnstile.close()


FORKER = """
import os, signal, sys, time
from pathlib import Path
from narthex.store.turnstile import Turnstile
turnstile = Turnstile(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
with turnstile.passing():
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_child_that_outlives_a_process_killed_inside_keeps_nobody_out(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKER, str(tmp_path / "db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.wait(10)
        try:
            passed = threading.Thread(target=pass_once, args=[tmp_path / "db"], daemon=True)
            passed.start()
            passed.join(10)
            assert not passed.is_alive()
            assert Path(f"/proc/{child}").exists()
        finally:
            os.kill(child, signal.SIGKILL)


def pass_once(database: Path) -> None:
    turnstile = Turnstile(database)
    with turnstile.passing():
        pass
    turnstile.close()


def test_in_a_child_nobody_passes_and_nothing_else_is_closed(tmp_path: Path) -> None:
    turnstile = Turnstile(tmp_path / "db")
    turnstile.give_back()
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)  # has one of its numbers now
    with pytest.raises(ValueError, match="negative"), turnstile.passing():
        raise AssertionError
    turnstile.close()
    os.close(other)


def test_an_exception_inside_gives_the_lock_up(tmp_path: Path) -> None:
    first, second = Turnstile(tmp_path / "db"), Turnstile(tmp_path / "db")
    with pytest.raises(ValueError, match="inside"), first.passing():
        raise ValueError("inside")
    with second.passing():
        pass
    first.close()
    second.close()


def test_its_files_are_nobody_elses_to_read(tmp_path: Path) -> None:
    Turnstile(tmp_path / "db").close()
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "db-next": 0o600,
        "db-now": 0o600,
    }
