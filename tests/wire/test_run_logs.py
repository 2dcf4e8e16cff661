"""Who writes what where: the server as bare, or everything through the logging plugin."""

import json
import signal
from pathlib import Path

import pytest

from tests.wire.narthex_run import SERVERS, begin, narthex_run

JSON = "[plugins.logging]\n"
# What a bare server writes of a request on standard output, and whether its start is told on standard error.
BARE = {"uvicorn": '"GET /x HTTP/1.1" 200', "hypercorn": "", "granian": "Started worker"}


@pytest.mark.parametrize("server", SERVERS)
def test_with_the_logging_plugin_every_line_on_standard_output_is_json(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, JSON, server=server) as house:
        house.get("/x")
        house.send(signal.SIGTERM)
        assert house.wait() == 0
    lines = [json.loads(line) for line in house.stdout.splitlines()]
    assert [line["path"] for line in lines if line["logger"] == "narthex.access"] == ["/x"]
    assert any(server in line["logger"] for line in lines)


@pytest.mark.parametrize("server", SERVERS)
def test_without_the_logging_plugin_the_server_logs_as_it_does_bare(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, server=server) as house:
        house.get("/x")
        house.send(signal.SIGTERM)
        house.wait()
    assert BARE[server] in house.stdout
    assert "xperimental" not in house.stdout + house.stderr


@pytest.mark.parametrize("server", SERVERS)
def test_a_failed_start_is_told_although_the_logging_plugin_is_on(server: str, tmp_path: Path) -> None:
    house = begin("shop:refusing", tmp_path, JSON, server=server)
    assert house.wait() == 3
    assert (house.stdout + house.stderr).count("the database is gone") == 1
