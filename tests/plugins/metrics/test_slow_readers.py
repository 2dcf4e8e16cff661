"""Who reads the figures slowly, or not at all, holds up nobody else."""

import socket
from contextlib import ExitStack
from pathlib import Path

from tests.wire.narthex_run import LIMIT, narthex_run

APP = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from narthex_plugins.metrics import timer

works = timer("shop_work_seconds", "Work.", ["kind"])


async def fill(request):
    for number in range(500):
        with works.time(str(number)):
            pass
    return PlainTextResponse("full")


app = Starlette(routes=[Route("/fill", fill)])
"""
TOML = """
[narthex]
app = "wordy:app"

[plugins.metrics]
directory = "figures"
"""
ASKED = b"GET /api/metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def test_eight_who_do_not_read_their_page_hold_up_neither_requests_nor_scrapes(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "wordy.py").write_text(APP)
    with narthex_run(None, tmp_path, TOML) as house, ExitStack() as stack:
        assert house.get("/fill") == "full"
        port = int(house.url.rpartition(":")[2])
        slow = [stack.enter_context(socket.socket()) for _ in range(8)]
        for one in slow:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the page is a hundred times as long
            one.settimeout(LIMIT)
            one.connect(("127.0.0.1", port))
            one.sendall(ASKED)
        assert [one.recv(15) for one in slow] == [b"HTTP/1.1 200 OK"] * 8  # each has a page made for it
        for _ in range(2):
            assert house.get("/fill") == "full"
            page = house.get("/api/metrics")
            assert len(page) > 400_000
            assert page.endswith("\n")
        content = b""
        while piece := slow[0].recv(1 << 16):
            content += piece
        assert content.endswith(b"\n")
        assert b'shop_work_seconds_count{kind="499"' in content
