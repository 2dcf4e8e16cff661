"""A Litestar app with its OpenAPI pages behind `narthex run`: byte for byte what it says without."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.sync.client import connect

from tests.wire.browser import Browser, chromium
from tests.wire.narthex_run import LIMIT, SERVERS, narthex_run
from tests.wire.replies import Blank, ask, body, difference, settled, status
from tests.wire.servers import serve

SITE: Final = "tests.wire.litestar_site:app"
TOML: Final = '[plugins.health]\n[plugins.logging]\noutput = "{log}"\n'
BLANKS: Final[list[Blank]] = [
    (re.compile(rb"(set-cookie: session=)\w+", re.IGNORECASE), rb"\1..."),
    (re.compile(rb"(?<=allow: )(GET, OPTIONS|OPTIONS, GET)", re.IGNORECASE), b"OPTIONS, GET"),  # a set, in any order
]

Pair = tuple[int, int]
"""The ports of the app with nothing in front and of the same behind the house."""


@pytest.fixture(scope="module", params=SERVERS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("litestar")
    with ExitStack() as stack:
        bare = stack.enter_context(serve(SITE, request.param))
        toml = TOML.format(log=directory / "log.jsonl")
        house = stack.enter_context(narthex_run(SITE, directory, toml, server=request.param))
        assert house.url, house.stderr
        yield bare.port, int(house.url.rpartition(":")[2])


def say(line: str, *fields: str, content: str = "") -> bytes:
    """A request after whose answer the server hangs up."""
    head = [f"{line} HTTP/1.1", "Host: shop.example", "Connection: close", "X-Request-ID: one", *fields]
    if content:
        head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*head, "", content]).encode()


CASES: Final = {
    **{
        f"GET /schema{page}": 200
        for page in (
            *("", "/", "/openapi.json", "/openapi.yaml", "/openapi.yml"),
            *("/scalar", "/swagger", "/swagger/", "/redoc", "/rapidoc", "/elements"),
        )
    },
    "HEAD /schema/openapi.json": 405,
    "POST /schema/openapi.json": 405,
    "GET /schema/nothing": 404,
    "GET /orders/7": 200,
    "OPTIONS /orders/7": 204,
    "DELETE /orders/7": 405,
    "GET /orders/x": 404,
    "GET /visits": 200,
    "GET /stream": 200,
    "GET /events": 200,
    "GET /fail": 500,
    "GET /nothing": 404,
}


@pytest.mark.parametrize(("line", "code"), CASES.items(), ids=list(CASES))
def test_a_page_is_the_same_byte_for_byte(pair: Pair, line: str, code: int) -> None:
    bare, behind = (settled(ask(port, say(line, "Origin: https://shop.example")), BLANKS) for port in pair)
    assert difference(behind, bare) == ""
    assert status(behind) == code


@pytest.mark.parametrize(("content", "code"), [('{"customer": "zoë"}', 201), ('{"quantity": "x"}', 400), ("{", 400)])
def test_a_body_is_read_and_judged_the_same(pair: Pair, content: str, code: int) -> None:
    raw = json.dumps(json.loads(content)) if code == 201 else content  # ASCII, so that characters are bytes
    bare, behind = (settled(ask(port, say("POST /orders", content=raw)), BLANKS) for port in pair)
    assert difference(behind, bare) == ""
    assert status(behind) == code


def test_the_schema_is_that_of_the_app_and_of_nothing_else(pair: Pair) -> None:
    schema: dict[str, Any] = json.loads(body(ask(pair[1], say("GET /schema/openapi.json"))))
    assert schema["info"] == {"title": "Shop", "version": "1.0.0"}
    assert set(schema["paths"]) == {"/orders/{number}", "/orders", "/visits", "/stream", "/events", "/fail"}


def test_a_session_is_kept(pair: Pair) -> None:
    first = ask(pair[1], say("GET /visits"))
    cookie = re.search(rb"set-cookie: (session=\w+)", first, re.IGNORECASE)
    assert cookie is not None
    again = ask(pair[1], say("GET /visits", f"Cookie: {cookie[1].decode()}"))
    assert [json.loads(body(reply)) for reply in (first, again)] == [{"count": 1}, {"count": 2}]


def test_a_socket_ends_as_the_app_says(pair: Pair) -> None:
    seen = []
    for port in pair:
        with connect(f"ws://127.0.0.1:{port}/ws", subprotocols=["chat"], open_timeout=LIMIT) as socket:  # type: ignore[list-item]
            socket.send("hello")
            said = socket.recv(timeout=LIMIT)
            with pytest.raises(Exception, match="enough"):
                socket.recv(timeout=LIMIT)
            seen.append((said, socket.subprotocol, socket.close_code, socket.close_reason))
    assert seen == [("HELLO", "chat", 4001, "enough")] * 2


@pytest.mark.skipif(chromium() is None, reason="no chromium on this machine")
@pytest.mark.parametrize("pair", SERVERS[:1], indirect=True)
def test_a_browser_gets_the_page_with_the_schema_in_it(pair: Pair, tmp_path: Path) -> None:
    with Browser(tmp_path) as browser:  # without the page's scripts, which are on other hosts
        browser.open(f"http://127.0.0.1:{pair[1]}/schema/swagger")
        browser.until("document.title == 'Shop'")
        assert "/orders/{number}" in browser.run("document.documentElement.outerHTML")
