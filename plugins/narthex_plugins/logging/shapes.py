"""The names of fields: ours, the Elastic Common Schema's, or OpenTelemetry's.

Lines are made with our names and renamed as a whole, so that each kind of line says the same in all three. What the
app adds keeps its names: at the top in ECS, in `Attributes` in OpenTelemetry; the line's own fields are never
overridden by it.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, cast

FieldNames = Literal["default", "ecs", "otel"]
Fields = dict[str, object]
Shape = Callable[[Mapping[str, object]], Fields]

ECS_VERSION: Final = "9.2.0"

# https://www.elastic.co/docs/reference/ecs. Dotted names are the same to Elasticsearch as nested objects.
_ECS: Final[dict[str, str]] = {
    "message": "message",
    "request_id": "http.request.id",
    "trace_id": "trace.id",
    "client": "client.address",
    "method": "http.request.method",
    "path": "url.path",
    "query": "url.query",
    "status": "http.response.status_code",
    "bytes": "http.response.body.bytes",
    "subject": "user.id",
    "error": "error.type",
    "code": "event.code",
    "reason": "event.reason",
    "rule": "rule.name",
    "plugin": "narthex.plugin",
    "where": "narthex.where",
    "headers": "http.request.headers",
}
_ECS_ERROR: Final = {"type": "error.type", "message": "error.message", "stack": "error.stack_trace"}

# https://opentelemetry.io/docs/specs/semconv/: http, url, client, user, exception, error.
_OTEL: Final[dict[str, str]] = {
    "client": "client.address",
    "method": "http.request.method",
    "path": "url.path",
    "query": "url.query",
    "status": "http.response.status_code",
    "bytes": "http.response.body.size",
    "subject": "user.id",
    "error": "error.type",
    "request_id": "narthex.request_id",
    "code": "narthex.code",
    "reason": "narthex.reason",
    "rule": "narthex.rule",
    "plugin": "narthex.plugin",
    "where": "narthex.where",
}
_OTEL_ERROR: Final = {"type": "exception.type", "message": "exception.message", "stack": "exception.stacktrace"}
# https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES: Final = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_TOP: Final = frozenset({"time", "level", "logger", "message", "trace_id"})


def ecs(line: Mapping[str, object]) -> Fields:
    """A line with the names of ECS; the duration in nanoseconds."""
    shaped: Fields = {
        "@timestamp": line.get("time"),
        "log.level": line.get("level"),
        "message": line.get("message"),
        "ecs.version": ECS_VERSION,
        "log.logger": line.get("logger"),
    }
    for name, value in line.items():
        match name:
            case "time" | "level" | "logger":
                pass
            case "duration_ms":
                shaped["event.duration"] = int(float(cast("float", value)) * 1e6)
            case "exception":
                _spread(shaped, value, _ECS_ERROR)
            case _ if name in _ECS:
                shaped[_ECS[name]] = value
            case _:
                shaped[f"{name}_" if name in shaped or name in _ECS_NAMES else name] = value
    return shaped


def otel(line: Mapping[str, object]) -> Fields:
    """A line as a log record of OpenTelemetry; the duration in seconds, the time in nanoseconds since the epoch."""
    attributes: Fields = {}
    for name, value in line.items():
        match name:
            case _ if name in _TOP:
                pass
            case "duration_ms":
                attributes["http.server.request.duration"] = float(cast("float", value)) / 1000
            case "exception":
                _spread(attributes, value, _OTEL_ERROR)
            case "headers" if isinstance(value, dict):
                fields = cast("dict[str, object]", value)
                attributes.update({f"http.request.header.{field}": [text] for field, text in fields.items()})
            case _ if name in _OTEL:
                attributes[_OTEL[name]] = value
            case _:
                attributes[f"{name}_" if name in attributes or name in _OTEL_NAMES else name] = value
    level = str(line.get("level"))
    shaped: Fields = {
        "Timestamp": _nanoseconds(str(line.get("time"))),
        "SeverityText": level.upper(),
        "SeverityNumber": _SEVERITIES.get(level, 9),
        "InstrumentationScope": {"Name": line.get("logger")},
        "Body": line.get("message"),
    }
    if "trace_id" in line:
        shaped["TraceId"] = line["trace_id"]
    shaped["Attributes"] = attributes
    return shaped


_ECS_NAMES: Final = {*_ECS.values(), *_ECS_ERROR.values(), "event.duration", "@timestamp", "log.level"}
_OTEL_NAMES: Final = {*_OTEL.values(), *_OTEL_ERROR.values(), "http.server.request.duration"}

SHAPES: Final[dict[FieldNames, Shape | None]] = {"default": None, "ecs": ecs, "otel": otel}
"""By the setting's words; ours need no renaming."""


def _spread(shaped: Fields, value: object, names: Mapping[str, str]) -> None:
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        shaped.update({new: known[name] for name, new in names.items() if name in known})


def _nanoseconds(time: str) -> str:
    """As text, since JSON's numbers are exact only to 2**53."""
    try:
        moment = dt.datetime.fromisoformat(time)
    except ValueError:
        return time
    return f"{int(moment.timestamp())}{moment.microsecond:06d}000"
