"""Chromium without a window, driven by its DevTools protocol: `with Browser(directory) as browser: ...`.

Only what tests of pages need: open one, run a line of script in it, wait until something is true.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from websockets.sync.client import ClientConnection, connect

from tests.wire.narthex_run import LIMIT

_LISTENING: Final = re.compile(r"DevTools listening on ws://([\d.:]+)/")
_ARGUMENTS: Final = (
    *("--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-extensions", "--disable-sync", "--no-sandbox"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # a test asks nobody else
)


def chromium() -> str | None:
    """Where the browser is; tests that need it fail without under TEST_REQUIRE_SERVICES=1, and skip otherwise."""
    found = shutil.which("chromium")
    return "chromium" if found is None and os.environ.get("TEST_REQUIRE_SERVICES") == "1" else found


class Browser:
    """One page.

    Args:
        directory: an empty one, for its profile and what it writes to its standard error.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)
        self._faults: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._page: ClientConnection | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        log = self._directory / "chromium.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [
                    chromium() or "chromium",
                    *_ARGUMENTS,
                    f"--user-data-dir={self._directory / 'profile'}",
                    "about:blank",
                ],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            self._page = self._open.enter_context(connect(self._address(log), max_size=None, open_timeout=LIMIT))
            for domain in ("Page", "Runtime", "Log"):
                self._call(f"{domain}.enable")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def open(self, url: str) -> None:
        """Go there."""
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression in the page.

        Raises:
            AssertionError: it threw.
        """
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true, also across a page that is only loading."""
        deadline = time.monotonic() + LIMIT
        while True:
            answer = self._call("Runtime.evaluate", expression=f"!!({script})", returnByValue=True)
            ready = self._call("Runtime.evaluate", expression="document.readyState", returnByValue=True)
            if answer["result"].get("value") is True and ready["result"].get("value") == "complete":
                return
            assert time.monotonic() < deadline, (
                script,
                self.run("document.title"),
                self.run("document.body.innerText"),
            )
            time.sleep(0.02)

    def faults(self) -> list[str]:
        """Errors in the browser's console so far: a script that threw, a file that did not come."""
        self._call("Runtime.evaluate", expression="0")
        return self._faults

    def _address(self, log: Path) -> str:
        deadline = time.monotonic() + LIMIT
        while (found := _LISTENING.search(log.read_text(errors="replace"))) is None:
            assert self._process is not None
            assert self._process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.02)
        while True:
            with urllib.request.urlopen(f"http://{found[1]}/json/list", timeout=LIMIT) as answer:
                pages = [one for one in json.load(answer) if one["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _call(self, method: str, **parameters: object) -> Any:
        assert self._page is not None
        number = next(self._numbers)
        self._page.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._page.recv(timeout=LIMIT))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") == "Runtime.exceptionThrown":
                self._faults.append(str(message["params"]["exceptionDetails"]))
            elif message.get("method") == "Log.entryAdded":
                entry = message["params"]["entry"]
                if entry["level"] == "error" and not entry.get("url", "").endswith("/favicon.ico"):  # asked unasked
                    self._faults.append(str(entry))

    def _end(self) -> None:
        self._open.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
