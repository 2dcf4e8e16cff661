import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from narthex_plugins.logging.output import Output
from narthex_plugins.logging.sink import MOST_BYTES, PATIENCE, Sink

Make = Callable[..., Sink]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def make(path: Path) -> Iterator[Make]:
    made: list[Sink] = []

    def make(limit: int = 100, target: Path = path) -> Sink:
        made.append(Sink(Output(target), limit, lambda count: b"%d dropped\n" % count, lambda count: None))
        return made[-1]

    yield make
    for sink in made:
        sink.stop()


def writers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "narthex-log"]


def eventually(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + 5
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.005)
    return condition()


def test_there_is_no_thread_before_start_and_none_after_stop(make: Make) -> None:
    sink = make()
    assert not writers()
    sink.start("log")
    assert [thread.name for thread in writers()] == ["narthex-log"]
    sink.stop()
    assert not writers()


def test_lines_are_written_in_order_without_anyone_asking(make: Make, path: Path) -> None:
    sink = make()
    sink.start("log")
    for number in range(50):
        sink.put(b"%d\n" % number)
    assert eventually(lambda: path.read_bytes() == b"".join(b"%d\n" % number for number in range(50)))


def test_stop_writes_what_waits(make: Make, path: Path) -> None:
    sink = make(limit=10_000)
    sink.start("log")
    for _ in range(10_000):
        sink.put(b"line\n")
    sink.stop()
    assert path.read_bytes() == b"line\n" * 10_000


def test_without_the_thread_a_line_is_written_at_once(make: Make, path: Path) -> None:
    sink = make()
    sink.put(b"before\n")
    sink.start("log")
    sink.stop()
    sink.put(b"after\n")
    assert path.read_bytes() == b"before\nafter\n"


def test_a_full_queue_drops_counts_and_says_so(make: Make, path: Path) -> None:
    sink = make(limit=10)
    sink.start("log")
    for _ in range(100):
        sink.put(b"line\n")
    dropped = sink.dropped
    assert dropped > 0
    sink.stop()
    assert path.read_bytes().count(b"line\n") == 100 - dropped
    assert b"%d dropped\n" % dropped in path.read_bytes()


def test_every_line_of_many_threads_is_written_or_counted(make: Make, path: Path) -> None:
    sink = make(limit=500)
    sink.start("log")

    def put() -> None:
        for _ in range(2_000):
            sink.put(b"line\n")

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.stop()
    lines = path.read_bytes().split(b"\n")[:-1]
    reported = sum(int(line.split()[0]) for line in lines if line.endswith(b"dropped"))
    assert lines.count(b"line") + reported == 8_000


def test_an_output_that_fails_loses_lines_and_recovers(make: Make, path: Path) -> None:
    path.symlink_to("/dev/full")
    sink = make()
    sink.start("log")
    sink.put(b"lost\n")
    assert eventually(lambda: sink.failing)
    path.unlink()
    sink._output._looked = 0.0
    sink.put(b"kept\n")
    assert eventually(lambda: not sink.failing)
    assert path.read_bytes() == b"1 dropped\nkept\n"


def test_a_reader_that_takes_nothing_holds_up_neither_put_nor_stop(make: Make, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    sink = make(limit=1_000, target=fifo)
    sink.start("log")
    began = time.monotonic()
    for _ in range(5_000):
        sink.put(b"x" * 99 + b"\n")
    assert time.monotonic() - began < 1
    sink.stop()
    assert time.monotonic() - began < PATIENCE + 2
    assert sink.dropped > 3_000
    os.close(reading)  # lets the thread go


def test_long_lines_are_bounded_by_their_bytes(make: Make, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    sink = make(limit=10_000, target=fifo)
    sink.start("log")
    for _ in range(1_000):
        sink.put(b"x" * 43_999 + b"\n")
    waiting = 1_000 - sink.dropped
    assert 0 <= waiting * 44_000 - MOST_BYTES < 4 * 44_000
    os.set_blocking(reading, True)
    received = 0
    while received < waiting * 44_000:
        received += len(os.read(reading, MOST_BYTES))
    assert eventually(lambda: sink._bytes == 0)
    os.close(reading)


def test_a_forked_child_writes_at_once_and_repeats_nothing(make: Make, path: Path) -> None:
    sink = make()
    sink.start("log")
    sink.put(b"parent\n")
    child = os.fork()
    if child == 0:
        sink.put(b"child\n")
        os._exit(0)
    os.waitpid(child, 0)
    sink.stop()
    assert sorted(path.read_bytes().split()) == [b"child", b"parent"]


def test_a_process_that_just_ends_has_written_its_lines(path: Path) -> None:
    program = f"""
from pathlib import Path
from narthex_plugins.logging.output import Output
from narthex_plugins.logging.sink import Sink
sink = Sink(Output(Path({str(path)!r})), 100, lambda count: b"", lambda count: None)
sink.start("log")
sink.put(b"last words\\n")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert path.read_bytes() == b"last words\n"


def test_closed_standard_output_neither_crashes_nor_spins() -> None:
    program = """
import os, sys, time, resource
from narthex_plugins.logging.output import Output
from narthex_plugins.logging.sink import Sink
sink = Sink(Output("stdout"), 100, lambda count: b"", lambda count: None)
sink.start("log")
os.close(1)
for _ in range(50):
    sink.put(b"line\\n")
    time.sleep(0.01)
sink.stop()
print(sink.dropped, sink.failing, file=sys.stderr)
os.dup2(2, 1)
"""
    began = os.times().children_user
    done = subprocess.run([sys.executable, "-c", program], check=True, timeout=30, capture_output=True)
    assert done.stderr == b"50 True\n"
    assert os.times().children_user - began < 5


def test_a_line_logged_in_the_middle_of_a_line_is_no_deadlock(make: Make, path: Path) -> None:
    """A signal handler that logs: run between any two bytecodes of `put`."""
    program = f"""
import signal, time
from pathlib import Path
from narthex_plugins.logging.output import Output
from narthex_plugins.logging.sink import Sink
sink = Sink(Output(Path({str(path)!r})), 5, lambda count: b"", lambda count: None)
sink.start("log")
signal.signal(signal.SIGALRM, lambda *_: sink.put(b"signal\\n"))
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
end = time.monotonic() + 0.5
while time.monotonic() < end:
    sink.put(b"line\\n")
signal.setitimer(signal.ITIMER_REAL, 0)
sink.stop()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert path.read_text().startswith("line\n")
