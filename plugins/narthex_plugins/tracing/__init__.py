"""One span per exchange by OpenTelemetry, and the trace id on the exchange."""

from narthex_plugins.tracing.plugin import Tracing

__all__ = ["Tracing"]
