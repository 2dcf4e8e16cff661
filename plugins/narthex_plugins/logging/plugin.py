"""The logging plugin: wiring only. What a line says is in `lines`, how it leaves in `sink`."""

from collections.abc import Sequence
from typing import ClassVar

from narthex import Exchange, House, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.detectors import Names, Redactor
from narthex.errors import StartError
from narthex.hooks import Health
from narthex.verdict import Header
from narthex_plugins.logging.alerting import BOARD, RULE
from narthex_plugins.logging.capture import Capture, tell
from narthex_plugins.logging.encode import encode
from narthex_plugins.logging.lines import ACCESS, ERROR, RANKS, Lines, Timestamps
from narthex_plugins.logging.output import Output, Target
from narthex_plugins.logging.settings import LoggingSettings
from narthex_plugins.logging.shapes import SHAPES
from narthex_plugins.logging.sink import Sink
from narthex_plugins.logging.thresholds import Threshold


class Logging:
    """Writes an access line per exchange, an error line per exception, and the process's own log lines, as JSON."""

    name: ClassVar = "logging"
    Settings: ClassVar = LoggingSettings

    def __init__(self, settings: LoggingSettings, house: House) -> None:
        self._settings = settings
        self._house = house
        self._now = house.clock.now
        self._timestamp = Timestamps().text
        self._header = settings.header.lower().encode("ascii")
        self._shape = SHAPES[settings.fields]
        redactor = Redactor(Names(settings.redact_names, settings.keep_names)) if settings.redact else None
        self._lines = Lines(
            house.clock.monotonic,
            redactor,
            levels=settings.levels,
            headers=settings.headers,
            query=settings.query,
            shape=self._shape,
        )
        self._threshold = Threshold(RANKS[settings.level], self._follow)
        self._access_rank = self._error_rank = self._threshold.rank
        dropped = house.metrics.counter(
            "narthex_log_lines_dropped_total", "Log lines lost: queue full, or the output took none.", ("plugin",)
        )
        standard = settings.output in ("stdout", "stderr")
        target: Target = settings.output if standard else house.directory / settings.output  # type: ignore[assignment]
        self._sink = Sink(
            Output(target), settings.queue, self._report, lambda count: dropped.inc(house.instance, by=count)
        )
        house.metrics.gauge("narthex_queue_length", "What waits to be written.", ("queue",)).watch(
            lambda: len(self._sink), house.instance
        )
        self._capture = (
            Capture(self._sink, self._threshold, terminal=standard, redactor=redactor, shape=self._shape)
            if settings.capture
            else None
        )

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
        self._threshold.begin()

    @hookimpl
    def stop(self) -> None:
        """Give the root logger back and write what waits, for two seconds at most."""
        self._threshold.end()
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
        level = self._lines.level_of(exchange)
        if RANKS[level] < self._access_rank or (level == "info" and exchange.plan.quiet):
            return
        time = self._timestamp(self._now())
        if error is not None:
            self._tell(exchange, error, time)
        self._sink.put(self._lines.access(exchange, time, level))

    @hookimpl
    def alert_rules(self) -> Sequence[AlertRule]:
        """Tell when lines are lost."""
        return (RULE,)

    @hookimpl
    def dashboards(self) -> Sequence[Board]:
        """Show how many."""
        return (BOARD,)

    @hookimpl
    def health(self) -> Health:
        """Warn while lines are being lost."""
        return Health("warn", "log lines are being lost") if self._sink.failing else Health("pass")

    def _tell(self, exchange: Exchange, error: BaseException, time: str) -> None:
        if RANKS["error"] >= self._error_rank:
            self._sink.put(self._lines.error(exchange, error, time))
            if self._capture is not None:
                tell(error)

    def _follow(self) -> None:
        """Take note of a level that was changed while running."""
        self._access_rank, self._error_rank = self._threshold.of(ACCESS), self._threshold.of(ERROR)
        if self._capture is not None:
            self._capture.follow()

    def _report(self, count: int) -> bytes:
        """The line that says how many lines are missing."""
        fields: dict[str, object] = {
            "time": self._timestamp(self._now()),
            "level": "warning",
            "logger": self._house.log.name,
            "message": f"{count} log lines dropped",
            "dropped": count,
        }
        return encode(fields if self._shape is None else self._shape(fields))
