"""Doing what a page of the documentation says, from top to bottom, in an empty directory.

What stands behind the language of a fenced block says what is done with it; readers of the page do not see that.

    title="name"   the block is written to that file
    sh             is run, and has to end well
    sh serve       is run beside what follows, until the page ends
    sh install     is left to the reader
    text           what the block before it prints, "..." standing for anything
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<what>[^\n]*))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([\w./-]+)"')
PATIENCE = 30.0
"""Seconds for a command, or for a server to say what it should."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what is to be done with it, and what is in it."""

    language: str
    what: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(found["language"], found["what"] or "", found["text"]) for found in _BLOCK.finditer(page)]


def walk(page: str, directory: Path) -> int:
    """Follow a page, and count the commands of it that were run.

    Raises:
        AssertionError: a command failed, or did not print what the page says.
    """
    output = directory / "empty"
    output.touch()
    script, count = "", 0
    with ExitStack() as servers:
        for number, block in enumerate(blocks(page)):
            title = _TITLE.fullmatch(block.what)
            if title is not None:
                (directory / title[1]).write_text(block.text)
            elif block.language == "text":
                _look_again(block.text, script, directory, output)
                _expect(block.text, output)
            elif block.language == "sh" and block.what != "install":
                output, script, count = directory / f"output-{number}", block.text, count + 1
                if block.what == "serve":
                    servers.enter_context(_serving(script, directory, output))
                else:
                    _run(script, directory, output)
    return count


def _start(script: str, directory: Path, output: Path) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with output.open("wb") as file:
        return subprocess.Popen(
            ["bash", "-euc", script],
            cwd=directory,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _run(script: str, directory: Path, output: Path) -> None:
    process = _start(script, directory, output)
    try:
        code = process.wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert code == 0, f"{script}ended with {code}:\n{output.read_text()}"


@contextmanager
def _serving(script: str, directory: Path, output: Path) -> Iterator[None]:
    process = _start(script, directory, output)
    try:
        _wait_for("http://", output)
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _look_again(text: str, script: str, directory: Path, output: Path) -> None:
    """Repeat a look at the end of a log until it shows what it should: its lines come a moment after the answer."""
    deadline = time.monotonic() + PATIENCE
    while script.startswith("tail ") and not _shows(text, output) and time.monotonic() < deadline:
        time.sleep(0.05)
        _run(script, directory, output)


def _expect(text: str, output: Path) -> None:
    assert _shows(text, output), f"not {text}but:\n{output.read_text()}"


def _shows(text: str, output: Path) -> bool:
    pattern = ".*?".join(re.escape(part) for part in text.strip().split("..."))
    return re.search(pattern, output.read_text(), re.DOTALL) is not None


def _wait_for(words: str, output: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while words not in output.read_text():
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.05)
