"""The health plugin: two early, public endpoints."""

from collections.abc import Iterable
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from narthex import PUBLIC, House, Route, hookimpl
from narthex_plugins.health.checks import Checks
from narthex_plugins.health.report import ALIVE, MEDIA_TYPE, NOT_READY, Report
from narthex_plugins.health.settings import HealthSettings


class Health:
    """Answers liveness and readiness probes from every plugin's own checks."""

    name: ClassVar = "health"
    Settings: ClassVar = HealthSettings

    def __init__(self, settings: HealthSettings, house: House) -> None:
        self._settings = settings
        self._house = house
        status = house.metrics.gauge(
            "narthex_health_status",
            "What a plugin said at the last readiness probe: 0 pass, 1 warn, 2 fail.",
            ("plugin",),
            over="max",
        )
        self._checks = Checks(
            lambda: house.hooks("health"),
            house.clock,
            house.log,
            status=status,
            limit=settings.limit,
            cache=settings.cache,
        )

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """Both are served before start-up has ended: that is when they are asked most."""
        return (
            Route(
                path=self._settings.live,
                endpoint=self.live,
                access=PUBLIC,
                at_root=True,
                early=True,
                summary="Whether the process lives.",
            ),
            Route(
                path=self._settings.ready,
                endpoint=self.ready,
                access=PUBLIC,
                at_root=True,
                early=True,
                summary="Whether every plugin is well.",
            ),
        )

    async def live(self, _request: Request) -> Response:
        """200, whatever else is wrong: the remedy for a failed liveness probe is a restart."""
        return self._response(ALIVE)

    async def ready(self, _request: Request) -> Response:
        """200 or 503; nothing is checked before start-up has ended or while the house stops."""
        return self._response(await self._checks.report() if self._house.ready else NOT_READY)

    def _response(self, report: Report) -> Response:
        return Response(
            report.body(details=self._settings.details),
            status_code=report.http_status,
            media_type=MEDIA_TYPE,
            headers={"cache-control": "no-store"},
        )
