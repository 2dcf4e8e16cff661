"""Workers that gunicorn forks, from an app that was imported before the fork and after it: all of them agree."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.auth.site import PASSWORD
from tests.wire.servers import Server, serve

AUTH = {"issuer": "https://shop.example", "overlap": "1s", "passwords": {"memory": 8192, "passes": 1, "lanes": 1}}
TOML = """
[narthex]
store = "{store}"
secret_key = {{ env = "SHOP_SECRET" }}
[plugins.auth]
issuer = "https://shop.example"
overlap = "1s"
passwords = {{ memory = 8192, passes = 1, lanes = 1 }}
"""
SECRET = "0123456789abcdef" * 4


def call(server: Server, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
    """Status and JSON, on a connection of its own, so that either worker may answer."""
    headers = {"connection": "close", "content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "waited 60 s in vain"
        time.sleep(0.05)


def narthex(directory: Path, *arguments: str, text: str = "") -> None:
    command = [sys.executable, "-P", "-m", "narthex", *arguments, "--config", str(directory / "narthex.toml")]
    environ = {"SHOP_SECRET": SECRET, "PATH": ""}
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False, env=environ)
    assert done.returncode == 0, done.stderr


def everybody(server: Server, token: str) -> set[int]:
    """Ask until both workers have answered the bearer; their pids."""
    pids: set[int] = set()

    def both() -> bool:
        status, told = call(server, "/", token=token)
        assert status == 200, told
        pids.add(told["pid"])
        return len(pids) == 2

    until(both)
    return pids


def kids(server: Server) -> list[str]:
    return [key["kid"] for key in call(server, "/.well-known/jwks.json")[1]["keys"]]


def kid(token: str) -> str:
    head = token.partition(".")[0]
    found: str = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return found


def login(server: Server) -> dict[str, Any]:
    status, tokens = call(server, "/_narthex/auth/login", {"username": "alice", "password": PASSWORD})
    assert status == 200, tokens
    return dict(tokens)


@pytest.mark.parametrize(
    "extra", [pytest.param((), id="plain", marks=pytest.mark.slow), pytest.param(("--preload",), id="preload")]
)
def test_forked_workers_agree_on_keys_sessions_and_refresh_tokens(
    extra: tuple[str, ...], store_url: str, tmp_path: Path
) -> None:
    config = {"narthex": {"store": store_url, "secret_key": {"env": "SHOP_SECRET"}}, "plugins": {"auth": AUTH}}
    diary = tmp_path / "diary.txt"
    env = {
        "BOOT_GUEST": "tidy", "BOOT_CONFIG": json.dumps(config), "BOOT_DIARY": str(diary), "SHOP_SECRET": SECRET,
    }  # fmt: skip
    (tmp_path / "narthex.toml").write_text(TOML.format(store=store_url))
    with serve("tests.wire.boot_site:app", "gunicorn", env=env, extra=["--workers=2", *extra], ready="/") as server:
        until(lambda: call(server, "/.well-known/jwks.json")[0] == 200)
        assert {tuple(kids(server)) for _ in range(10)} == {tuple(kids(server))}  # one key, and the same in both
        assert len(kids(server)) == 1
        narthex(tmp_path, "users", "add", "alice", "--password-stdin", text=PASSWORD)

        first = login(server)
        workers = everybody(server, first["access_token"])
        status, second = call(server, "/_narthex/auth/refresh", {"refresh_token": first["refresh_token"]})
        assert status == 200, second
        assert everybody(server, second["access_token"]) == workers
        again = [call(server, "/_narthex/auth/refresh", {"refresh_token": first["refresh_token"]}) for _ in range(4)]
        assert {(status, told["error"]) for status, told in again} == {(400, "invalid_grant")}
        later = [call(server, "/_narthex/auth/refresh", {"refresh_token": second["refresh_token"]}) for _ in range(4)]
        assert {status for status, _ in later} == {400}  # its family is over, whichever worker is asked

        narthex(tmp_path, "keys", "rotate")
        tokens: list[str] = []
        until(lambda: tokens.append(login(server)["access_token"]) or kid(tokens[-1]) != kid(first["access_token"]))  # type: ignore[func-returns-value]
        for token in (first["access_token"], tokens[-1]):
            assert everybody(server, token) == workers
        assert {frozenset(kids(server)) for _ in range(10)} == {
            frozenset(map(kid, (first["access_token"], tokens[-1])))
        }
    assert "a thread was made on import" not in diary.read_text()
