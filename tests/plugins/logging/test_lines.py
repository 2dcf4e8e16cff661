import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from narthex import Allow, Deny, Exchange, Identity, Settings, hookimpl, log_context
from narthex.asgi import Receive, Scope, Send
from narthex.errors import ConfigError
from narthex_plugins.logging.encode import LONGEST_LINE
from narthex_plugins.logging.lines import Access, Lines, Timestamps, _line, describe
from narthex_plugins.logging.records import LineFormatter
from tests.plugins.logging.drive import exchange, hello, http, logged, websocket


class NoSettings(Settings):
    pass


class Doorkeeper:
    """Knows alice by her header, allows her everything but /private, and nobody else anything."""

    name = "doorkeeper"

    Settings = NoSettings

    def __init__(self, settings: object, house: object) -> None: ...

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | None:
        return Identity(subject="alice") if "x-alice" in exchange.headers else None

    @hookimpl
    def authorize(self, exchange: Exchange) -> Allow | Deny | None:
        if exchange.path == "/private":
            return Deny(403, "too_private", "nobody may", "rule 1")
        return Allow() if exchange.identity else None


DOORKEEPER = {"doorkeeper": {"use": f"{__name__}:Doorkeeper"}}
ALICE = [("x-alice", "1"), ("x-request-id", "given-id")]


@settings(deadline=None)
@given(st.floats(0, 2**35))
def test_a_timestamp_is_rfc_3339_with_milliseconds_rounded_down(now: float) -> None:
    wanted = dt.datetime.fromtimestamp(int(now), dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert Timestamps().text(now) == f"{wanted}.{int((now - int(now)) * 1000):03d}Z"


def test_an_access_line_says_who_asked_what_and_what_came_of_it(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, http("/items/ü", headers=[("x-request-id", "abc-1")], query_string=b"token=1"))
    assert dt.datetime.fromisoformat(line.pop("time")).tzinfo == dt.UTC
    assert 0 < line.pop("duration_ms") < 5_000
    assert line == {
        "level": "info",
        "logger": "narthex.access",
        "message": "GET /items/ü 200",
        "request_id": "abc-1",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/items/ü",
        "status": 200,
        "bytes": 5,
    }


def test_the_query_is_written_only_where_asked_for(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, http(query_string=b"a=1"), logging={"query": True})
    assert line["query"] == "a=1"


def test_a_websocket_is_one_line_for_its_whole_life(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, websocket("/chat"))
    assert (line["method"], line["status"], line["bytes"]) == ("WEBSOCKET", 101, 3)
    assert line["message"] == "WEBSOCKET /chat 101"


def test_an_exception_has_a_line_of_its_own(tmp_path: Path) -> None:
    error, access = logged(tmp_path, http("/boom"))
    assert (error["logger"], error["level"], error["message"]) == ("narthex.error", "error", "ValueError: no luck")
    assert (error["exception"]["type"], error["exception"]["message"]) == ("ValueError", "no luck")
    assert 'raise ValueError("no luck")' in error["exception"]["stack"]
    assert error["request_id"] == access["request_id"]
    assert (access["level"], access["status"], access["error"]) == ("error", 500, "ValueError")


def test_a_refusal_tells_the_operator_why(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, http("/private", headers=ALICE), plugins=DOORKEEPER)
    assert (line["level"], line["status"], line["code"]) == ("warning", 403, "too_private")
    assert (line["plugin"], line["reason"], line["rule"]) == ("doorkeeper", "nobody may", "rule 1")
    assert (line["subject"], line["request_id"]) == ("alice", "given-id")


def test_an_allow_is_nothing_to_tell(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, http("/", headers=ALICE), plugins=DOORKEEPER)
    assert line["status"] == 200
    assert not {"code", "reason", "rule", "plugin"} & set(line)


def test_the_app_s_own_404_is_no_warning(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, http("/missing"))
    assert (line["level"], line["status"]) == ("info", 404)


@pytest.mark.parametrize(
    ("levels", "path", "level"),
    [
        ({"4xx": "warning"}, "/missing", "warning"),
        ({"4xx": "warning", "404": "debug"}, "/missing", "debug"),
        ({"404": "error", "4xx": "debug"}, "/missing", "error"),
        ({"2xx": "critical"}, "/", "critical"),
        ({"5xx": "info"}, "/boom", "error"),
        ({"403": "info"}, "/private", "info"),
    ],
)
def test_the_level_follows_the_status_as_the_settings_have_it(
    tmp_path: Path, levels: dict[str, str], path: str, level: str
) -> None:
    scope = http(path, headers=ALICE)
    lines = logged(tmp_path, scope, logging={"levels": levels, "level": "debug"}, plugins=DOORKEEPER)
    assert lines[-1]["level"] == level


@pytest.mark.parametrize("status", ["600", "4x", "44", "4xxx", "abc"])
def test_what_is_no_status_has_no_level(tmp_path: Path, status: str) -> None:
    with pytest.raises(ConfigError, match="levels"):
        logged(tmp_path, logging={"levels": {status: "info"}})


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_every_line_of_a_request_has_its_trace_and_its_subject(tmp_path: Path) -> None:
    headers = [*ALICE, ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")]

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            logging.getLogger("shop").info("packed")
            raise ValueError("no luck")
        await hello(scope, receive, send)

    lines = logged(tmp_path, http(headers=headers), app=failing, plugins=DOORKEEPER, logging={"capture": True})
    assert [line["logger"] for line in lines] == ["shop", "narthex.error", "narthex.access"]
    assert {(line["request_id"], line["trace_id"], line["subject"]) for line in lines} == {("given-id", TRACE, "alice")}


@pytest.mark.parametrize(("path", "lines"), [("/", 0), ("/missing", 0), ("/boom", 2), ("/private", 1)])
def test_a_quiet_path_is_heard_only_when_it_fails(tmp_path: Path, path: str, lines: int) -> None:
    quiet = {"quiet": ["/**"]}
    got = logged(tmp_path, http(path, headers=ALICE), narthex=quiet, plugins=DOORKEEPER)
    assert len(got) == lines


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 4), ("warning", 3), ("error", 2), ("critical", 0)])
def test_lines_below_the_level_are_left_out(tmp_path: Path, level: str, lines: int) -> None:
    scopes = [http(path, headers=ALICE) for path in ("/", "/private", "/boom")]
    assert len(logged(tmp_path, *scopes, logging={"level": level}, plugins=DOORKEEPER)) == lines


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())), st.binary())
@example("/\udc80", b"")
@example('/"},\n{"forged":"line"}', b"\x00")
def test_no_path_or_query_breaks_the_line(path: str, query: bytes) -> None:
    line = Lines(lambda: 1.5, query=True).access(exchange(http(path, query_string=query)), "", "info")
    assert line.decode().splitlines() == [line.decode()[:-1]]
    told = json.loads(line)
    assert told["query"] == query.decode("latin-1")
    assert told["path"] == path.encode("utf-8", "backslashreplace").decode()


