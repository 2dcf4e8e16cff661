"""Files made to hurt a scanner. What is quadratic here ends at the time limit of tests."""

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from narthex.detectors.kinds import KINDS, Searcher
from narthex_contrib.secretscan.files import Item, Skipped, listed, matcher, printable, read
from narthex_contrib.secretscan.settings import ScanSettings
from narthex_contrib.secretscan.workers import look, look_at_files
from tests.contrib.secretscan.forms import secret
from tests.contrib.secretscan.running import CLEAN, NARTHEX
from tests.slow import sampled

SEARCHER = Searcher()
SETTINGS = ScanSettings.model_validate({"max_size": "64MiB"})
TOKEN = secret("github-token", random.Random(29))
_TRAPS = [
    *(
        "a",
        "A1",
        "=",
        "'",
        '"',
        "\\",
        "\\n",
        "-",
        "_",
        ".",
        "/",
        "|",
        "://",
        "://a:",
        "://a:a",
        "eyJ",
        "eyJa.",
        "{",
        "(",
    ),
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "password=", 'password="', "password: ", "<password>", "key: "),
    *("token,", '"token", ', "secret = (", "auth'", "--password ", "value=", "pass(", "Bearer ", "Basic aaaa"),
    *(
        "curl -u ",
        "curl ",
        "mysql -p",
        "machine a login b password ",
        "IDENTIFIED BY ",
        "ghp_",
        "sk-",
        "EAA",
        "\ufffd",
        "İ",
    ),
]
_LENGTH = 30_000


@pytest.mark.parametrize("trap", _TRAPS)
def test_time_grows_with_the_length_and_no_faster(trap: str) -> None:
    assert isinstance(SEARCHER.find(trap * (_LENGTH // len(trap))), list)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_no_keyword_repeated_is_a_trap(kind: object) -> None:
    for word in kind.keywords:  # type: ignore[attr-defined]
        assert isinstance(SEARCHER.find(word * (_LENGTH // len(word)), names=False), list)


@pytest.mark.parametrize("size", sampled([1_000_000, 10_000_000], lambda size: size < 2_000_000))
def test_one_long_line(size: int) -> None:
    line = "var a='" + "x1Y" * (size // 3) + f"';b='{TOKEN}'" + "password='" * 1000
    looked = look("min.js", line.encode(), SETTINGS)
    assert [one.kind for one in looked.findings] == ["github-token"]


def test_bytes_that_are_no_text() -> None:
    data = b"\xff\xfe\xfa\x80" * 1000 + f"\nx = {TOKEN}\n".encode() + b"\xc3\x28"
    assert look("a.txt", b"\x80" + data, SETTINGS).findings[0].line == 2
    assert look("a.txt", b"\x00" + data, SETTINGS).skipped == [("a.txt", Skipped.BINARY)]
    assert look("a.txt", f"x = {TOKEN}\n".encode("utf-16"), SETTINGS).findings[0].line == 1


def test_links_pipes_and_devices_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "self").symlink_to(tmp_path)
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    items = listed([Path()], [])
    looked = look_at_files(items, SETTINGS, tmp_path)
    assert {why for _, why in looked.skipped} == {Skipped.SPECIAL}
    assert read("/dev/zero", 100) is Skipped.SPECIAL


def test_files_that_change_while_they_are_read(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("x" * 1000)
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            file.write_text("y" * random.randint(0, 200_000))
            file.unlink()
            file.write_text("z")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            assert isinstance(read(str(file), 100_000), bytes | Skipped)
    finally:
        ended.set()
        thread.join()


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    looked = look_at_files([Item(str(tmp_path / "gone"), "gone")], SETTINGS, tmp_path)
    assert looked.skipped == [("gone", Skipped.UNREADABLE)]


def test_names_cannot_write_to_the_terminal() -> None:
    assert printable("a\x1b[31m\n\u202eb") == "a\\x1b[31m\\n\\u202eb"


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("vendor/", "vendor/a/b.py", True),
        ("*.py", "a/b.py", True),
        ("*.py", "a/b.pyc", False),
        ("a/*.py", "a/b/c.py", False),
        ("a/**", "a/b/c.py", True),
        ("a/**/c.py", "a/c.py", True),
        ("/a", "b/a", False),
        ("**", "a/b", True),
        ("a.c", "abc", False),
    ],
)
def test_patterns_of_paths(pattern: str, path: str, fits: bool) -> None:
    assert matcher([pattern])(path) is fits


@pytest.mark.slow
def test_ctrl_c_ends_all_processes(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"a{number}.txt").write_text("password='a1 \n" * 20_000)
    process = subprocess.Popen(
        [NARTHEX, "scan", "--jobs", "3"],
        cwd=tmp_path,
        env=CLEAN,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 60
    while not children.read_text().split() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    below = children.read_text().split() if process.poll() is None else []
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    if process.returncode != 0:  # it may have been done a moment before
        assert process.returncode == 130, said
        assert b"Traceback" not in said
    while any(Path(f"/proc/{pid}").exists() for pid in below):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_link_that_is_named_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text(f"a = '{TOKEN}'\n")
    (tmp_path / "link.py").symlink_to("real.py")
    looked = look_at_files(listed([tmp_path / "link.py"], []), SETTINGS, tmp_path)
    assert [Path(one.path).name for one in looked.findings] == ["link.py"]
