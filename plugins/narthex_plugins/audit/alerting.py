"""When somebody is to be told of the audit trail, and what is shown of it."""

from collections.abc import Sized

from narthex import House
from narthex.alerting import AlertRule, Board, Panel, Query
from narthex.measures import Level, Rate
from narthex.metrics import Instrument, Metrics

LOST = AlertRule(
    name="NarthexAuditRecordsLost",
    measure=Rate("narthex_audit_lost_total"),
    above=0.001,  # one in five minutes is too many
    lasting=30,
    severity="page",
    summary="Audit records are lost: what was done is not in the log.",
    runbook="audit-records-lost",
)
REFUSED = AlertRule(
    name="NarthexAuditRefusing",
    measure=Rate("narthex_audit_refused_total"),
    above=0.01,
    lasting=30,
    severity="page",
    summary="Requests are refused because their audit records cannot be kept.",
    runbook="audit-refusing",
)
FILLING = AlertRule(
    name="NarthexAuditQueueFilling",
    measure=Level("narthex_audit_queue_ratio"),
    above=0.5,
    lasting=30,
    severity="ticket",
    summary="Audit records are made faster than they are written, or the store does not take them.",
    runbook="audit-queue-filling",
)
DAMAGED = AlertRule(
    name="NarthexAuditDamaged",
    measure=Level("narthex_audit_damaged"),
    above=0.5,
    lasting=30,
    severity="page",
    summary="The audit log is not what was signed: somebody has changed it, or the store was put back.",
    runbook="audit-damaged",
)


def late(every: float) -> AlertRule:
    """Nothing was signed for so long, though it was due."""
    return AlertRule(
        name="NarthexAuditCheckpointLate",
        measure=Level("narthex_audit_checkpoint_staleness_seconds"),
        above=3 * every + 60,
        lasting=60,
        severity="ticket",
        summary="Audit records are not covered by a checkpoint: they could be changed unseen.",
        runbook="audit-checkpoint-late",
    )


BOARD = Board(
    "Audit",
    (
        Panel(
            "Records written",
            (
                Query(
                    'sum by (durability) (rate(narthex_audit_records_total{job=~"$job"}[$__rate_interval]))',
                    "{{durability}}",
                ),
            ),
        ),
        Panel(
            "Records lost, requests refused",
            (
                Query('sum(rate(narthex_audit_lost_total{job=~"$job"}[$__rate_interval])) or vector(0)', "lost"),
                Query('sum(rate(narthex_audit_refused_total{job=~"$job"}[$__rate_interval])) or vector(0)', "refused"),
            ),
        ),
        Panel(
            "Since the last look at checkpoints",
            (Query('max by (job) (narthex_audit_checkpoint_staleness_seconds{job=~"$job"})', "{{job}}"),),
            "s",
        ),
        Panel(
            "Queue, share of its limit",
            (Query('max by (job) (narthex_audit_queue_ratio{job=~"$job"})', "{{job}}"),),
            "percentunit",
        ),
    ),
)


def counters(metrics: Metrics) -> tuple[Instrument, Instrument, Instrument]:
    """Of records written, records lost, and requests refused because of them."""
    return (
        metrics.counter("narthex_audit_records_total", "Audit records written.", ("instance", "durability")),
        metrics.counter("narthex_audit_lost_total", "Audit records lost: the queue was full.", ("instance",)),
        metrics.counter(
            "narthex_audit_refused_total", "Requests refused: their audit record could not be kept.", ("instance",)
        ),
    )


def watch(house: House, queue: Sized, limit: int) -> None:
    """Have the queue's depth measured."""
    house.metrics.gauge("narthex_queue_length", "What waits to be written.", ("queue",)).watch(
        lambda: len(queue), house.instance
    )
    house.metrics.gauge(
        "narthex_audit_queue_ratio", "Audit records that wait, as a share of the queue.", ("instance",), over="max"
    ).watch(lambda: len(queue) / limit, house.instance)
