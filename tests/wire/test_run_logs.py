"""Who writes what where: the server as bare, or everything through the logging plugin."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slow import sampled
from tests.wire.narthex_run import SERVERS, begin, narthex_run

JSON = "[plugins.logging]\n"
# What a bare server writes of a request on standard output, and whether its start is told on standard error.
BARE = {"uvicorn": '"GET /x HTTP/1.1" 200', "hypercorn": "", "granian": "Started worker"}


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server != "hypercorn"))
def test_with_the_logging_plugin_every_line_on_standard_output_is_json(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, JSON, server=server) as house:
        house.get("/x")
        house.send(signal.SIGTERM)
        assert house.wait() == 0
    lines = [json.loads(line) for line in house.stdout.splitlines()]
    assert [line["path"] for line in lines if line["logger"] == "narthex.access"] == ["/x"]
    assert any(server in line["logger"] for line in lines)


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server != "hypercorn"))
def test_without_the_logging_plugin_the_server_logs_as_it_does_bare(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, server=server) as house:
        house.get("/x")
        house.send(signal.SIGTERM)
        house.wait()
    assert BARE[server] in house.stdout
    assert "xperimental" not in house.stdout + house.stderr


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server != "hypercorn"))
def test_a_reload_that_switches_logging_on_and_off_takes_the_server_s_lines_along(server: str, tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    with narthex_run("shop:app", tmp_path, server=server) as house:
        house.get("/before")
        file.write_text(JSON)
        reload(file)
        house.get("/json")
        house.until(lambda: '"path":"/json"' in house.stdout)
        file.write_text("")
        reload(file)
        house.get("/after")
        house.send(signal.SIGTERM)
        house.wait()
    assert [line for line in house.stdout.splitlines() if "GET /json" in line and not line.startswith("{")] == []
    assert "GET /json" not in house.stderr
    for path in ("/before", "/after"):
        assert BARE[server].replace("/x", path) in house.stdout
        assert f'"path":"{path}"' not in house.stdout


def reload(file: Path) -> None:
    command = [sys.executable, "-P", "-m", "narthex", "reload", "--config", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_the_server_s_line_of_an_exception_is_json_too_after_a_reload(tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path) as house:
        (tmp_path / "narthex.toml").write_text(JSON)
        reload(tmp_path / "narthex.toml")
        with socket.create_connection(("127.0.0.1", int(house.url.rpartition(":")[2])), 10) as bad:
            bad.sendall(b"no request\r\n\r\n")
            bad.recv(1000)
        house.until(lambda: "Invalid HTTP request" in house.stdout)
    (line,) = [json.loads(line) for line in house.stdout.splitlines() if "Invalid HTTP request" in line]
    assert (line["logger"], line["level"]) == ("uvicorn.error", "warning")


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server != "hypercorn"))
def test_a_failed_start_is_told_although_the_logging_plugin_is_on(server: str, tmp_path: Path) -> None:
    house = begin("shop:refusing", tmp_path, JSON, server=server)
    assert house.wait() == 3
    assert (house.stdout + house.stderr).count("the database is gone") == 1
