"""A hundred ways to leak a secret into a log line, and none of them does."""

import base64
import json
import logging
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from narthex.asgi import Receive, Scope, Send
from narthex.context import exchange_var
from narthex.detectors import Redactor
from narthex.levels import LEVELS
from narthex_plugins.logging.capture import Capture
from narthex_plugins.logging.credentials import of_environment
from narthex_plugins.logging.output import Output
from narthex_plugins.logging.sink import Sink
from narthex_plugins.logging.thresholds import Threshold
from tests.plugins.logging.drive import exchange, hello, http, logged, websocket
from tests.plugins.logging.ways import WAYS, jwt, opaque

ORDER = list(WAYS)


def secret_of(name: str) -> str:
    """Unlike any other's, and no word of it is in a message."""
    return f"q7Rk{ORDER.index(name):03d}-vZx91LmWp4"


def forms(secret: str) -> set[str]:
    """What must not be found: the secret, its halves, and what it becomes in base64 at each of three places."""
    core = secret.replace("-", "")
    encoded = {base64.b64encode(b"x" * shift + core.encode()).decode()[4:-4] for shift in range(3)}
    return {secret, core, secret[:11], secret[7:], urllib.parse.quote(secret), *encoded}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[bytes]]:
    """The lines of each way, logged within an exchange whose own credentials have nothing to do with it."""
    path = tmp_path_factory.mktemp("leaks") / "log"
    sink = Sink(Output(path), 100, lambda count: b"", lambda count: None)  # without its thread: written at once
    capture = Capture(sink, Threshold(LEVELS["debug"], lambda: None), terminal=True, redactor=Redactor())
    token = exchange_var.set(exchange(http("/")))
    root = logging.getLogger()
    others = root.handlers[:]
    capture.begin()
    root.handlers[:] = [capture._handler]  # pytest's own would raise for messages that cannot be formatted
    lines: dict[str, list[bytes]] = {}
    try:
        for name, way in WAYS.items():
            path.write_bytes(b"")
            way(secret_of(name))
            lines[name] = path.read_bytes().splitlines()
    finally:
        capture.end()
        root.handlers[:] = others
        exchange_var.reset(token)
    return lines


@pytest.mark.parametrize("name", ORDER)
def test_a_secret_does_not_get_into_a_line(name: str, written: Mapping[str, list[bytes]]) -> None:
    assert written[name], "nothing was logged, so nothing is shown"
    for line in written[name]:
        assert [form for form in forms(secret_of(name)) if form.encode() in line] == [], json.loads(line)
    assert any(b"redacted" in line or b"characters cut" in line for line in written[name])


def test_there_are_a_hundred_ways() -> None:
    assert len(WAYS) >= 100


# -- the lines of exchanges

TOKEN = "q7Rk999-vZx91LmWp4"
HEADERS = ["authorization", "cookie", "x-api-key", "referer", "user-agent", "sec-websocket-protocol", "x-note"]
ASKED: dict[str, Scope] = {
    "an opaque token in the path": http(f"/reset/{opaque(TOKEN)}"),
    "a signed token in the path": http(f"/confirm/{jwt(TOKEN)}/now"),
    "a labelled one in the path": http(f"/cart;jsessionid={TOKEN}"),
    "a password in the path": http(f"/fetch/https://alice:{TOKEN}@shop.example/"),
    "the query": http(query_string=f"a=1&access_token={TOKEN}&b=2".encode()),
    "the query, its name encoded": http(query_string=f"access%5Ftoken={TOKEN}".encode()),
    "a query in the query": http(query_string=b"next=" + urllib.parse.quote(f"/?token={TOKEN}", safe="").encode()),
    "an authorization code": http(query_string=f"code={TOKEN}&state=x".encode()),
    "the authorization header": http(headers=[("authorization", f"Bearer {TOKEN}")]),
    "the cookie": http(headers=[("cookie", f"theme=dark; sid={TOKEN}")]),
    "a key's header": http(headers=[("x-api-key", TOKEN)]),
    "the page before": http(headers=[("referer", f"https://shop.example/reset?token={TOKEN}")]),
    "the user agent": http(headers=[("user-agent", f"curl/8 (password={TOKEN})")]),
    "a header of any name": http(headers=[("x-note", jwt(TOKEN))]),
    "a header twice": http(headers=[("x-note", "a"), ("x-note", f"secret={TOKEN}")]),
    "the request id": http(headers=[("x-request-id", "sk_live_" + TOKEN.replace("-", ""))]),
    "the method": {**http(), "method": "sk_live_" + TOKEN.replace("-", "")},
    "a websocket's subprotocol": {**websocket(), "headers": [(b"sec-websocket-protocol", jwt(TOKEN).encode())]},
}


