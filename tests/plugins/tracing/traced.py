"""A house with the tracing plugin, driven in process; its spans, as they would leave for the collector."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from narthex import Narthex
from narthex.asgi import ASGIApp
from narthex_plugins.tracing import exporting

ENGINES = ("otel", "lean")


def spans_of(
    patch: pytest.MonkeyPatch,
    engine: str,
    app: ASGIApp,
    drive: Callable[[Narthex], Awaitable[Any]],
    more: dict[str, Any] | None = None,
    narthex: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    **keys: Any,
) -> list[ReadableSpan]:
    """Drive the house, stop it, and give its spans in the order they ended.

    Args:
        patch: puts a memory in the place of the collector.
        engine: of the plugin.
        app: behind the house.
        drive: sends it whatever is sent.
        more: tables of other plugins.
        narthex: keys of `[narthex]`.
        before: tables of plugins that stand before it.
        keys: of the plugin's own table.
    """
    memory = InMemorySpanExporter()
    patch.setattr(exporting, "_exporter", lambda settings: memory)

    async def main() -> None:
        tables = {**(before or {}), "tracing": {"engine": engine, **keys}, **(more or {})}
        house = Narthex(app, {"narthex": narthex or {}, "plugins": tables})
        await drive(house)
        await house._life.close()

    asyncio.run(main())
    return list(memory.get_finished_spans())


class Kept:
    """A house that goes on for many exchanges; `spans` empties what has ended since."""

    def __init__(self, runner: asyncio.Runner, patch: pytest.MonkeyPatch, engine: str, app: ASGIApp) -> None:
        self._memory = InMemorySpanExporter()
        patch.setattr(exporting, "_exporter", lambda settings: self._memory)
        tables = {"tracing": {"engine": engine, "sample": 1.0}}
        self.house = Narthex(app, {"narthex": {"strict_paths": False}, "plugins": tables})
        (guest,) = self.house.guests
        self._plugin: Any = guest.plugin
        runner.run(self.house._life.start())

    def spans(self) -> list[ReadableSpan]:
        """What has ended since the last call."""
        self._plugin._pipeline.provider.force_flush()
        ended = list(self._memory.get_finished_spans())
        self._memory.clear()
        return ended


def told(span: ReadableSpan) -> dict[str, Any]:
    """What a span says, but for what differs from run to run: ids, times, frames of a stack."""
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time >= span.start_time
    return {
        "name": span.name,
        "kind": span.kind,
        "attributes": dict(span.attributes or {}),
        "status": (span.status.status_code, span.status.description),
        "events": [
            (event.name, {key: value for key, value in (event.attributes or {}).items() if "stack" not in key})
            for event in span.events
        ],
        "parent": None if span.parent is None else (span.parent.trace_id, span.parent.span_id),
        "remote": None if span.parent is None else span.parent.is_remote,
        "flags": None if span.context is None else span.context.trace_flags,
        "state": None if span.context is None else span.context.trace_state,
        "schema": None if span.instrumentation_scope is None else span.instrumentation_scope.schema_url,
    }
