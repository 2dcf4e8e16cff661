"""When somebody is to be told of the streams, and what is shown of them."""

from functools import partial
from typing import Final

from narthex import House
from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Level, Rate
from narthex_plugins.events.following import Follower
from narthex_plugins.events.hub import Hub

DROPPING: Final = AlertRule(
    name="NarthexEventStreamsDropping",
    measure=Rate("narthex_event_stream_dropped_total"),
    above=1,
    lasting=60,
    severity="ticket",
    summary="Clients read their event streams too slowly, and miss events.",
    runbook="event-streams-dropping",
)
LOSING: Final = AlertRule(
    name="NarthexEventsLost",
    measure=Rate("narthex_event_stream_lost_total"),
    above=0.01,
    lasting=60,
    severity="ticket",
    summary="Published events find no room, and are not seen by everybody.",
    runbook="event-streams-losing",
)
UNREAD: Final = AlertRule(
    name="NarthexEventLogUnread",
    measure=Level("narthex_event_stream_staleness_seconds"),
    above=30,
    lasting=30,
    severity="page",
    summary="The log of events cannot be read: streams stand still.",
    runbook="event-log-unread",
)
_RATE: Final = '{job=~"$job"}[$__rate_interval]'
BOARD: Final = Board(
    "Event streams",
    (
        Panel("Open streams", (Query('sum by (kind) (narthex_event_streams{job=~"$job"})', "{{kind}}"),)),
        Panel(
            "Events published",
            (Query(f"sum by (kept) (rate(narthex_event_stream_published_total{_RATE}))", "{{kept}}"),),
        ),
        Panel(
            "Handed to streams, dropped, lost",
            (
                Query(f"sum(rate(narthex_event_stream_sent_total{_RATE})) or vector(0)", "handed"),
                Query(f"sum(rate(narthex_event_stream_dropped_total{_RATE})) or vector(0)", "dropped"),
                Query(f"sum(rate(narthex_event_stream_lost_total{_RATE})) or vector(0)", "lost"),
            ),
        ),
        Panel(
            "Since the last look at the log",
            (Query('max by (job) (narthex_event_stream_staleness_seconds{job=~"$job"})', "{{job}}"),),
            "s",
        ),
    ),
)


def watch(house: House, hub: Hub, follower: Follower) -> None:
    """Have the streams measured."""
    metrics = house.metrics
    streams = metrics.gauge("narthex_event_streams", "Open event streams.", ("instance", "kind"))
    for kind in ("sse", "websocket"):
        streams.watch(partial(_open, hub, kind), house.instance, kind)
    metrics.counter("narthex_event_stream_sent_total", "Events handed to streams.", ("instance",)).watch(
        lambda: hub.sent, house.instance
    )
    metrics.counter(
        "narthex_event_stream_dropped_total", "Events that a stream's client was too slow for.", ("instance",)
    ).watch(lambda: hub.dropped, house.instance)
    metrics.gauge(
        "narthex_event_stream_staleness_seconds",
        "Seconds since the log of events was last read.",
        ("instance",),
        over="max",
    ).watch(lambda: follower.staleness, house.instance)


def _open(hub: Hub, kind: str) -> int:
    return sum(one.kind == kind for one in hub)