@pytest.mark.parametrize("name", ASKED)
def test_an_access_line_tells_no_secret(name: str, tmp_path: Path) -> None:
    logged(tmp_path, ASKED[name], logging={"query": True, "headers": HEADERS})
    line = (tmp_path / "lines.jsonl").read_bytes()
    assert [form for form in forms(TOKEN) if form.encode() in line] == [], line
    assert b"redacted" in line


@pytest.mark.parametrize("fields", ["default", "ecs", "otel"])
def test_an_error_line_tells_no_secret(fields: str, tmp_path: Path) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await hello(scope, receive, send)
        raise PermissionError(f"token={TOKEN} is not {scope['headers'][0][1].decode()}")

    asked = http(f"/x/{opaque(TOKEN)}", headers=[("x-api-key", "abcdefghijk")])
    lines = logged(tmp_path, asked, app=failing, logging={"fields": fields})
    text = (tmp_path / "lines.jsonl").read_text()
    assert len(lines) == 2
    assert [form for form in (*forms(TOKEN), "abcdefghijk") if form in text] == []


# -- what is known to be secret, whatever it looks like

PLAIN = "correct/horse"
SENT = {
    "authorization": http(headers=[("authorization", f"Bearer {PLAIN}")]),
    "without a scheme": http(headers=[("authorization", PLAIN)]),
    "basic": http(headers=[("authorization", "Basic " + base64.b64encode(f"alice:{PLAIN}".encode()).decode())]),
    "a key": http(headers=[("x-api-key", PLAIN)]),
    "a cookie": http(headers=[("cookie", f'a=b; anything="{PLAIN}"')]),
    "the query": http(query_string=urllib.parse.urlencode({"token": PLAIN}).encode()),
}


@pytest.mark.parametrize("name", SENT)
def test_what_the_caller_sent_to_say_who_it_is_is_in_no_line_of_the_app(name: str, tmp_path: Path) -> None:
    async def telling(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            logging.getLogger("shop").info("%s %s %s", PLAIN, urllib.parse.quote(PLAIN, safe=""), [PLAIN])
            logging.getLogger("shop").info("nested", extra={"deep": {"note": f"<{PLAIN}>"}})
        await hello(scope, receive, send)

    lines = logged(tmp_path, SENT[name], app=telling, logging={"capture": True})
    assert lines[0]["message"] == "[redacted] [redacted] ['[redacted]']"
    assert lines[1]["deep"] == {"note": "<[redacted]>"}


def test_secrets_of_the_environment_are_known() -> None:
    environment = {"STRIPE_API_KEY": "correct-horse-battery", "PGPASSWORD": "postgres", "HOME": "/home/alice-and-bob"}
    assert of_environment(Redactor().names, environment) == ("correct-horse-battery",)


def test_secrets_of_the_environment_are_in_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SIGNING_KEY", "correct horse battery")

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await hello(scope, receive, send)
        raise ValueError("signed by correct horse battery")

    lines = logged(tmp_path, http(), app=failing)
    assert lines[0]["message"] == "ValueError: signed by [redacted]"


# -- settings


def told(tmp_path: Path, scope: Scope, **settings: Any) -> dict[str, Any]:
    (line,) = logged(tmp_path, scope, logging={"query": True, **settings})
    return line


def test_redaction_can_be_switched_off(tmp_path: Path) -> None:
    assert told(tmp_path, http(query_string=b"token=abc"), redact=False)["query"] == "token=abc"


def test_names_are_added_as_patterns_and_kept(tmp_path: Path) -> None:
    asked = http(query_string=b"iban=DE1&X-Internal-A=b&session_number=c12&d=e")
    line = told(tmp_path, asked, redact_names=["iban", "x-internal-*"], keep_names=["session_number"])
    assert line["query"] == "iban=[redacted]&X-Internal-A=[redacted]&session_number=c12&d=e"


def test_what_is_no_secret_is_told(tmp_path: Path) -> None:
    asked = http("/orders/7", query_string=b"page=2&sort=name", headers=[("user-agent", "Mozilla/5.0 (X11; Linux)")])
    line = told(tmp_path, asked, headers=["user-agent", "x-missing"])
    assert (line["path"], line["query"], line["headers"]) == (
        "/orders/7",
        "page=2&sort=name",
        {"user-agent": "Mozilla/5.0 (X11; Linux)"},
    )
