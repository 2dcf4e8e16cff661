"""The standard library's log records as JSON lines, with the ids of the exchange in whose context they are logged."""

import logging
from typing import Final

from pythonjsonlogger.core import LogData
from pythonjsonlogger.msgspec import MsgspecFormatter

from narthex.context import current_exchange, log_fields
from narthex_plugins.logging.encode import encode
from narthex_plugins.logging.lines import Timestamps, describe

_LEVELS: Final = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
_COPIES: Final = frozenset({"color_message"})  # uvicorn's message once more, with terminal colours in it


class LineFormatter(MsgspecFormatter):
    """python-json-logger's formatter, told our field names.

    The line's own fields come first and cannot be overridden: a `log_context` or `extra` field of the same name is
    written with an underscore behind it. `extra` wins over `log_context`. A message that is a dict becomes fields.
    """

    def __init__(self) -> None:
        # No fields of its own choosing: ours are put in below.
        super().__init__(fmt=[])  # pyright: ignore[reportUnknownMemberType]
        self._timestamp = Timestamps().text

    def format(self, record: logging.LogRecord) -> str:
        """One line without its newline. Never raises, whatever the record holds."""
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001  "%d" with a text, an argument whose __str__ raises, ...
            return self._unformatted(record, error)

    def add_fields(self, log_data: LogData, record: logging.LogRecord, message_dict: dict[str, object]) -> None:
        """Fill the line: its own fields, then the context's, then what was given with the record."""
        log_data.update(self._own_fields(record, record.message))
        own = frozenset(log_data) | {"exception"}
        stack = message_dict.pop("exc_info", None) if record.exc_info or record.exc_text else None
        if record.exc_info and record.exc_info[1] is not None:
            log_data["exception"] = describe(record.exc_info[1])
        elif stack:  # a record out of a queue carries its exception as text only
            log_data["exception"] = {"stack": stack}
        given: LogData = {}
        super().add_fields(given, record, message_dict)
        for key, value in (*log_fields().items(), *given.items()):
            if key not in _COPIES:
                log_data[f"{key}_" if key in own else key] = value

    def jsonify_log_record(self, log_data: LogData) -> str:
        """Encode by our own rules, which are the access line's too: see `encode`."""
        return encode(log_data)[:-1].decode()

    def formatException(self, ei: object) -> str:  # noqa: ARG002, N802  the parent would format it a second time
        """Leave the exception to `add_fields`, which writes type, message and stack."""
        return ""

    def _own_fields(self, record: logging.LogRecord, message: str) -> LogData:
        fields: LogData = {
            "time": self._timestamp(record.created),
            "level": _LEVELS.get(record.levelno) or record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        exchange = current_exchange()
        if exchange is not None:
            fields["request_id"] = exchange.id
            if exchange.trace_id is not None:
                fields["trace_id"] = exchange.trace_id
        return fields

    def _unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        fields = self._own_fields(record, "")
        fields |= {"message": record.msg, "args": record.args, "format_error": type(error).__qualname__}
        return self.jsonify_log_record(fields)
