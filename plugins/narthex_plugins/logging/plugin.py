"""The logging plugin: wiring only. What a line says is in `lines`, how it leaves in `sink`."""

from collections.abc import Sequence
from typing import ClassVar

from narthex import Exchange, House, hookimpl
from narthex.errors import StartError
from narthex.hooks import Health
from narthex.verdict import Header
from narthex_plugins.logging.capture import Capture, tell
from narthex_plugins.logging.encode import encode
from narthex_plugins.logging.lines import RANKS, Timestamps, access_line, error_line, level_of
from narthex_plugins.logging.output import Output, Target
from narthex_plugins.logging.settings import LoggingSettings
from narthex_plugins.logging.sink import Sink


class Logging:
    """Writes an access line per exchange, an error line per exception, and the process's own log lines, as JSON."""

    name: ClassVar = "logging"
    Settings: ClassVar = LoggingSettings

    def __init__(self, settings: LoggingSettings, house: House) -> None:
        self._settings = settings
        self._house = house
        self._now, self._monotonic = house.clock.now, house.clock.monotonic
        self._timestamp = Timestamps().text
        self._rank = RANKS[settings.level]
        self._header = settings.header.lower().encode("ascii")
        dropped = house.metrics.counter(
            "narthex_log_lines_dropped_total", "Log lines lost: queue full, or the output took none.", ("plugin",)
        )
        standard = settings.output in ("stdout", "stderr")
        target: Target = settings.output if standard else house.directory / settings.output  # type: ignore[assignment]
        self._sink = Sink(
            Output(target), settings.queue, self._report, lambda count: dropped.inc(house.instance, by=count)
        )
        self._capture = Capture(self._sink, settings.level, terminal=standard) if settings.capture else None

    @hookimpl
    def start(self) -> None:
        """Open the output, start the thread that writes, take the root logger.

        Raises:
            StartError: the output cannot be opened.
        """
        try:
            self._sink.start(self._house.instance)
        except OSError as error:
            raise StartError(
                f"plugin {self._house.instance} cannot write to {self._settings.output}: {error.strerror}",
                hint="`output` is relative to the configuration file, and its directory must exist",
            ) from error
        if self._capture is not None:
            self._capture.begin()

    @hookimpl
    def stop(self) -> None:
        """Give the root logger back and write what waits, for two seconds at most."""
        if self._capture is not None:
            self._capture.end()
        self._sink.stop()

    @hookimpl
    def respond(self, exchange: Exchange) -> Sequence[Header] | None:
        """Send the request id, so that a user can quote it."""
        return ((self._header, exchange.id.encode("ascii")),) if self._header else None

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        """Put the lines of a finished exchange into the queue. Costs about 3 µs without an exception."""
        error = exchange.error
        level = level_of(exchange)
        if RANKS[level] < self._rank or (level == "info" and exchange.plan.quiet):
            return
        time = self._timestamp(self._now())
        if error is not None:
            self._sink.put(error_line(exchange, error, time))
            if self._capture is not None:
                tell(error)
        self._sink.put(access_line(exchange, time, level, self._monotonic, query=self._settings.query))

    @hookimpl
    def health(self) -> Health:
        """Warn while lines are being lost."""
        return Health("warn", "log lines are being lost") if self._sink.failing else Health("pass")

    def _report(self, count: int) -> bytes:
        """The line that says how many lines are missing."""
        return encode(
            {
                "time": self._timestamp(self._now()),
                "level": "warning",
                "logger": self._house.log.name,
                "message": f"{count} log lines dropped",
                "dropped": count,
            }
        )
