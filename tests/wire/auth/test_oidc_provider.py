"""`narthex run` beside a real OpenID provider, over the wire."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.wire.auth.oidc_provider import LIMIT, installed, oidc_provider
from tests.wire.narthex_run import House, narthex_run
from tests.wire.servers import free_port

TOML = """
[narthex]
store = "memory"

[plugins.auth]
issuer = "https://shop.example"
algorithm = "ES256"
timeout = "60s"

[[plugins.auth.issuers]]
issuer = "{issuer}"
audience = ["https://shop.example"]
permissions = ["scope"]
permission_map = {{ "orders.read" = ["orders:read"] }}
everyone = ["user"]
insecure_http = true
fetch_timeout = "60s"
wait = "30s"
{more}
"""


@pytest.fixture(scope="module", autouse=True)
def package() -> None:
    installed()


@contextmanager
def house(directory: Path, issuer: str, more: str = "") -> Iterator[House]:
    with narthex_run("shop:app", directory, TOML.format(issuer=issuer, more=more)) as running:
        assert running.url, running.stderr
        yield running


def me(running: House, token: str) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=LIMIT) as client:
        return client.get(f"{running.url}/_narthex/auth/me", headers={"authorization": f"Bearer {token}"})


def with_kid(token: str, kid: str) -> str:
    """The same token, which names another key."""
    header = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": kid}).encode()
    return f"{urlsafe_b64encode(header).decode().rstrip('=')}.{token.partition('.')[2]}"


def statuses(running: House, tokens: list[str]) -> set[int]:
    """What the bearers are answered, ten at a time."""

    def client(own: list[str]) -> set[int]:
        found = set()
        with closing(HTTPConnection(running.url.removeprefix("http://"), timeout=LIMIT)) as connection:
            for token in own:
                connection.request("GET", "/", headers={"authorization": f"Bearer {token}"})
                with connection.getresponse() as response:
                    response.read()
                    found.add(response.status)
        return found

    with ThreadPoolExecutor(10) as threads:
        return set().union(*threads.map(client, (tokens[first::10] for first in range(10))))


def test_its_tokens_are_accepted_and_those_for_others_refused(tmp_path: Path) -> None:
    with oidc_provider(free_port()) as provider, house(tmp_path, provider.url) as running:
        told: dict[str, Any] = me(running, provider.token()).json()
        assert (told["subject"], told["issuer"]) == ("robot", provider.url)
        assert (told["roles"], told["permissions"]) == (["user"], ["orders:read"])
        refused = me(running, provider.token("https://other.example"))
        assert (refused.status_code, refused.json()["code"]) == (401, "token_audience")
        assert provider.fetches() == 1


def test_a_thousand_unknown_keys_cause_one_fetch(tmp_path: Path) -> None:
    more = 'cooldown = "10m"'
    with oidc_provider(free_port()) as provider, house(tmp_path, provider.url, more) as running:
        token = provider.token()
        assert me(running, token).status_code == 200
        assert statuses(running, [with_kid(token, f"k{number}") for number in range(1000)]) == {401}
        assert provider.fetches() == 2  # one at the start, and one for all thousand
        assert me(running, provider.token()).status_code == 200


def test_a_rotation_is_followed_and_a_withdrawn_key_forgotten(tmp_path: Path) -> None:
    with oidc_provider(free_port()) as provider, house(tmp_path, provider.url, 'refresh = "1s"') as running:
        old = provider.token()
        assert me(running, old).status_code == 200
        provider.do("rotate")
        assert me(running, provider.token()).status_code == 200
        assert me(running, old).status_code == 200
        provider.do("withdraw")
        running.until(lambda: me(running, old).status_code == 401)
        assert me(running, provider.token()).status_code == 200


def test_it_may_be_down_at_the_start_and_go_and_come_back(tmp_path: Path) -> None:
    port = free_port()
    with house(tmp_path, f"http://127.0.0.1:{port}", 'refresh = "1s"\nkeep = "2s"\ncooldown = "1s"') as running:
        for _ in range(2):
            with oidc_provider(port) as provider:
                token = provider.token()
                running.until(lambda token=token: me(running, token).status_code == 200)  # type: ignore[misc]
            running.until(lambda token=token: me(running, token).status_code == 503)  # type: ignore[misc]
            assert int(me(running, token).headers["retry-after"]) >= 1
