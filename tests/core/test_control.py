"""`narthex reload` asks every process of the file, whatever becomes of one of them meanwhile."""

import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from narthex.serve import control
from narthex.serve.following import Outcome
from narthex.serve.line import dump


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sockets are."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return control._directory()


def stand_in(held: ExitStack, path: Path, answer: bytes | None) -> None:
    """A process behind a socket; without an answer it ends in the middle of one, with the order unread."""
    server = held.enter_context(socket.socket(socket.AF_UNIX))
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        line, _ = server.accept()
        with line:
            if answer is None:
                line.sendall(b'{"dig')
            else:
                line.makefile("rb").readline()
                line.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    held.callback(thread.join)


def test_one_process_that_ends_does_not_keep_the_others_from_being_asked(directory: Path, tmp_path: Path) -> None:
    config = tmp_path / "narthex.toml"
    name = control._name(config)
    gone = directory / f"{name}-1.sock"
    gone.symlink_to(directory / "nothing")
    with ExitStack() as held:
        stand_in(held, directory / f"{name}-2.sock", None)
        stand_in(held, directory / f"{name}-3.sock", dump({"digest": "0123456789abcdef"}))
        answers = control.ask_all(config)
    assert answers == {2: Outcome(refused="it ended meanwhile", exit=1), 3: Outcome(digest="0123456789abcdef")}
    assert not gone.is_symlink()


def test_one_process_that_hangs_does_not_either(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "narthex.toml"
    monkeypatch.setattr(control, "_PATIENCE", 0.2)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(directory / f"{control._name(config)}-1.sock"))
        hung.listen()
        answers = control.ask_all(config)
    assert answers == {1: Outcome(refused="no answer within 0.2 s", exit=1)}
