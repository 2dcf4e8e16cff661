"""Each rule put to the test by promtool: it fires when it should, and is silent when it should be.

fires     the measure is at twice the threshold for as long as it takes, and for a minute longer
silent    it is at half of it, for as long
brief     it is at twice for half as long as it takes, a minute at most, and at half before and after
"""

import json
import math
from collections.abc import Sequence
from typing import Any, Final

from narthex.alerting import WINDOW, AlertRule
from narthex.measures import Absent, Phases, Share
from narthex_plugins.alerts.rulesfile import annotations, labels

_STEP: Final = 15  # seconds
_MINUTE: Final = 60


def trials(rules: Sequence[AlertRule], rules_file: str, job: str) -> str:
    """A file for `promtool test rules`."""
    tests = [test for rule in rules for test in _tests(rule, job)]
    return json.dumps({"rule_files": [rules_file], "evaluation_interval": f"{_STEP}s", "tests": tests}, indent=1)


def _tests(rule: AlertRule, job: str) -> list[dict[str, Any]]:
    whole = rule.lasting + WINDOW + _MINUTE
    high, low = _values(rule)
    steps, blip = math.ceil(whole / _STEP), max(1, int(min(_MINUTE, rule.lasting / 2) / _STEP))
    return [
        _test(rule, job, "fires", [(high, steps)], [whole], fires=True),
        _test(rule, job, "silent", [(low, steps)], [whole / 2, whole], fires=False),
        _test(
            rule,
            job,
            "brief",
            [(low, steps), (high, blip), (low, steps)],
            [whole + after for after in range(_STEP, int(rule.lasting + WINDOW), _STEP)],
            fires=False,
        ),
    ]


def _values(rule: AlertRule) -> tuple[float, float]:
    """One that is above, one that is not."""
    if isinstance(rule.measure, Absent):
        return 1.0, 0.0
    if not rule.above:
        return 1.0, 0.0
    return min(2 * rule.above, 1.0) if isinstance(rule.measure, Share) else 2 * rule.above, rule.above / 2


def _test(rule: AlertRule, job: str, how: str, phases: Phases, at: Sequence[float], *, fires: bool) -> dict[str, Any]:
    given = {"job": job or "narthex"}
    series = rule.measure.series(phases, _STEP, given)
    expected = {
        "exp_labels": {**(given if job or not isinstance(rule.measure, Absent) else {}), **labels(rule)},
        "exp_annotations": annotations(rule),
    }
    return {
        "name": f"{rule.name}: {how}",
        "interval": f"{_STEP}s",
        "input_series": [{"series": name, "values": " ".join(map(_value, values))} for name, values in series],
        "alert_rule_test": [
            {"eval_time": f"{moment:g}s", "alertname": rule.name, "exp_alerts": [expected] if fires else []}
            for moment in at
        ],
    }


def _value(value: float) -> str:
    return "_" if math.isnan(value) else f"{value:.10g}"
