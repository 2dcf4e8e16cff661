"""When somebody is to be told of the figures of requests and of the house, and what is shown of them."""

from collections.abc import Iterator
from typing import Final

from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Absent, Level, Match, Quantile, Rate, Share

_SERVED: Final = Match("method", ("WEBSOCKET",), fits=False, other="GET")
_ERRORS: Final = tuple(str(status) for status in range(500, 512))
_NO: Final = ("401", "403")


def rules(*, stored: bool) -> Iterator[AlertRule]:
    """The rules; those about the store only where there is one."""
    yield AlertRule(
        name="NarthexAbsent",
        measure=Absent("narthex_build_info"),
        above=0,
        lasting=120,
        severity="page",
        summary="Prometheus reads nothing of the app: it is down, or its metrics cannot be reached.",
        runbook="absent",
    )
    yield AlertRule(
        name="NarthexErrors",
        measure=Share("narthex_http_requests_total", (Match("status", _ERRORS, other="200"),), least=0.05),
        above=0.05,
        lasting=300,
        severity="page",
        summary="More than one request in twenty ends with a server error.",
        runbook="errors",
    )
    yield AlertRule(
        name="NarthexSlow",
        measure=Quantile(0.95, "narthex_http_request_duration_seconds", (_SERVED,)),
        above=1.0,
        lasting=600,
        severity="ticket",
        summary="One request in twenty takes longer than a second.",
        runbook="slow",
    )
    yield AlertRule(
        name="NarthexRefusals",
        measure=Share("narthex_http_requests_total", (Match("status", _NO, other="200"),), least=0.2),
        above=0.5,
        lasting=600,
        severity="ticket",
        summary="More than half of all requests are refused.",
        runbook="refusals",
    )
    yield AlertRule(
        name="NarthexHookFailures",
        measure=Rate("narthex_hook_failures_total"),
        above=0.02,
        lasting=300,
        severity="page",
        summary="A plugin's hook fails again and again; where it is a guard, it refuses.",
        runbook="hook-failures",
    )
    yield AlertRule(
        name="NarthexEventLoopLag",
        measure=Quantile(0.9, "narthex_event_loop_lag_seconds"),
        above=0.1,
        lasting=600,
        severity="ticket",
        summary="The event loop is held up by code that does not wait, so that every request is slow.",
        runbook="event-loop-lag",
    )
    yield AlertRule(
        name="NarthexEventsDropped",
        measure=Rate("narthex_events_dropped_total"),
        above=0.01,
        lasting=60,
        severity="ticket",
        summary="A subscriber is too slow for the events of the house, and misses some.",
        runbook="events-dropped",
    )
    if stored:
        yield AlertRule(
            name="NarthexStoreBacklog",
            measure=Level("narthex_queue_length", (Match("queue", ("store",)),)),
            above=1000,
            lasting=60,
            severity="page",
            summary="The store writes more slowly than records come.",
            runbook="store-backlog",
        )
        yield AlertRule(
            name="NarthexRecordsDropped",
            measure=Rate("narthex_store_dropped_total"),
            above=0.01,
            lasting=60,
            severity="page",
            summary="Records were lost because the store had no room for them or did not take them.",
            runbook="records-dropped",
        )


_JOB: Final = '{job=~"$job"}'
_RATE: Final = "[$__rate_interval]"


def _rate(metric: str, by: str, inside: str = "") -> str:
    labels = f'{{job=~"$job"{inside}}}'
    return f"sum by ({by}) (rate({metric}{labels}{_RATE}))"


def boards(*, stored: bool) -> Iterator[Board]:
    """Requests, and the house."""
    no_sockets = ',method!="WEBSOCKET"'
    duration = "narthex_http_request_duration_seconds"
    yield Board(
        "Requests",
        (
            Panel("Requests by route", (Query(_rate("narthex_http_requests_total", "route"), "{{route}}"),), "reqps"),
            Panel("Answers by status", (Query(_rate("narthex_http_requests_total", "status"), "{{status}}"),), "reqps"),
            Panel(
                "Duration",
                tuple(
                    Query(
                        f"histogram_quantile({part}, {_rate(f'{duration}_bucket', 'le', no_sockets)})",
                        f"{round(part * 100)} of 100",
                    )
                    for part in (0.5, 0.95, 0.99)
                ),
                "s",
            ),
            Panel(
                "Duration of 95 of 100, by route",
                (
                    Query(
                        f"histogram_quantile(0.95, {_rate(f'{duration}_bucket', 'le, route', no_sockets)})", "{{route}}"
                    ),
                ),
                "s",
            ),
            Panel("Under way", (Query(f"sum by (kind) (narthex_exchanges_in_flight{_JOB})", "{{kind}}"),)),
            Panel(
                "Bodies",
                (
                    Query(_rate("narthex_http_request_bytes_total", "job"), "in"),
                    Query(_rate("narthex_http_response_bytes_total", "job"), "out"),
                ),
                "Bps",
            ),
            Panel(
                "Exceptions",
                (Query(f"{_rate('narthex_http_exceptions_total', 'route, exception')} or vector(0)", "{{exception}}"),),
                "reqps",
            ),
        ),
    )
    yield Board("The house", tuple(_house(stored=stored)))


def _house(*, stored: bool) -> Iterator[Panel]:
    hooks = "narthex_hook_duration_seconds"
    yield Panel(
        "Refused, by plugin and code",
        (Query(f"{_rate('narthex_refusals_total', 'plugin, code')} or vector(0)", "{{plugin}} {{code}}"),),
        "reqps",
    )
    yield Panel(
        "Would have been refused",
        (Query(f"{_rate('narthex_shadow_denials_total', 'plugin, code')} or vector(0)", "{{plugin}} {{code}}"),),
        "reqps",
    )
    yield Panel(
        "What a hook costs",
        (
            Query(
                f"{_rate(f'{hooks}_sum', 'plugin, hook')} / {_rate(f'{hooks}_count', 'plugin, hook')}",
                "{{plugin}} {{hook}}",
            ),
        ),
        "s",
    )
    yield Panel(
        "Hooks that fail",
        (Query(f"{_rate('narthex_hook_failures_total', 'plugin, hook')} or vector(0)", "{{plugin}} {{hook}}"),),
        "reqps",
    )
    lag = _rate("narthex_event_loop_lag_seconds_bucket", "le")
    yield Panel("Lag of the event loop", (Query(f"histogram_quantile(0.9, {lag})", "90 of 100"),), "s")
    yield Panel("Processes", (Query(f"sum by (job) (narthex_processes{_JOB})", "{{job}}"),))
    yield Panel("Processors", (Query(_rate("narthex_process_cpu_seconds_total", "job"), "{{job}}"),))
    yield Panel("Memory", (Query(f"sum by (job) (narthex_process_resident_memory_bytes{_JOB})", "{{job}}"),), "bytes")
    yield Panel(
        "Events dropped", (Query(f"{_rate('narthex_events_dropped_total', 'topic')} or vector(0)", "{{topic}}"),)
    )
    if stored:
        yield Panel("Waiting to be written", (Query(f"sum by (queue) (narthex_queue_length{_JOB})", "{{queue}}"),))
        yield Panel("Records dropped", (Query(_rate("narthex_store_dropped_total", "job"), "{{job}}"),))
