"""What somebody should know of, and what is worth a graph: what plugins give for alerts and dashboards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from narthex.measures import Measure

Severity = Literal["page", "ticket"]
WINDOW: Final = 300.0
"""Seconds over which rates, shares and quantiles are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """Something that somebody should know of.

    Attributes:
        name: in CamelCase, beginning with the plugin's subject; what people will search for.
        measure: what is looked at.
        above: it fires while the measure is above this.
        lasting: seconds for which it has to be before it fires.
        severity: "page" wakes somebody, "ticket" waits for the morning.
        summary: one sentence, what is wrong for whom.
        runbook: address of the page that says what to do; where it is a name, docs/runbooks/<name>.md.
        clear: once it fires, the measure has to be at or below this for it to end; 80 % of `above` unless given.
        keep: seconds for which it has to be.
    """

    name: str
    measure: Measure
    above: float
    lasting: float
    severity: Severity
    summary: str
    runbook: str
    clear: float | None = None
    keep: float = 300.0
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def cleared(self) -> float:
        """What `clear` is in the end."""
        return self.above * 0.8 if self.clear is None else self.clear


@dataclass(frozen=True, slots=True)
class Query:
    """What a panel asks of Prometheus. `$job` and `$__rate_interval` are Grafana's to fill in."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph: what it shows, in which unit of Grafana's ("s", "reqps", "bytes", "short", "percentunit")."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"


@dataclass(frozen=True, slots=True)
class Board:
    """What a plugin has to show on a dashboard."""

    title: str
    panels: tuple[Panel, ...]
