import asyncio
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import narthex_plugins.logging
from narthex import Narthex
from narthex.config import load
from narthex.errors import ConfigError, StartError
from narthex.testing import Reply, request, websocket
from tests.plugins.logging.drive import hello, http, logged, read, running

ROOT = Path(__file__).parents[3]


def replies(config: Mapping[str, Any], *paths: str) -> list[Reply]:
    async def go() -> list[Reply]:
        house = Narthex(hello, config)
        async with running(house):
            return [await request(house, "GET", path) for path in paths]

    return asyncio.run(go())


def table(path: Path, **more: object) -> dict[str, object]:
    return {"output": str(path), "capture": False, **more}


def test_the_client_gets_the_request_id_that_stands_in_the_line(tmp_path: Path) -> None:
    (reply,) = replies({"plugins": {"logging": table(tmp_path / "log")}}, "/")
    assert reply.headers.getlist("x-request-id") == [read(tmp_path / "log")[0]["request_id"]]


def test_a_websocket_gets_it_with_the_accept(tmp_path: Path) -> None:
    reply = asyncio.run(websocket(Narthex(hello, {"plugins": {"logging": table(tmp_path / "log")}}), "/ws"))
    assert [name for name, _ in reply.messages[0]["headers"]] == [b"x-request-id"]


@pytest.mark.parametrize(("header", "names"), [("", []), ("X-Trace", ["x-trace"])])
def test_the_header_can_be_renamed_or_left_out(tmp_path: Path, header: str, names: list[str]) -> None:
    (reply,) = replies({"plugins": {"logging": table(tmp_path / "log", header=header)}}, "/")
    assert set(reply.headers) == {"content-length", *names}


@pytest.mark.parametrize("header", ["a b", "x:y", "é", "x\n"])
def test_what_is_no_header_name_is_refused(header: str) -> None:
    with pytest.raises(ConfigError, match="header"):
        Narthex(hello, {"plugins": {"logging": {"header": header}}})


def test_two_instances_write_what_each_is_told(tmp_path: Path) -> None:
    errors = {"use": "logging", "level": "error", "header": "", **table(tmp_path / "errors")}
    lines = logged(tmp_path, http("/"), http("/boom"), plugins={"errors": errors})
    assert [line["logger"] for line in lines] == ["narthex.access", "narthex.error", "narthex.access"]
    assert [line["request_id"] for line in read(tmp_path / "errors")] == [lines[1]["request_id"]] * 2


def test_output_is_relative_to_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    file.write_text('[plugins.logging]\noutput = "lines.jsonl"\ncapture = false\n')
    asyncio.run(request(Narthex(hello, file), "GET", "/"))
    assert (tmp_path / "lines.jsonl").exists()


def test_nothing_is_opened_before_start(tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    Narthex(hello, {"plugins": {"logging": {"output": str(tmp_path / "log")}}})
    assert not (tmp_path / "log").exists()
    assert logging.getLogger().handlers == handlers


def test_an_output_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    plugin = narthex_plugins.logging.Logging
    config = {"plugins": {"logging": {"output": str(tmp_path / "missing" / "log")}}}
    (guest,) = Narthex(hello, config).guests
    assert isinstance(guest.plugin, plugin)
    with pytest.raises(StartError, match="No such file or directory"):
        guest.plugin.start()


def test_the_root_logger_is_held_while_the_house_stands(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)
    house = Narthex(hello, {"plugins": {"logging": {"output": str(tmp_path / "log"), "level": "warning"}}})

    async def go() -> None:
        async with running(house):
            logging.getLogger("shop").warning("inside")

    asyncio.run(go())
    logging.getLogger("shop").warning("outside")
    assert [line["message"] for line in read(tmp_path / "log")] == ["inside"]
    assert logging.getLogger().handlers == before


def test_what_the_server_says_of_an_exception_is_not_said_twice(tmp_path: Path) -> None:
    house = Narthex(hello, {"plugins": {"logging": {"output": str(tmp_path / "log")}}})

    async def go() -> None:
        async with running(house):
            reply = await request(house, "GET", "/boom")
            logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=reply.error)

    asyncio.run(go())
    assert [line["logger"] for line in read(tmp_path / "log")] == ["narthex.error", "narthex.access"]


def test_lost_lines_are_a_warning_of_health() -> None:
    (guest,) = Narthex(hello, {"plugins": {"logging": table(Path("/dev/full"))}}).guests
    plugin = guest.plugin
    assert isinstance(plugin, narthex_plugins.logging.Logging)
    assert plugin.health().status == "pass"
    plugin._sink.put(b"line\n")
    assert plugin.health().status == "warn"


def test_the_example_loads() -> None:
    example = Path(narthex_plugins.logging.__file__).with_name("example.toml")
    assert [guest.name for guest in Narthex(hello, load(example, {})).guests] == ["logging", "error-log"]


def test_every_setting_stands_in_the_reference() -> None:
    page = (ROOT / "docs/reference/plugins/logging.md").read_text()
    assert [key for key in narthex_plugins.logging.Logging.Settings.model_fields if f"| `{key}` |" not in page] == []


def test_off_means_that_nothing_of_it_is_imported() -> None:
    program = (
        "import sys; from narthex import Narthex; Narthex(print, {'plugins': {'health': {}}}); "
        "print([name for name in sys.modules if name.startswith(('narthex_plugins.logging', 'msgspec', 'pythonjson'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"
