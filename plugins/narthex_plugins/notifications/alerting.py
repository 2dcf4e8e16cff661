"""When somebody is to be told of notifications that do not arrive, and what is shown of them."""

from typing import Final

from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Level, Rate
from narthex.metrics import Instrument, Metrics

DEAD: Final = AlertRule(
    name="NarthexNotificationsDead",
    measure=Rate("narthex_notifications_dead_total"),
    above=0.001,  # one in five minutes is too many
    lasting=30,
    severity="ticket",
    summary="Notifications were given up: somebody was not told.",
    runbook="notifications-dead",
)
LATE: Final = AlertRule(
    name="NarthexNotificationsLate",
    measure=Level("narthex_notifications_late_seconds"),
    above=300,
    lasting=60,
    severity="page",
    summary="Notifications wait for minutes after they were due.",
    runbook="notifications-late",
)
CLOSED: Final = AlertRule(
    name="NarthexNotificationsCircuitOpen",
    measure=Level("narthex_notifications_circuit_open"),
    above=0.5,
    lasting=300,
    severity="ticket",
    summary="A channel of notifications has failed so often that it is left alone.",
    runbook="notifications-circuit-open",
)
BOARD: Final = Board(
    "Notifications",
    (
        Panel(
            "Waiting, by status",
            (Query('max by (status) (narthex_notifications{job=~"$job"})', "{{status}}"),),
        ),
        Panel(
            "Attempts",
            (
                Query(
                    "sum by (channel, outcome) "
                    '(rate(narthex_notifications_attempts_total{job=~"$job"}[$__rate_interval]))',
                    "{{channel}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            "From made to arrived, 95 of 100",
            (
                Query(
                    "histogram_quantile(0.95, sum by (channel, le) "
                    '(rate(narthex_notifications_latency_seconds_bucket{job=~"$job"}[$__rate_interval])))',
                    "{{channel}}",
                ),
            ),
            "s",
        ),
    ),
)


class Meters:
    """The plugin's figures."""

    def __init__(self, metrics: Metrics) -> None:
        self.attempts: Instrument = metrics.counter(
            "narthex_notifications_attempts_total",
            "Attempts to send, by what came of them.",
            ("instance", "channel", "outcome"),
        )
        self.dead: Instrument = metrics.counter(
            "narthex_notifications_dead_total", "Notifications that were given up.", ("instance", "channel")
        )
        self.lost: Instrument = metrics.counter(
            "narthex_notifications_lost_total", "Events that a rule names and that could not be queued.", ("instance",)
        )
        self.latency: Instrument = metrics.histogram(
            "narthex_notifications_latency_seconds",
            "From when it was made to when it arrived.",
            ("instance", "channel"),
            (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400),
        )
        self.depth: Instrument = metrics.gauge(
            "narthex_notifications", "Notifications by status, of those that are not over, and the dead.",
            ("instance", "channel", "status"), over="max",
        )  # fmt: skip
        self.late: Instrument = metrics.gauge(
            "narthex_notifications_late_seconds", "How long the oldest has been due.", ("instance",), over="max"
        )
        self.closed: Instrument = metrics.gauge(
            "narthex_notifications_circuit_open",
            "1 while a channel is left alone.",
            ("instance", "channel"),
            over="max",
        )
