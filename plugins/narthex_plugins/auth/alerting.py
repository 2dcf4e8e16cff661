"""When somebody is to be told that an external issuer's keys cannot be fetched, and what is shown of that."""

from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Match, Rate

RULE = AlertRule(
    name="NarthexIssuerUnreachable",
    measure=Rate("narthex_auth_issuer_fetches_total", (Match("outcome", ("failed",), other="ok"),)),
    above=0.001,
    lasting=600,
    severity="ticket",
    summary="The keys of an external issuer cannot be fetched.",
    runbook="issuer-unreachable",
)
BOARD = Board(
    "External issuers",
    (
        Panel(
            "Fetches of keys",
            (
                Query(
                    "sum by (issuer, outcome) "
                    '(rate(narthex_auth_issuer_fetches_total{job=~"$job"}[$__rate_interval])) or vector(0)',
                    "{{issuer}} {{outcome}}",
                ),
            ),
            "reqps",
        ),
    ),
)
