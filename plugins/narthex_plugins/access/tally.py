"""Refusals by rule: how often, and how often a rule in shadow mode would have refused."""

from collections import Counter

from narthex.events import ExchangeRefused
from narthex.metrics import Instrument


class Tally:
    """Counts what core tells of one instance's refusals, so that a rehearsal is not counted.

    Args:
        instance: the plugin's.
        denials: the metric, labelled by instance, rule and shadow.
    """

    def __init__(self, instance: str, denials: Instrument) -> None:
        self._instance = instance
        self._denials = denials
        self._counted: Counter[tuple[str, str, bool]] = Counter()

    def count(self, event: ExchangeRefused) -> None:
        """Take note of a refusal."""
        if event.plugin == self._instance and event.rule:
            self._counted[event.rule, event.code, event.shadow] += 1
            self._denials.inc(self._instance, event.rule, str(event.shadow).lower())

    def rows(self) -> list[dict[str, object]]:
        """What this process has counted since it started, the most frequent first."""
        return [
            {"rule": rule, "code": code, "shadow": shadow, "count": count}
            for (rule, code, shadow), count in self._counted.most_common()
        ]
