import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from narthex_plugins.logging.capture import Capture, tell
from narthex_plugins.logging.output import Output
from narthex_plugins.logging.sink import Sink
from tests.plugins.logging.drive import read

root = logging.getLogger()


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    handlers, level = list(root.handlers), root.level
    yield
    assert (root.handlers, root.level) == (handlers, level)


@pytest.fixture
def terminal() -> Iterator[logging.Handler]:
    """What `logging.basicConfig` puts on the root logger."""
    handler = logging.StreamHandler(sys.stderr)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


class Captured:
    """A capture into a file, open to read at any time."""

    def __init__(self, path: Path, level: Any = "info", *, terminal: bool = True) -> None:
        self._path = path
        sink = Sink(Output(path), 100, lambda count: b"", lambda count: None)  # without its thread: written at once
        self.capture = Capture(sink, level, terminal=terminal)

    def __enter__(self) -> Self:
        self.capture.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.capture.end()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return read(self._path)


def test_the_process_s_lines_become_json(tmp_path: Path) -> None:
    with Captured(tmp_path / "log") as captured:
        logging.getLogger("shop").info("said %s", "it", extra={"order": 1})
    (line,) = captured.lines
    assert (line["logger"], line["message"], line["order"]) == ("shop", "said it", 1)


def test_the_root_logger_is_given_back(tmp_path: Path) -> None:
    before = (list(root.handlers), root.level)
    with Captured(tmp_path / "log", "debug"):
        assert root.level == logging.DEBUG
    assert (root.handlers, root.level) == before


def test_terminal_handlers_make_room_and_come_back(tmp_path: Path, terminal: logging.Handler) -> None:
    with Captured(tmp_path / "log"):
        assert terminal not in root.handlers
    assert terminal in root.handlers


def test_terminal_handlers_stay_where_the_lines_go_to_a_file(tmp_path: Path, terminal: logging.Handler) -> None:
    with Captured(tmp_path / "log", terminal=False):
        assert terminal in root.handlers


def test_other_handlers_stay(tmp_path: Path) -> None:
    stream = io.StringIO()
    other = logging.StreamHandler(stream)
    root.addHandler(other)
    with Captured(tmp_path / "log"):
        logging.getLogger("shop").warning("both")
    assert stream.getvalue() == "both\n"
    root.removeHandler(other)


def test_two_captures_each_have_their_level_and_the_last_to_go_gives_back(
    tmp_path: Path, terminal: logging.Handler
) -> None:
    level = root.level
    with Captured(tmp_path / "b", "warning") as errors:
        all_lines = Captured(tmp_path / "a", "debug")
        all_lines.capture.begin()
        logging.getLogger("shop").debug("little")
        logging.getLogger("shop").warning("much")
        assert [len(captured.lines) for captured in (all_lines, errors)] == [2, 1]
    assert terminal not in root.handlers
    all_lines.capture.end()
    assert terminal in root.handlers
    assert root.level == level


def test_an_app_that_configures_logging_itself_is_right(tmp_path: Path) -> None:
    with Captured(tmp_path / "log") as captured:
        handlers = list(root.handlers)
        for handler in handlers:
            root.removeHandler(handler)  # as basicConfig(force=True) does
        logging.getLogger("shop").error("elsewhere")
        for handler in handlers:
            root.addHandler(handler)
    assert not (tmp_path / "log").exists()
    assert captured.capture.level == logging.INFO


def test_warnings_become_lines_and_go_back_to_where_they_went(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown = warnings.showwarning
        with Captured(tmp_path / "log") as captured:
            warnings.warn("old way", DeprecationWarning, stacklevel=1)
        assert warnings.showwarning is shown
    assert [line["logger"] for line in captured.lines] == ["py.warnings"]


def test_an_exception_with_an_error_line_is_not_written_again(tmp_path: Path) -> None:
    known, new = ValueError("known"), ValueError("new")
    tell(known)
    with Captured(tmp_path / "log") as captured:
        for error in (known, new):
            logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
    assert [line["exception"]["message"] for line in captured.lines] == ["new"]


def test_the_app_may_log_an_exception_that_has_an_error_line(tmp_path: Path) -> None:
    shared = ConnectionError("refused")  # as a failed task raises it to everyone who waits for it
    tell(shared)
    with Captured(tmp_path / "log") as captured:
        logging.getLogger("shop").error("payment lost", exc_info=shared)
        logging.getLogger("uvicorn_of_mine").error("order lost", exc_info=shared)
    assert [line["message"] for line in captured.lines] == ["payment lost", "order lost"]


def test_a_record_that_cannot_be_formatted_raises_nothing(tmp_path: Path) -> None:
    record = logging.LogRecord("shop", logging.INFO, "", 0, "%d", ("x",), None)
    with Captured(tmp_path / "log") as captured:
        captured.capture._handler.handle(record)
    assert captured.lines[0]["format_error"] == "TypeError"


def test_uvicorn_s_coloured_copy_of_a_message_is_left_out(tmp_path: Path) -> None:
    with Captured(tmp_path / "log") as captured:
        logging.getLogger("uvicorn.error").info("up", extra={"color_message": "\x1b[1mup\x1b[0m"})
    assert "color" not in json.dumps(captured.lines)
