"""Datasette, which no one here wrote: served bare, and by `narthex run`, it says the same byte for byte."""

import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.slow import sampled
from tests.wire.datasette_site import CASES, build, request
from tests.wire.replies import OWN_LINES, Blank, ask, body, difference, settled, status
from tests.wire.servers import BIN, ROOT, free_port, launch, serve

BLANKS: Final[list[Blank]] = [
    # Datasette's stopwatch: how long this query took in this process.
    (re.compile(rb'"query_ms": [\d.e-]+'), b'"query_ms": 0'),
    (re.compile(rb"Queries took [\d.e-]+ms"), b"Queries took 0ms"),
    # Drawn at random for a visitor who brings none: in a form, and in the cookie that goes with it.
    (re.compile(rb'(name="csrftoken" value=")[^"]*'), rb"\1token"),
    (re.compile(rb"(set-cookie: ds_csrftoken=)[^;]*"), rb"\1token"),
]
"""Everything that differs between any two runs of Datasette, Narthex or not; and `OWN_LINES`."""

CONFIG: Final = """
[narthex]
app = "site_of_trees:app"

[plugins.logging]
output = "log.jsonl"

[plugins.health]
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two servers, and what they have said so far."""

    server: str
    bare: int
    behind: int
    log: Path
    _said: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def ask(self, raw: bytes) -> tuple[bytes, bytes]:
        """Ask both the same, at the same time."""
        with ThreadPoolExecutor(2) as threads:
            bare, behind = threads.map(lambda port: ask(port, raw), (self.bare, self.behind))
        return bare, behind

    def play(self, name: str) -> tuple[bytes, bytes]:
        """What both answer to a case; asked once."""
        if name not in self._said:
            self._said[name] = self.ask(CASES[name].replace(b"Host:", b"X-Request-ID: %b\r\nHost:" % tag(name), 1))
        return self._said[name]

    def lines(self, tagged: bytes) -> list[dict[str, Any]]:
        """The access lines of one request; they are written a moment after the answer."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            lines = [json.loads(line) for line in self.log.read_bytes().splitlines()]
            found = [line for line in lines if line.get("request_id") == tagged.decode()]
            found = [line for line in found if line["logger"] == "narthex.access"]
            if found:
                return found
            time.sleep(0.02)
        return []


def tag(name: str) -> bytes:
    """A request id for a case."""
    return b"case-%d" % list(CASES).index(name)


@pytest.fixture(
    scope="module", params=sampled(["uvicorn", "hypercorn", "granian"], lambda server: server != "hypercorn")
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield start(stack, request.param, tmp_path_factory, CONFIG)


def start(stack: ExitStack, server: str, directories: pytest.TempPathFactory, config: str) -> Pair:
    """Each in a directory of its own, so that neither can change what the other reads."""
    here, there = directories.mktemp("bare"), directories.mktemp("behind")
    for directory in (here, there):
        build(directory)
    (there / "narthex.toml").write_text(config)
    path = {"PYTHONPATH": f"{here}:{ROOT}"}
    bare = stack.enter_context(serve("site_of_trees:app", server, env=path, directory=here))
    port = free_port()
    argv = [sys.executable, str(BIN / "narthex"), "run", f"--server={server}", f"--port={port}"]
    behind = stack.enter_context(launch(argv, port, directory=there, ready="/readyz"))
    return Pair(server, bare.port, behind.port, there / "log.jsonl")


def skip_what_granian_cannot(pair: Pair, name: str) -> None:
    """Granian hangs up without a word on an app that gives a length and `Transfer-Encoding` too, as a download does."""
    if pair.server == "granian" and name in ("/trees.db", "if-none-match"):
        assert pair.play(name) == (b"", b"")
        pytest.skip("bare granian cannot serve it")


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_the_same_byte_for_byte(pair: Pair, name: str) -> None:
    skip_what_granian_cannot(pair, name)
    bare, behind = pair.play(name)
    assert difference(settled(bare, BLANKS), settled(behind, BLANKS)) == ""


@pytest.mark.parametrize("name", CASES)
def test_a_request_is_one_line_with_its_status_and_bytes(pair: Pair, name: str) -> None:
    skip_what_granian_cannot(pair, name)
    _, behind = pair.play(name)
    lines = pair.lines(tag(name))
    assert [(line["status"], line["bytes"]) for line in lines] == [(status(behind), len(body_of_app(behind)))]


def body_of_app(reply: bytes) -> bytes:
    """The body, but for the words that the server says itself when the app has raised before it answered."""
    return b"" if b"x-request-id" not in reply else body(reply)


def test_the_cases_are_what_they_seem(pair: Pair) -> None:
    seen = {status(pair.play(name)[0]) for name in CASES if pair.play(name)[0]}
    assert seen >= {200, 301, 302, 400, 403, 404, 405, 500}
    assert len(body(pair.play("/trees/tree.csv?_stream=on")[0]).splitlines()) == 100_001
    assert pair.play("log out")[0].lower().count(b"\r\nset-cookie: ") == 2
    assert b'"actor": {"id": "root"}' in pair.play("logged in")[0]
    assert b"set-cookie: ds_csrftoken=" in pair.play("/-/messages")[0].lower()


def test_a_download_that_did_not_change_is_304_both_times(pair: Pair) -> None:
    etag = f'"{hashlib.sha256((pair.log.parent / "trees.db").read_bytes()).hexdigest()}"'
    bare, behind = pair.ask(request("/trees.db", "GET", f"If-None-Match: {etag}"))
    assert (status(bare), difference(settled(bare, BLANKS), settled(behind, BLANKS))) == (304, "")


def test_one_connection_carries_many_requests(pair: Pair) -> None:
    kept = request("/-/actor.json").replace(b"Connection: close\r\n", b"")
    raw = kept + kept.replace(b"actor", b"nothing") + request("/-/static/table.js")
    bare, behind = pair.ask(raw)
    assert bare.count(b"HTTP/1.1 ") == 3
    assert difference(OWN_LINES.sub(b"", bare), OWN_LINES.sub(b"", behind)) == ""


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"])
def test_what_the_server_refuses_itself_stays_so(pair: Pair, raw: bytes) -> None:
    bare, behind = pair.ask(raw)
    assert difference(OWN_LINES.sub(b"", bare), OWN_LINES.sub(b"", behind)) == ""


def test_only_an_answer_of_narthex_carries_an_id(pair: Pair) -> None:
    bare, behind = pair.ask(request("/-/actor.json"))
    assert b"x-request-id" not in bare
    assert len(re.findall(rb"(?m)^x-request-id: [0-9a-f]{32}\r$", behind)) == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_answered_by_narthex(pair: Pair, path: str) -> None:
    bare, behind = pair.ask(request(path))
    assert (status(bare), status(behind), body(behind)) == (404, 200, b'{"status":"pass"}')


def test_a_page_about_the_process_shows_the_one_thread_of_narthex(pair: Pair) -> None:
    replies = pair.ask(request("/-/threads.json"))
    bare, behind = ({thread["name"] for thread in json.loads(body(reply))["threads"]} for reply in replies)
    assert {name for name in behind - bare if "narthex" in name} == {"narthex-logging"}


def test_behind_a_proxy_links_keep_its_scheme(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Bare uvicorn believes a proxy on loopback by default; Narthex is told whom to believe, and that the app asks.
    house = '[narthex]\ntrusted_proxies = ["127.0.0.1"]\nexpose = ["client"]'
    with ExitStack() as stack:
        pair = start(stack, "uvicorn", tmp_path_factory, CONFIG.replace("[narthex]", house))
        raw = request("/trees/tree/1", "GET", "X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.9")
        bare, behind = pair.ask(raw)
    assert b"link: https://trees.example/trees/tree/1.json" in bare
    assert difference(settled(bare, BLANKS), settled(behind, BLANKS)) == ""
