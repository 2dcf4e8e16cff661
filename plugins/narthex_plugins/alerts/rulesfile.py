"""The rules as Prometheus reads them. Texts are written as JSON has them, which YAML reads alike."""

import json
from collections.abc import Iterator, Sequence

from narthex.alerting import WINDOW, AlertRule

_WINDOW = f"{WINDOW:g}s"


def rules_yaml(rules: Sequence[AlertRule], job: str) -> str:
    """A file for `rule_files`. Needs Prometheus 2.42, for `keep_firing_for`."""
    return (
        "\n".join(["groups:", "- name: narthex", "  rules:", *(line for rule in rules for line in _rule(rule, job))])
        + "\n"
    )


def annotations(rule: AlertRule) -> dict[str, str]:
    """What the alert says."""
    return {"summary": rule.summary, "runbook_url": rule.runbook}


def labels(rule: AlertRule) -> dict[str, str]:
    """What it is told apart by, beside the job."""
    return {"severity": rule.severity, **rule.labels}


def expression(rule: AlertRule, job: str) -> str:
    """When it fires, in PromQL."""
    return f"{rule.measure.promql(job, _WINDOW)} > {rule.above:g}"


def _rule(rule: AlertRule, job: str) -> Iterator[str]:
    yield f"  - alert: {rule.name}"
    yield f"    expr: {json.dumps(expression(rule, job))}"
    yield f"    for: {rule.lasting:g}s"
    yield f"    keep_firing_for: {rule.keep:g}s"
    yield "    labels:"
    yield from (f"      {name}: {json.dumps(value)}" for name, value in labels(rule).items())
    yield "    annotations:"
    yield from (f"      {name}: {json.dumps(value)}" for name, value in annotations(rule).items())
