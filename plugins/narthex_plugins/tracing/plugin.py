"""The tracing plugin: wiring only. The engines are in `otel` and `lean`, the way out is in `exporting`."""

from functools import partial
from typing import Any, ClassVar, Protocol

from opentelemetry.trace import Tracer

from narthex import House, hookimpl
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.errors import ConfigError, StartError
from narthex.hooks import Health, Outside
from narthex_plugins.tracing.attributes import Collector, convention, schema_url
from narthex_plugins.tracing.exporting import Pipeline, register
from narthex_plugins.tracing.settings import TracingSettings


class Engine(Protocol):
    """An ASGI wrapper that makes spans once it has a tracer."""

    def use(self, tracer: Tracer | None) -> None:
        """Make spans with this tracer from now on; with none, make none."""
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
        self._failing = 0
        spans = house.metrics.counter(
            "narthex_tracing_spans_total",
            "Spans that ended, were exported, or were refused by the collector.",
            ("plugin", "result"),
        )
        for result in ("ended", "exported", "failed"):
            spans.watch(partial(self._count, result), house.instance, result)

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
        tracer = pipeline.provider.get_tracer("narthex", schema_url=schema_url(convention()))
        for engine in self._engines:
            engine.use(tracer)

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
    def health(self) -> Health:
        """Warn while the collector takes nothing."""
        failed, before = self._count("failed"), self._failing
        self._failing = failed
        return Health("warn", "the collector takes no spans") if failed > before else Health("pass")

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
