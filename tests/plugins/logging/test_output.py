import fcntl
import os
import select
import threading
import time
from pathlib import Path

import pytest

from narthex_plugins.logging.output import Output, Target


def output(target: Target) -> Output:
    made = Output(target)
    made.open()
    return made


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> tuple[int, Output]:
    """The reading end of a pipe, and an Output that writes to the other without blocking."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    monkeypatch.setitem(Output.__init__.__globals__["_DESCRIPTORS"], "stdout", writing)
    return reading, output("stdout")


def test_lines_are_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    assert output(path).write([b"one\n", b"two\n"]) == 2
    assert path.read_bytes() == b"old\none\ntwo\n"


def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written = output(path)
    written.write([b"one\n"])
    path.rename(tmp_path / "log.1")
    written._looked = 0.0
    written.write([b"two\n"])
    assert ((tmp_path / "log.1").read_bytes(), path.read_bytes()) == (b"one\n", b"two\n")


def test_a_slow_reader_is_waited_for(pipe: tuple[int, Output]) -> None:
    reading, out = pipe
    lines = [b"%06d" % number + b"x" * 90 + b"\n" for number in range(5_000)]
    got = bytearray()

    def read() -> None:
        while len(got) < 97 * 5_000:
            got.extend(os.read(reading, 50_000))
            time.sleep(0.001)

    thread = threading.Thread(target=read)
    thread.start()
    assert out.write(lines) == 5_000
    thread.join(10)
    assert bytes(got) == b"".join(lines)


def test_a_reader_that_takes_nothing_is_given_up(pipe: tuple[int, Output]) -> None:
    _, out = pipe
    out.give_up_at = time.monotonic() + 0.2
    written = out.write([b"x" * 999 + b"\n"] * 200)
    assert 0 < written < 200
    assert time.monotonic() < out.give_up_at + 0.5


def test_a_reader_that_has_gone_is_no_error(pipe: tuple[int, Output]) -> None:
    reading, out = pipe
    os.close(reading)
    assert out.write([b"one\n"]) == 0


def test_lines_go_into_a_pipe_in_pieces_that_stay_whole(pipe: tuple[int, Output]) -> None:
    _, out = pipe
    pieces = list(out._pieces([b"x" * 999 + b"\n"] * 10))
    assert [count for count, _ in pieces] == [4, 4, 2]
    assert max(len(piece) for _, piece in pieces) <= select.PIPE_BUF


def test_a_torn_line_spoils_no_other(pipe: tuple[int, Output]) -> None:
    reading, out = pipe
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)
    out.give_up_at = 0.0
    assert out.write([b"x" * 6_000 + b"\n"]) == 0
    os.read(reading, 9_000)
    assert out.write([b"next\n"]) == 1
    assert os.read(reading, 100) == b"\nnext\n"


def test_a_full_disk_is_no_error() -> None:
    assert output(Path("/dev/full")).write([b"one\n"]) == 0


def test_a_stream_closed_before_we_came_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.__stdout__", None)
    with pytest.raises(OSError, match="before this process began"):
        output("stdout")
