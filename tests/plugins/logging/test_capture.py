import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from narthex import levels
from narthex.levels import LEVELS
from narthex_plugins.logging.capture import Capture, tell
from narthex_plugins.logging.output import Output
from narthex_plugins.logging.sink import Sink
from narthex_plugins.logging.thresholds import Threshold
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
        self.threshold = Threshold(LEVELS[level], self._follow)
        self.capture = Capture(sink, self.threshold, terminal=terminal)

    def __enter__(self) -> Self:
        self.capture.begin()
        self.threshold.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.threshold.end()
        self.capture.end()

    def _follow(self) -> None:
        self.capture.follow()

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


@pytest.fixture
def console() -> Iterator[tuple[logging.Logger, logging.Logger]]:
    """uvicorn's loggers as its own configuration sets them up."""
    error, access = logging.getLogger("uvicorn"), logging.getLogger("uvicorn.access")
    before = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in (error, access)]
    for logger, stream in ((error, sys.stderr), (access, sys.stdout)):
        logger.handlers[:] = [logging.StreamHandler(stream)]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    yield error, access
    for logger, handlers, propagate, level in before:
        logger.handlers[:] = handlers
        logger.propagate = propagate
        logger.setLevel(level)


def test_a_server_s_console_log_becomes_json_and_comes_back(
    tmp_path: Path, console: tuple[logging.Logger, logging.Logger], capfd: pytest.CaptureFixture[str]
) -> None:
    error, access = console
    before = [(list(logger.handlers), logger.propagate, logger.disabled) for logger in console]
    with Captured(tmp_path / "log") as captured:
        logging.getLogger("uvicorn.error").info("up")
        access.info("GET / 200")
    assert [line["message"] for line in captured.lines] == ["up"]
    assert "up" not in "".join(capfd.readouterr())
    assert [(list(logger.handlers), logger.propagate, logger.disabled) for logger in console] == before
    error.info("down")
    assert [line["message"] for line in captured.lines] == ["up"]


def test_a_logger_s_own_terminal_handler_makes_room_too(tmp_path: Path) -> None:
    """As SQLAlchemy's `echo=True` puts one up: it would print each line again, and unredacted."""
    logger, handler = logging.getLogger("shop.echo"), logging.StreamHandler(sys.stdout)
    logger.addHandler(handler)
    with Captured(tmp_path / "log") as captured:
        assert handler not in logger.handlers
        logger.warning("once")
    assert handler in logger.handlers
    logger.removeHandler(handler)
    assert [line["message"] for line in captured.lines] == ["once"]


def test_a_logger_that_does_not_propagate_is_left_alone(tmp_path: Path) -> None:
    logger, handler = logging.getLogger("shop.apart"), logging.StreamHandler(sys.stdout)
    logger.addHandler(handler)
    logger.propagate = False
    with Captured(tmp_path / "log"):
        assert logger.handlers == [handler]
    logger.removeHandler(handler)
    logger.propagate = True


@pytest.fixture
def given_back() -> Iterator[None]:
    yield
    for name in levels.changed():
        levels.change(name, levels.DEFAULT)


@pytest.mark.usefixtures("given_back")
def test_a_level_given_while_running_lowers_the_one_that_takes_most(tmp_path: Path) -> None:
    with Captured(tmp_path / "all") as everything, Captured(tmp_path / "errors", "error") as errors:
        levels.change("shop", "debug")
        logging.getLogger("shop.orders").debug("little")
        logging.getLogger("other").debug("nothing")
        levels.change("shop", "critical")
        logging.getLogger("shop.orders").error("much")
        levels.change("shop", levels.DEFAULT)
        logging.getLogger("shop.orders").debug("too little")
        logging.getLogger("shop.orders").error("enough")
    assert [line["message"] for line in everything.lines] == ["little", "enough"]
    assert [line["message"] for line in errors.lines] == ["enough"]


@pytest.mark.usefixtures("given_back")
def test_who_is_left_is_the_one_that_takes_most(tmp_path: Path) -> None:
    with Captured(tmp_path / "errors", "error") as errors:
        with Captured(tmp_path / "all", "debug"):
            levels.change("shop", "debug")
            logging.getLogger("shop").debug("little")
            assert root.level == logging.DEBUG
        assert root.level == logging.ERROR
        logging.getLogger("shop").debug("more")
    assert [line["message"] for line in errors.lines] == ["more"]


@pytest.mark.usefixtures("given_back")
def test_a_level_given_to_the_root_outlives_a_new_capture(tmp_path: Path) -> None:
    with Captured(tmp_path / "log"):
        levels.change("root", "debug")
        with Captured(tmp_path / "other", "warning"):
            assert root.level == logging.DEBUG
        assert root.level == logging.DEBUG
        levels.change("root", levels.DEFAULT)
        assert root.level == logging.INFO


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
