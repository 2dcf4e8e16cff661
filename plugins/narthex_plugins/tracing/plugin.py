"""The tracing plugin: wiring only. The engines are in `otel` and `lean`, the way out is in `exporting`."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

from narthex import House, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.errors import ConfigError, StartError
from narthex.hooks import Health, Outside
from narthex_plugins.tracing.alerting import RESULTS, RULES, SPANS, board
from narthex_plugins.tracing.attributes import Collector, convention, schema_url
from narthex_plugins.tracing.exporting import Pipeline, register
from narthex_plugins.tracing.settings import TracingSettings
from narthex_plugins.tracing.spans import ServerSpan, Spans


class Engine(Protocol):
    """An ASGI wrapper that makes spans, once they can be made.

    Attributes:
        kind: the class of its spans.
    """

    kind: ClassVar[type[ServerSpan]]

    def use(self, spans: Spans | None) -> None:
        """Make spans from now on; with None, make none."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one exchange."""
        ...


class Tracing:
    """Makes one server span per exchange, refused ones too, and gives the exchange its trace id."""

    name: ClassVar = "tracing"
    Settings: ClassVar = TracingSettings

    def __init__(self, settings: TracingSettings, house: House) -> None:
        self._settings = settings
        self._house = house
        self._pipeline: Pipeline | None = None
        self._engines: list[Engine] = []
        self._lost = (0, 0)
        spans = house.metrics.counter(
            SPANS,
            "Spans that ended, were exported, were refused by the collector, or found no room.",
            ("plugin", "result"),
        )
        for result in RESULTS:
            spans.watch(partial(self._count, result), house.instance, result)
        house.metrics.gauge("narthex_queue_length", "What waits to be written.", ("queue",)).watch(
            lambda: 0 if self._pipeline is None else self._pipeline.waiting, house.instance
        )

    @hookimpl
    def wrap(self) -> Outside:
        """Stand round the whole walk, so that refusals have a span and every plugin's work happens within it."""
        return Outside(self._wrapped)

    @hookimpl
    def start(self) -> None:
        """Make the provider and its thread, in the process that serves.

        Raises:
            StartError: the exporter cannot be made.
        """
        try:
            pipeline = Pipeline(self._settings)
        except ConfigError as error:
            raise StartError(f"plugin {self._house.instance}: {error.args[0]}", hint=error.hint) from error
        except Exception as error:  # whatever an exporter makes of its variables
            raise StartError(
                f"plugin {self._house.instance} cannot make its exporter: {type(error).__name__}: {error}"
            ) from error
        if self._settings.register_provider and not register(pipeline.provider):
            self._house.log.warning("the process has a tracer provider already, which the app's own spans follow")
        self._pipeline = pipeline
        schema = schema_url(convention())
        for engine in self._engines:
            engine.use(pipeline.spans(schema, engine.kind))

    @hookimpl
    async def stop(self) -> None:
        """Make no more spans, and send what waits."""
        for engine in self._engines:
            engine.use(None)
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            lost = await pipeline.close(self._settings.flush)
            if lost:
                self._house.log.warning("%d spans did not reach the collector", lost)

    @hookimpl
    def alert_rules(self) -> Sequence[AlertRule]:
        """Tell when spans are lost."""
        return RULES

    @hookimpl
    def dashboards(self) -> Sequence[Board]:
        """Show what becomes of spans."""
        return (board(self._house.instance),)

    @hookimpl
    def health(self) -> Health:
        """Warn while spans are lost."""
        lost, before = (self._count("failed"), self._count("dropped")), self._lost
        self._lost = lost
        if lost[0] > before[0]:
            return Health("warn", "the collector takes no spans")
        return Health("warn", "spans are dropped") if lost[1] > before[1] else Health("pass")

    def _wrapped(self, app: ASGIApp) -> ASGIApp:
        engine: Engine
        if self._settings.engine == "otel":
            from narthex_plugins.tracing.otel import OtelEngine  # noqa: PLC0415  only the engine that is used

            engine = OtelEngine(app, self._settings.messages, subject=self._settings.subject)
        else:
            from narthex_plugins.tracing.lean import LeanEngine  # noqa: PLC0415

            engine = LeanEngine(app, Collector(convention()), subject=self._settings.subject)
        self._engines.append(engine)
        return engine

    def _count(self, result: str) -> int:
        return 0 if self._pipeline is None else self._pipeline.counts()[result]
