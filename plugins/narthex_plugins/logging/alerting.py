"""When somebody is to be told that log lines are lost, and what is shown of that."""

from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Rate

RULE = AlertRule(
    name="NarthexLogLinesDropped",
    measure=Rate("narthex_log_lines_dropped_total"),
    above=0.01,
    lasting=60,
    severity="ticket",
    summary="Log lines are lost: whoever takes them is too slow.",
    runbook="log-lines-dropped",
)
BOARD = Board(
    "Logging",
    (
        Panel(
            "Lines dropped",
            (
                Query(
                    'sum by (plugin) (rate(narthex_log_lines_dropped_total{job=~"$job"}[$__rate_interval])) '
                    "or vector(0)",
                    "{{plugin}}",
                ),
            ),
        ),
    ),
)
