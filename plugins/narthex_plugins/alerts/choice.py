"""Which rules there are, after what the file says of them. Plain values in and out."""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from narthex.alerting import AlertRule
from narthex.errors import ConfigError
from narthex_plugins.alerts.settings import AlertsSettings


def chosen(rules: Iterable[AlertRule], settings: AlertsSettings) -> list[AlertRule]:
    """The rules of all plugins, each name once, with the file's thresholds, labels and runbooks.

    Raises:
        ConfigError: the file names a rule that there is not.
    """
    known = {rule.name: rule for rule in reversed(list(rules))}  # of two instances the first one's
    for name in (*settings.off, *settings.above):
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"rules: {', '.join(sorted(known)) or 'none'}"
            raise ConfigError(
                f"[plugins.alerts] names {name!r}, which is no rule of the plugins in the file", hint=hint
            )
    return [_as_told(rule, settings) for name, rule in sorted(known.items()) if name not in settings.off]


def _as_told(rule: AlertRule, settings: AlertsSettings) -> AlertRule:
    runbook = rule.runbook
    if "/" not in runbook:
        runbook = f"{settings.runbooks.rstrip('/')}/{runbook}.md"
    rule = replace(rule, runbook=runbook, labels={**rule.labels, **settings.labels})
    if rule.name not in settings.above:
        return rule
    above = settings.above[rule.name]
    clear = None if rule.clear is None or not rule.above else rule.clear / rule.above * above
    return replace(rule, above=above, clear=clear)
