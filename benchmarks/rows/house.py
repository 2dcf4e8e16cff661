"""Narthex: with nothing in it, with each plugin, with all, and with one guest per stage."""

import os
from collections.abc import Mapping
from typing import Any

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import Peer, candidate
from benchmarks.rows.access_log import PLAIN, TUNED
from benchmarks.rows.floor import WRAPS_SEND
from benchmarks.rows.packages import EXPORTER_PLAIN, EXPORTER_TUNED, TRACING_TUNED, dropping
from benchmarks.rows.stack import SAME_PLAIN, SAME_TUNED, SEEN_TUNED
from benchmarks.traffic import bare, unseen_paths

GROUP = "Narthex"
NONE = "narthex, no plugin"
PLUGINS: Mapping[str, Mapping[str, object]] = {"health": {}, "logging": {"output": os.devnull}, "metrics": {}}
"""Each first-party plugin with the settings it is measured with. A later plugin adds its line here."""


def behind(plugins: Mapping[str, Mapping[str, object]]) -> ASGIApp:
    """Put Narthex with these plugin tables in front of the bare app."""
    from narthex import Narthex

    config: Mapping[str, Any] = {"plugins": plugins} if plugins else {}
    return Narthex(bare, config)


def guest(stage: str) -> Mapping[str, Mapping[str, object]]:
    """Give the table of the plugin that does the least in one stage."""
    return {stage: {"use": f"benchmarks.guests:{stage.capitalize()}"}}


@candidate(NONE, group=GROUP, lifespan=True, wire=True, against=(Peer(WRAPS_SEND, at_most=2.5),))
def no_plugin() -> ASGIApp:
    return behind({})


@candidate("narthex, no plugin, unseen paths", group=GROUP, lifespan=True, paths=unseen_paths, against=(Peer(NONE),))
def no_plugin_unseen_paths() -> ASGIApp:
    return behind({})


@candidate("narthex, a guard", group=GROUP, lifespan=True)
def one_guard() -> ASGIApp:
    return behind(guest("vet"))


@candidate("narthex, an async guard", group=GROUP, lifespan=True)
def one_async_guard() -> ASGIApp:
    return behind(guest("admit"))


@candidate("narthex, a response header", group=GROUP, lifespan=True)
def one_response_header() -> ASGIApp:
    return behind(guest("respond"))


@candidate("narthex, an observer", group=GROUP, lifespan=True)
def one_observer() -> ASGIApp:
    return behind(guest("observe"))


@candidate("narthex, an identifier and a policy", group=GROUP, lifespan=True)
def identifier_and_policy() -> ASGIApp:
    return behind({**guest("authenticate"), **guest("authorize")})


@candidate("narthex, health", group=GROUP, lifespan=True)
def health() -> ASGIApp:
    return behind({"health": PLUGINS["health"]})


@candidate(
    "narthex, logging",
    group=GROUP,
    lifespan=True,
    background=True,
    wire=True,
    against=(Peer(PLAIN, at_most=0.75), Peer(TUNED), Peer(SAME_PLAIN), Peer(SAME_TUNED)),
)
def logging() -> ASGIApp:
    return behind({"logging": PLUGINS["logging"]})


@candidate(
    "narthex, metrics",
    group=GROUP,
    lifespan=True,
    wire=True,
    against=(Peer(EXPORTER_PLAIN, at_most=0.4), Peer(EXPORTER_TUNED, at_most=0.4)),
)
def metrics() -> ASGIApp:
    return behind({"metrics": PLUGINS["metrics"]})


def traced(plugins: Mapping[str, Mapping[str, object]]) -> ASGIApp:
    """Put Narthex in front of the bare app; its spans are redacted, counted and dropped, as the peer's are dropped."""
    from narthex_plugins.tracing import exporting

    exporting._exporter = lambda settings: dropping()  # noqa: SLF001  exporters are found by name, and this has none
    return behind(plugins)


@candidate(
    "narthex, tracing by otel",
    group=GROUP,
    lifespan=True,
    background=True,
    against=(Peer(TRACING_TUNED, at_most=1.05),),
)
def tracing_otel() -> ASGIApp:
    return traced({"tracing": {"engine": "otel"}})


@candidate("narthex, tracing", group=GROUP, lifespan=True, background=True, against=(Peer(TRACING_TUNED, at_most=0.5),))
def tracing() -> ASGIApp:
    return traced({"tracing": {}})


@candidate(
    "narthex, logging + metrics + tracing",
    group=GROUP,
    lifespan=True,
    background=True,
    against=(Peer(SEEN_TUNED, at_most=0.5),),
)
def seen() -> ASGIApp:
    return traced({"tracing": {}, "logging": PLUGINS["logging"], "metrics": {}})


@candidate("narthex, all plugins", group=GROUP, lifespan=True, background=True, wire=True)
def all_plugins() -> ASGIApp:
    return behind(PLUGINS)