def test_an_endless_path_is_cut(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, http("/" + "x" * 500_000))
    assert len(json.dumps(line)) < LONGEST_LINE
    assert line["status"] == 200


def test_the_formatter_writes_the_same_fields_in_the_same_form() -> None:
    facts = Access(
        "2026-01-02T03:04:05.500Z", "info", "narthex.access", "GET /ü\x7f 200", "id", None, "GET", "/ü\x7f",
        200, 12, 0.25, subject="alice",
    )  # fmt: skip
    record = logging.LogRecord("narthex.access", logging.INFO, "", 0, facts.message, None, None)
    record.created = dt.datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=dt.UTC).timestamp()
    own = {"time", "level", "logger", "message"}
    extra = {
        name: value
        for name, value in msgspec.structs.asdict(facts).items()
        if name not in own and (value is not None or name == "client")
    }
    record.__dict__.update(extra)
    assert f"{LineFormatter().format(record)}\n".encode() == _line(facts)


def test_an_exception_that_cannot_be_printed_is_still_described() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    told = describe(Rude())
    assert told["type"].endswith("Rude")
    assert told["message"] == "<unprintable>"


def test_causes_stand_in_the_stack() -> None:
    error = LookupError("second")
    error.__cause__ = KeyError("first")
    assert "KeyError: 'first'" in describe(error)["stack"]


def format_record(**more: Any) -> dict[str, Any]:
    message = more.pop("msg", "said %s")
    args = more.pop("args", ("it",))
    record = logging.LogRecord(
        "shop", more.pop("levelno", logging.INFO), "", 0, message, args, more.pop("exc_info", None)
    )
    record.__dict__.update(more)
    line: dict[str, Any] = json.loads(LineFormatter().format(record))
    return line


def test_extras_and_context_become_fields() -> None:
    with log_context(order=1, shop="north"):
        line = format_record(order=2)
    assert (line["message"], line["level"], line["logger"]) == ("said it", "info", "shop")
    assert (line["order"], line["shop"]) == (2, "north")


def test_nobody_can_forge_the_line_s_own_fields() -> None:
    with log_context(level="critical", time="never"):
        line = format_record(logger="root", exception="none")
    assert (line["level"], line["logger"]) == ("info", "shop")
    assert (line["level_"], line["logger_"], line["time_"], line["exception_"]) == ("critical", "root", "never", "none")


def test_a_message_that_is_a_dict_becomes_fields() -> None:
    assert format_record(msg={"a": 1}, args=None)["a"] == 1


@pytest.mark.parametrize("message", ["%d items", "%s %s", "%(name)s"])
def test_a_message_that_cannot_be_formatted_is_not_lost(message: str) -> None:
    line = format_record(msg=message, args=("x",))
    assert (line["message"], line["args"], line["level"]) == (message, ["x"], "info")


def test_a_record_s_exception_is_written_like_an_error_line_s() -> None:
    error = ValueError("no luck")
    line = format_record(exc_info=(ValueError, error, None), exc_text="cached by another formatter")
    assert line["exception"] == describe(error)
    assert "exc_info" not in line


def test_an_exception_that_came_as_text_is_kept() -> None:
    assert format_record(exc_text="Traceback ...")["exception"] == {"stack": "Traceback ..."}


anything = st.one_of(st.text(), st.binary(), st.floats(), st.builds(object))


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=())), anything), anything)
def test_any_extra_makes_one_valid_line(extra: dict[str, object], message: object) -> None:
    record = logging.LogRecord("shop", logging.INFO, "", 0, message, None, None)
    record.__dict__.update({f"x{key}": value for key, value in extra.items()})
    line = LineFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["logger"] == "shop"


async def talkative(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        with log_context(order=7):
            logging.getLogger("shop").info("packed")
    await hello(scope, receive, send)


def test_the_app_s_lines_carry_the_request_id(tmp_path: Path) -> None:
    said, access = logged(tmp_path, http(), app=talkative, logging={"capture": True})
    assert (said["logger"], said["message"], said["order"]) == ("shop", "packed", 7)
    assert said["request_id"] == access["request_id"]
