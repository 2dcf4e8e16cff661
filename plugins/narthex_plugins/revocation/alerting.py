"""When somebody is to be told of the list of revocations, and what is shown of it."""

from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Level


def rule(lease: float) -> AlertRule:
    """The list is older than requests may be judged by, three times over."""
    return AlertRule(
        name="NarthexRevocationStale",
        measure=Level("narthex_revocation_staleness_seconds"),
        above=3 * lease,
        lasting=30,
        severity="page",
        summary="The list of revocations cannot be read, so that requests with a token are refused.",
        runbook="revocation-stale",
    )


BOARD = Board(
    "Revocation",
    (
        Panel(
            "Age of the list",
            (Query('max by (job) (narthex_revocation_staleness_seconds{job=~"$job"})', "{{job}}"),),
            "s",
        ),
        Panel("Entries", (Query('max by (job) (narthex_revocation_entries{job=~"$job"})', "{{job}}"),)),
    ),
)
