"""What the `[plugins.tracing]` table holds."""

from typing import Literal

from pydantic import Field, model_validator

from narthex import Settings
from narthex.config.units import Duration
from narthex.errors import ConfigError
from narthex.secrets import Secret


class TracingSettings(Settings):
    """Spans: how they are made and where they go. What is left out is read from the standard OTEL variables."""

    engine: Literal["lean", "otel"] = Field(
        default="lean",
        description='"otel" makes spans with opentelemetry-instrumentation-asgi, "lean" the same ones in less than '
        "half the time.",
    )
    exporter: str | None = Field(
        default=None,
        min_length=1,
        examples=["otlp"],
        description='"otlp", "console", "none", or another exporter that is installed. Unless given, '
        '`OTEL_TRACES_EXPORTER`, and without that "otlp".',
    )
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        examples=["http://127.0.0.1:4318/v1/traces"],
        description='Where OTLP goes over HTTP, such as "http://127.0.0.1:4318/v1/traces". Unless given, '
        "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`, and without them this machine.",
    )
    headers: dict[str, Secret] = Field(
        default_factory=dict,
        examples=[{"x-api-key": {"env": "OTEL_KEY"}}],
        description="Header fields for the collector, such as its API key.",
    )
    service: str | None = Field(
        default=None,
        min_length=1,
        examples=["shop"],
        description="`service.name` of the spans. Unless given, `OTEL_SERVICE_NAME`.",
    )
    sample: float | None = Field(
        default=None,
        ge=0,
        le=1,
        examples=[1.0],
        description="The share of traces that is kept; a caller that has decided is followed. Unless given, "
        "`OTEL_TRACES_SAMPLER`, and without that all.",
    )
    messages: tuple[Literal["receive", "send"], ...] = Field(
        default=(), description='Which ASGI messages get a span of their own; only with `engine = "otel"`.'
    )
    subject: bool = Field(default=False, description="Whether spans name the subject of the identity as `user.id`.")
    register_provider: bool = Field(
        False,
        description="Whether the app's own spans go the same way: makes this the tracer provider of the process, once, "
        "unless the app has set one.",
    )
    flush: Duration = Field(
        default=2.0,
        description="The time that spans have to reach the collector when the house stops; then they are lost.",
    )

    @model_validator(mode="after")
    def _engine_can(self) -> "TracingSettings":
        if self.messages and self.engine != "otel":
            raise ConfigError('`messages` needs `engine = "otel"`', hint="the lean engine makes one span an exchange")
        return self
