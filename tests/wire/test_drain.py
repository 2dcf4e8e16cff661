"""A stop while many exchanges are open that do not end by themselves: they end cleanly, and nothing is lost."""

import asyncio
import json
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.slow import sampled
from tests.wire.crowd import crowd
from tests.wire.narthex_run import APPS, SERVERS, narthex_run
from tests.wire.servers import serve

STREAMS, SILENT, SOCKETS = 25, 25, 50
TOML = """
[narthex]
store = "sqlite:///narthex.db"
drain = "15s"
[plugins.logging]
output = "log.jsonl"
capture = false
[plugins.guestbook]
"""


def recorded(directory: Path) -> tuple[int, int]:
    """Access lines and visits kept of the exchanges that were open."""
    lines = [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]
    logged = sum(line["path"] in {"/events", "/silent", "/"} for line in lines if line["logger"] == "narthex.access")
    with sqlite3.connect(directory / "narthex.db") as database:
        (kept,) = database.execute("select count(*) from guestbook_visits").fetchone()
    return logged, int(kept)


@pytest.mark.parametrize(
    ("server", "workers"),
    sampled(
        [(server, workers) for server in SERVERS for workers in (1, 2)],
        lambda house: house[1] == 2 or house[0] == "uvicorn",
    ),
)
def test_open_streams_and_sockets_end_cleanly_and_are_recorded(server: str, workers: int, tmp_path: Path) -> None:
    with narthex_run("lasting:app", tmp_path, TOML, server=server, workers=workers) as house:

        async def main() -> tuple[int, set[int]]:
            async with crowd(house.url, streams=STREAMS, silent=SILENT, sockets=SOCKETS) as open_ones:
                house.send(signal.SIGTERM)
                return await open_ones.ends()

        assert asyncio.run(main()) == (STREAMS + SILENT, {1001})
        began = time.monotonic()
        assert house.wait() == 0
        assert time.monotonic() - began < 15
        assert "did not end" not in house.stderr
        assert "cut off" not in house.stderr
    assert recorded(tmp_path) == (STREAMS + SILENT + SOCKETS, STREAMS + SILENT + SOCKETS)


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server == "granian"))
def test_so_they_do_when_the_supervisor_is_killed(server: str, tmp_path: Path) -> None:
    with narthex_run("lasting:app", tmp_path, TOML, server=server, workers=2) as house:

        async def main() -> tuple[int, set[int]]:
            async with crowd(house.url, streams=5, silent=5, sockets=10) as open_ones:
                house.process.kill()
                return await open_ones.ends()

        assert asyncio.run(main()) == (10, {1001})
        house.until(lambda: recorded(tmp_path) == (20, 20))


# Further arguments, and the codes that sockets may be closed with: uvicorn's own where it is quicker than the house.
OWN = {
    "uvicorn": (["--timeout-graceful-shutdown=15"], {1001, 1012}),
    "gunicorn": (["--graceful-timeout=20"], {1001, 1012}),
    "granian": (["--workers-kill-timeout=20"], {1001}),
    "granian without lifespan": (["--workers-kill-timeout=20", "--interface=asginl"], {1001}),
    # Where it has workers its supervisor passes no signal on to them, so there nobody hears of the stop in time.
    "hypercorn": (["--workers=0", "--graceful-timeout=20"], {1001}),
}


@pytest.mark.parametrize(
    "case", sampled(OWN, lambda case: case in {"gunicorn", "granian without lifespan", "hypercorn"})
)
def test_so_they_do_on_the_server_s_own_command_line(case: str, tmp_path: Path) -> None:
    (tmp_path / "narthex.toml").write_text(TOML)
    (tmp_path / "wrapped.py").write_text(
        f"import sys\nsys.path.insert(0, {str(APPS)!r})\n"
        "from lasting import app as inner\nfrom narthex import Narthex\n"
        f"app = Narthex(inner, {str(tmp_path / 'narthex.toml')!r})\n"
    )
    env = {"PYTHONPATH": str(tmp_path)}
    extra, allowed = OWN[case]
    with serve("wrapped:app", case.split(maxsplit=1)[0], env=env, extra=extra) as running:

        async def main() -> tuple[int, set[int]]:
            async with crowd(running.url, streams=10, silent=10, sockets=20) as open_ones:
                running.send_signal(signal.SIGTERM)
                return await open_ones.ends()

        whole, codes = asyncio.run(main())
        running.wait(30)
        assert (whole, codes - allowed) == (20, set()), running.output()
    assert recorded(tmp_path)[1] >= 40


def test_a_probe_is_refused_from_the_signal_on(tmp_path: Path) -> None:
    toml = '[narthex]\ndrain = "10s"\n[plugins.health]\n'
    with narthex_run("shop:app", tmp_path, toml, server="hypercorn") as house:
        assert json.loads(house.get("/readyz"))["status"] == "pass"
        house.send(signal.SIGTERM)
        assert house.wait() == 0
