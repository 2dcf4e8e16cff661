"""When somebody is to be told that spans are lost, and what is shown of them."""

from typing import Final

from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Match, Rate

SPANS: Final = "narthex_tracing_spans_total"
RESULTS: Final = ("ended", "exported", "failed", "dropped")
RULES: Final = (
    AlertRule(
        name="NarthexSpansDropped",
        measure=Rate(SPANS, (Match("result", ("dropped",), other="exported"),)),
        above=0.01,
        lasting=60,
        severity="ticket",
        summary="Spans are lost: more requests end than the collector takes spans.",
        runbook="spans-dropped",
    ),
    AlertRule(
        name="NarthexSpanExportFailing",
        measure=Rate(SPANS, (Match("result", ("failed",), other="exported"),)),
        above=0.01,
        lasting=300,
        severity="ticket",
        summary="The collector takes no spans: it is away, or refuses them, and traces are missing.",
        runbook="span-export-failing",
    ),
)


def board(instance: str) -> Board:
    """What becomes of the spans of an instance of the plugin."""
    own = f'job=~"$job",plugin="{instance}"'
    lost = f'{SPANS}{{{own},result=~"failed|dropped"}}'
    return Board(
        "Tracing" if instance == "tracing" else f"Tracing: {instance}",
        (
            Panel(
                "Spans", (Query(f"sum by (result) (rate({SPANS}{{{own}}}[$__rate_interval]))", "{{result}}"),), "reqps"
            ),
            Panel("Spans lost", (Query(f"sum by (result) (rate({lost}[$__rate_interval]))", "{{result}}"),), "reqps"),
            Panel(
                "Spans that wait",
                (Query(f'sum by (queue) (narthex_queue_length{{job=~"$job",queue="{instance}"}})', "{{queue}}"),),
            ),
        ),
    )
