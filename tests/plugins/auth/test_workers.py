"""`narthex run` with two workers over the wire: what one of them does, the other knows."""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.auth.site import PASSWORD
from tests.wire.narthex_run import APPS, LIMIT, House, narthex_run

TOML = """
[narthex]
store = "sqlite:///{directory}/narthex.db"
secret_key = {{ file = "secret.key" }}

[plugins.auth]
issuer = "https://shop.example"
overlap = "1s"
passwords = {{ memory = 8192, passes = 1, lanes = 1 }}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("workers")
    (directory / "secret.key").write_text("0123456789abcdef" * 4)
    with narthex_run("shop:app", directory, TOML.format(directory=directory), workers=2) as running:
        assert running.url, running.stderr
        narthex(directory, "users", "add", "alice", "--password-stdin", text=PASSWORD)
        yield running


def narthex(directory: Path, *arguments: str, text: str = "") -> str:
    command = [sys.executable, "-P", "-m", "narthex", *arguments, "--config", str(directory / "narthex.toml")]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False, cwd=APPS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def directory_of(house: House) -> Path:
    arguments = house.process.args
    assert isinstance(arguments, list)
    return Path(next(str(one) for one in arguments if "config=" in str(one)).partition("=")[2]).parent


def call(house: House, path: str, body: dict[str, object] | None = None, **headers: str) -> tuple[int, str, Any]:
    """Status, body, headers; on a connection of its own, so that either worker may answer."""
    data = None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"connection": "close"}
    request = urllib.request.Request(house.url + path, data, {**named, "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as response:
            return response.status, response.read().decode(), response.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode(), refused.headers


def login(house: House, **more: object) -> tuple[dict[str, Any], str]:
    """The body and the cookie."""
    body = {"username": "alice", "password": PASSWORD, **more}
    status, text, headers = call(house, "/_narthex/auth/login", body, sec_fetch_site="same-origin")
    assert status == 200, text
    return json.loads(text), str(headers.get("set-cookie")).partition(";")[0]


def everybody(house: House, **headers: str) -> set[str]:
    """Ask until each worker has answered well, with what they said."""
    answered: set[str] = set()

    def both() -> bool:
        status, text, _ = call(house, "/", None, **headers)
        assert status == 200, text
        answered.add(text)
        return len(answered) == 2

    house.until(both)
    return answered


def test_a_session_of_one_worker_is_good_in_both_and_over_in_both(house: House) -> None:
    for _ in range(3):
        _, cookie = login(house, cookie=True)
        everybody(house, cookie=cookie)
        status, text, _ = call(house, "/_narthex/auth/logout", {}, cookie=cookie, sec_fetch_site="same-origin")
        assert status == 200, text
        assert {call(house, "/", cookie=cookie)[0] for _ in range(10)} == {401}


def test_a_token_of_one_worker_is_good_in_both(house: House) -> None:
    tokens, _ = login(house)
    assert len(everybody(house, authorization=f"Bearer {tokens['access_token']}")) == 2


def test_no_good_token_is_refused_while_keys_are_rotated(house: House) -> None:
    refused: list[str] = []
    signed_by: set[str] = set()
    stop = threading.Event()

    def client() -> None:
        tokens, _ = login(house)
        while not stop.is_set():
            signed_by.add(kid(tokens["access_token"]))
            for _ in range(3):
                status, text, _ = call(house, "/", authorization=f"Bearer {tokens['access_token']}")
                refused.extend([text] * (status != 200))
            status, text, _ = call(house, "/_narthex/auth/refresh", {"refresh_token": tokens["refresh_token"]})
            refused.extend([text] * (status != 200))
            if status != 200:
                return
            tokens = json.loads(text)

    with clients(client, 3, stop):
        for number in (1, 2):
            house.until(lambda wanted=number: len(signed_by) >= wanted or refused)  # type: ignore[misc]
            narthex(directory_of(house), "keys", "rotate")
        house.until(lambda: len(signed_by) >= 3 or refused)
    assert refused == []
    assert len(signed_by) == 3
    assert {tuple(kids(house)) for _ in range(6)} == {tuple(kids(house))}


@contextmanager
def clients(work: Any, count: int, stop: threading.Event) -> Iterator[None]:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(LIMIT)


def kid(token: str) -> str:
    head = token.partition(".")[0]
    found: str = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return found


def kids(house: House) -> list[str]:
    return [key["kid"] for key in json.loads(call(house, "/.well-known/jwks.json")[1])["keys"]]
