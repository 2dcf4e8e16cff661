"""`narthex reload` asks every process of the file, whatever becomes of one of them meanwhile."""

import asyncio
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from narthex.serve import control
from narthex.serve.control import Order
from narthex.serve.following import Outcome
from narthex.serve.line import dump


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the sockets are: near the root, since the name of a socket has 107 bytes at most."""
    with TemporaryDirectory(prefix="nx-") as near:
        monkeypatch.setenv("XDG_RUNTIME_DIR", near)
        yield control._directory()


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


async def fine(_order: Order) -> Outcome:
    return Outcome(digest="0123456789abcdef")


ORDERS = {"reload": fine}


def said_to(config: Path, text: bytes) -> bytes:
    """What a process answers to a line."""

    async def main() -> bytes:
        async with control.control(config, ORDERS):
            (path,) = control._directory().glob("*.sock")
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(text)
            answer = await reader.read()
            writer.close()
            return answer

    return asyncio.run(main())


def test_only_the_order_to_reload_is_obeyed(directory: Path, tmp_path: Path) -> None:
    config = tmp_path / "narthex.toml"
    assert json.loads(said_to(config, b'{"do": "reload"}\n'))["digest"] == "0123456789abcdef"
    assert json.loads(said_to(config, b'{"do": "stop"}\n'))["refused"] == "unknown order"
    assert said_to(config, b"reload\n") == b""
    assert not directory.exists()  # nor does anything stay behind


def test_a_caller_that_says_nothing_is_not_waited_for(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_HEARD", 0.05)
    assert (directory.exists(), said_to(tmp_path / "narthex.toml", b'{"do"')) == (True, b"")


def test_what_a_killed_process_left_is_no_hindrance(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "narthex.toml"
    monkeypatch.setattr("os.getpid", lambda: 7)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(directory / f"{control._name(config)}-7.sock"))
    assert said_to(config, b'{"do": "reload"}\n')


def test_a_directory_that_others_could_use_is_not_used(directory: Path, tmp_path: Path) -> None:
    directory.chmod(0o750)
    with pytest.raises(PermissionError, match="is not a directory of ours alone"):
        control.ask_all(tmp_path / "narthex.toml")
    directory.rename(tmp_path / "theirs").chmod(0o700)
    directory.symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError, match="is not a directory of ours alone"):
        control.ask_all(tmp_path / "narthex.toml")


def test_without_a_directory_the_house_serves_and_says_what_can_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))

    async def main() -> bool:
        async with control.control(tmp_path / "narthex.toml", ORDERS):
            return True

    assert asyncio.run(main())
    assert "`narthex reload` cannot reach this process" in capsys.readouterr().err


def replace_by_a_file(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.write_text("a file")


def test_a_directory_that_was_taken_away_meanwhile_keeps_nobody_from_ending(directory: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with control.control(tmp_path / "narthex.toml", ORDERS):
            replace_by_a_file(directory)

    asyncio.run(main())
    assert directory.read_text() == "a file"
