"""The same line by three names."""

import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from narthex import log_context
from narthex_plugins.logging.records import LineFormatter
from narthex_plugins.logging.shapes import SHAPES, ecs, otel
from tests.plugins.logging.drive import http, logged

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ASKED = http(
    "/orders/7",
    query_string=b"page=2",
    headers=[("x-request-id", "abc"), ("user-agent", "curl/8"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")],
)
MORE = {"query": True, "headers": ["user-agent"]}


def lines(tmp_path: Path, fields: str, path: str = "/orders/7") -> list[dict[str, Any]]:
    return logged(tmp_path, {**ASKED, "path": path}, logging={"fields": fields, **MORE})


def test_an_access_line_in_the_elastic_common_schema(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, "ecs")
    assert dt.datetime.fromisoformat(line.pop("@timestamp")).tzinfo == dt.UTC
    assert 0 < line.pop("event.duration") < 5e9
    assert line == {
        "log.level": "info",
        "message": "GET /orders/7 200",
        "ecs.version": "9.2.0",
        "log.logger": "narthex.access",
        "http.request.id": "abc",
        "client.address": "127.0.0.1",
        "http.request.method": "GET",
        "url.path": "/orders/7",
        "http.response.status_code": 200,
        "http.response.body.bytes": 5,
        "url.query": "page=2",
        "trace.id": TRACE,
        "http.request.headers": {"user-agent": "curl/8"},
    }


def test_an_access_line_as_a_log_record_of_opentelemetry(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, "otel")
    assert abs(int(line.pop("Timestamp")) / 1e9 - dt.datetime.now(dt.UTC).timestamp()) < 60
    assert 0 < line["Attributes"].pop("http.server.request.duration") < 5
    assert line == {
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "InstrumentationScope": {"Name": "narthex.access"},
        "Body": "GET /orders/7 200",
        "TraceId": TRACE,
        "Attributes": {
            "narthex.request_id": "abc",
            "client.address": "127.0.0.1",
            "http.request.method": "GET",
            "url.path": "/orders/7",
            "http.response.status_code": 200,
            "http.response.body.size": 5,
            "url.query": "page=2",
            "http.request.header.user-agent": ["curl/8"],
        },
    }


def test_an_error_line_has_ecs_names_for_the_exception(tmp_path: Path) -> None:
    error, access = lines(tmp_path, "ecs", "/boom")
    assert (error["error.type"], error["error.message"], error["trace.id"]) == ("ValueError", "no luck", TRACE)
    assert "Traceback" in error["error.stack_trace"]
    assert access["error.type"] == "ValueError"


def test_an_error_line_has_opentelemetry_s_names_for_the_exception(tmp_path: Path) -> None:
    error, _ = lines(tmp_path, "otel", "/boom")
    assert (error["SeverityNumber"], error["Attributes"]["exception.type"]) == (17, "ValueError")
    assert "Traceback" in error["Attributes"]["exception.stacktrace"]


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.WARNING, "", 0, "said %s", ("it",), None)
    made.__dict__.update(extra)
    return made


def test_the_app_s_fields_stand_at_the_top_or_among_the_attributes() -> None:
    with log_context(order=7):
        by_ecs = json.loads(LineFormatter(shape=ecs).format(record()))
        by_otel = json.loads(LineFormatter(shape=otel).format(record()))
    assert (by_ecs["order"], by_ecs["log.level"], by_ecs["message"]) == (7, "warning", "said it")
    assert (by_otel["Attributes"], by_otel["SeverityText"], by_otel["Body"]) == ({"order": 7}, "WARNING", "said it")


@pytest.mark.parametrize(
    ("fields", "name"), [("ecs", "log.level"), ("ecs", "url.path"), ("ecs", "error.type"), ("otel", "url.path")]
)
def test_nobody_can_forge_a_field_of_the_line(fields: Any, name: str) -> None:
    line = json.loads(LineFormatter(shape=SHAPES[fields]).format(record(**{name: "forged"})))
    line = line["Attributes"] if fields == "otel" else line
    assert line[f"{name}_"] == "forged"
    assert line.get(name) != "forged"


def test_what_reports_dropped_lines_has_the_names_too() -> None:
    line = ecs({"time": "2026-01-02T03:04:05.678Z", "level": "warning", "logger": "x", "message": "m", "dropped": 3})
    assert (line["log.level"], line["dropped"]) == ("warning", 3)
    record = otel({"time": "2026-01-02T03:04:05.678Z", "level": "warning", "logger": "x", "message": "m"})
    assert record["Timestamp"] == "1767323045678000000"
