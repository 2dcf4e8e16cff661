"""The alerts plugin: wiring only. When a rule fires is in `watching`, what is written for others in `rulesfile`."""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from typing import ClassVar

from narthex import House, hookimpl
from narthex.alerting import AlertRule
from narthex.errors import StartError
from narthex.events import AlertFired, AlertResolved
from narthex.house import BootHook
from narthex.measures import Figures
from narthex_plugins.alerts.choice import chosen
from narthex_plugins.alerts.settings import AlertsSettings
from narthex_plugins.alerts.watching import Change, Watch


class Alerts:
    """Watches the house's own figures, and publishes when somebody should know of something."""

    name: ClassVar = "alerts"
    Settings: ClassVar = AlertsSettings

    def __init__(self, settings: AlertsSettings, house: House) -> None:
        self._settings = settings
        self._house = house
        self._watches: list[Watch] = []
        self._leading = False

    @hookimpl
    def start(self) -> None:
        """Find the rules and the figures.

        Raises:
            ConfigError: the file names a rule that there is not.
            StartError: nobody has any figures.
        """
        settings, house = self._settings, self._house
        rules = chosen(given(house.hooks("alert_rules")), settings)
        if not settings.evaluate:
            return
        figures = house.service(Figures, settings.metrics or None)  # type: ignore[type-abstract]  # a Protocol is the key
        if figures is None:
            raise StartError(
                f"plugin {house.instance} has no figures to look at",
                hint="switch the plugin metrics on, or say `evaluate = false` where Prometheus watches",
            )
        self._figures: Figures = figures
        self._watches = [Watch(rule) for rule in rules]
        house.spawn(self._watch, "watch")

    async def _watch(self) -> None:
        """Look again and again, unless another process does it for all."""
        while True:
            await asyncio.sleep(self._settings.interval)
            if self._figures.leads:
                await self._look()
            else:
                self._leading = False

    async def _look(self) -> None:
        if not self._leading:
            self._leading = True  # what was seen before has a gap after it
            self._watches = [Watch(watch.rule) for watch in self._watches]
        try:
            figures = await self._figures.look()
        except OSError as error:
            self._house.log.warning("the figures could not be looked at: %s", error)
            return
        now = self._house.clock.monotonic()
        for watch in self._watches:
            since = watch.fired
            change = watch.judge(now, figures)
            if change is not None:
                self._tell(watch, change, now - (since or now))

    def _tell(self, watch: Watch, change: Change, seconds: float) -> None:
        rule = watch.rule
        key = f"{socket.gethostname()}/{self._house.instance}/{rule.name}"
        if change is Change.FIRED:
            value = watch.value or 0.0
            self._house.log.warning("%s: %s (%.4g, above %g)", rule.name, rule.summary, value, rule.above)
            self._house.events.publish(
                AlertFired(
                    key=key,
                    name=rule.name,
                    severity=rule.severity,
                    summary=rule.summary,
                    value=value,
                    above=rule.above,
                    runbook=rule.runbook,
                )
            )
            return
        self._house.log.warning("%s is over, after %.0f s", rule.name, seconds)
        self._house.events.publish(
            AlertResolved(
                key=key,
                name=rule.name,
                severity=rule.severity,
                summary=rule.summary,
                seconds=seconds,
                runbook=rule.runbook,
            )
        )


def given(hooks: Sequence[BootHook]) -> Iterable[AlertRule]:
    """The rules of every plugin, in file order."""
    return [rule for _, give, _ in hooks for rule in give() or ()]
