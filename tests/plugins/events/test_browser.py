"""A real browser's EventSource: it reads, is cut off by a reload, comes back by itself and misses nothing."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from narthex_plugins import events
from tests.wire.browser import Browser, chromium
from tests.wire.narthex_run import LIMIT, narthex_run

PAGE = b"""<!doctype html><title>orders</title><link rel=icon href=data:,><script>
const seen = [], gaps = [];
const source = new EventSource("/_narthex/events?topic=public.>");
source.onmessage = (message) => seen.push(JSON.parse(message.data).data.n);
source.addEventListener("gap", (message) => gaps.push(message.data));
let opened = 0;
source.onopen = () => opened++;
</script>"""
TOML = """
[narthex]
app = "tests.plugins.events.test_browser:app"
store = "sqlite:///n.db"

[plugins.events]
retry = "100ms"
{more}

[[plugins.events.topics]]
topic = "public.>"
read = "public"
durable = true
"""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The page; /publish?n=3 publishes so many."""
    if scope["type"] != "http":
        return
    body, kind = PAGE, b"text/html"
    if scope["path"] == "/publish":
        query = dict(parse_qsl(scope["query_string"].decode()))
        first, count = int(query["from"]), int(query["n"])
        ids = await asyncio.gather(*(events.publish("public.n", {"n": n}) for n in range(first, first + count)))
        body, kind = json.dumps(ids).encode(), b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.skipif(chromium() is None, reason="no chromium on this machine")
def test_a_browser_resumes_by_itself_after_a_reload_has_ended_its_stream(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    with narthex_run(None, tmp_path / "house", TOML.format(more="")) as house, Browser(tmp_path) as browser:
        browser.open(f"{house.url}/")
        browser.until("opened == 1")
        publish = f"{house.url}/publish"
        assert httpx.get(publish, params={"from": 0, "n": 5}, timeout=LIMIT).status_code == 200
        browser.until("seen.length == 5")
        # Another configuration: the streams of the one before end, and clients come back.
        (tmp_path / "house" / "narthex.toml").write_text(TOML.format(more='heartbeat = "7s"'))
        house.send(signal.SIGHUP)
        for turn in range(1, 11):
            assert httpx.get(publish, params={"from": turn * 5, "n": 5}, timeout=LIMIT).status_code == 200
        browser.until("opened >= 2")
        assert httpx.get(publish, params={"from": 55, "n": 5}, timeout=LIMIT).status_code == 200
        browser.until("seen.length >= 60")
        assert browser.run("seen") == list(range(60))
        assert browser.run("gaps") == []
