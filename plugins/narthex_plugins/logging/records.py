"""The standard library's log records as JSON lines, with the ids of the exchange in whose context they are logged."""

import logging
import re
from collections.abc import Sequence
from typing import Final

from pythonjsonlogger.core import LogData
from pythonjsonlogger.msgspec import MsgspecFormatter

from narthex.context import current_exchange, log_fields
from narthex.detectors import MASK, Redactor
from narthex.exchange import Exchange
from narthex_plugins.logging.credentials import of_environment, of_exchange
from narthex_plugins.logging.encode import encode, plain, redacted
from narthex_plugins.logging.lines import Timestamps, describe, request_id
from narthex_plugins.logging.shapes import Shape

_LEVELS: Final = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
_COPIES: Final = frozenset({"color_message"})  # uvicorn's message once more, with terminal colours in it
_SQL: Final = ("sqlalchemy.", "django.db.backends", "aiosqlite", "asyncpg", "databases", "peewee", "tortoise.")
"""Beginnings of the names of loggers that write statements with their parameters, and nothing to know them by."""
_LITERAL: Final = re.compile(r"(?P<quote>'|\"(?=[^\"]*'))(?:(?!(?P=quote)).)*+(?P=quote)?", re.DOTALL)
_PARAMETERS: Final = frozenset({"params", "parameters", "args"})


class LineFormatter(MsgspecFormatter):
    """python-json-logger's formatter, told our field names.

    The line's own fields come first and cannot be overridden: a `log_context` or `extra` field of the same name is
    written with an underscore behind it. `extra` wins over `log_context`. A message that is a dict becomes fields.

    Args:
        redactor: takes secrets out of messages, fields and stacks; None leaves them.
        shape: renames the fields; None keeps our names.
    """

    def __init__(self, redactor: Redactor | None = None, shape: Shape | None = None) -> None:
        # No fields of its own choosing: ours are put in below.
        super().__init__(fmt=[])  # pyright: ignore[reportUnknownMemberType]
        self._timestamp = Timestamps().text
        self._redactor = redactor
        self._shape = shape
        self._environment = of_environment(redactor.names) if redactor is not None else ()

    def format(self, record: logging.LogRecord) -> str:
        """One line without its newline. Never raises, whatever the record holds."""
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001  "%d" with a text, an argument whose __str__ raises, ...
            return self._unformatted(record, error)

    def add_fields(self, log_data: LogData, record: logging.LogRecord, message_dict: dict[str, object]) -> None:
        """Fill the line: its own fields, then the context's, then what was given with the record."""
        exchange = current_exchange()
        known = self._known(exchange)
        log_data.update(self._own_fields(record, self._message(record, known), exchange))
        own = frozenset(log_data) | {"exception"}
        stack = message_dict.pop("exc_info", None) if record.exc_info or record.exc_text else None
        if record.exc_info and record.exc_info[1] is not None:
            log_data["exception"] = describe(record.exc_info[1], self._redactor, known)
        elif stack:  # a record out of a queue carries its exception as text only
            log_data["exception"] = {"stack": self._clean(str(stack), known)}
        given: LogData = {}
        super().add_fields(given, record, message_dict)
        given = {**log_fields(), **given}
        for copy in _COPIES & given.keys():
            del given[copy]
        if record.name.startswith(_SQL) and self._redactor is not None:
            given = {key: MASK if key in _PARAMETERS else _without_literals(value) for key, value in given.items()}
        for key, value in plain(given, self._redactor, known).items() if given else ():
            log_data[f"{key}_" if key in own else key] = value

    def jsonify_log_record(self, log_data: LogData) -> str:
        """Encode by our own rules, which are the access line's too: see `encode`."""
        shaped = log_data if self._shape is None else self._shape(log_data)
        return encode(shaped)[:-1].decode()

    def formatException(self, ei: object) -> str:  # noqa: ARG002, N802  the parent would format it a second time
        """Leave the exception to `add_fields`, which writes type, message and stack."""
        return ""

    def _own_fields(self, record: logging.LogRecord, message: str, exchange: Exchange | None) -> LogData:
        fields: LogData = {
            "time": self._timestamp(record.created),
            "level": _LEVELS.get(record.levelno) or record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        if exchange is not None:
            fields["request_id"] = request_id(exchange, self._redactor)
            if exchange.trace_id is not None:
                fields["trace_id"] = exchange.trace_id
            if exchange.identity is not None:
                fields["subject"] = exchange.identity.subject
        return fields

    def _known(self, exchange: Exchange | None) -> Sequence[str]:
        """Values that are secret by themselves."""
        if self._redactor is None:
            return ()
        if exchange is None:
            return self._environment
        return (*of_exchange(exchange, self._redactor.names), *self._environment)

    def _message(self, record: logging.LogRecord, known: Sequence[str]) -> str:
        message = record.message
        if self._redactor is not None and record.name.startswith(_SQL):
            message = _LITERAL.sub(MASK, message)
        return self._clean(message, known)

    def _clean(self, text: str, known: Sequence[str]) -> str:
        return text if self._redactor is None else redacted(text, self._redactor, known)

    def _unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        """What there is of a record whose message and arguments do not fit; which is which, nobody can tell."""
        exchange = current_exchange()
        fields = self._own_fields(record, "", exchange)
        fields |= {"message": record.msg, "args": record.args, "format_error": type(error).__qualname__}
        if self._redactor is not None:
            if self._redactor.names_secret(str(record.msg)) or record.name.startswith(_SQL):
                fields["args"] = MASK
            fields = {
                **fields,
                **plain({"message": record.msg, "args": fields["args"]}, self._redactor, self._known(exchange)),
            }
        return self.jsonify_log_record(fields)


def _without_literals(value: object) -> object:
    return _LITERAL.sub(MASK, value) if isinstance(value, str) else value
