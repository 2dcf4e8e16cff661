"""Shows what the gauges of the process that answers stand at; for tests only."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse

from narthex import PUBLIC, House, Route, Settings, hookimpl
from narthex.testing import Counted


class NoSettings(Settings):
    """Nothing to set."""


class Gauges:
    """Serve them."""

    name = "gauges"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None:
        self._counted = Counted()
        house.metrics.attach(self._counted)

    @hookimpl
    def routes(self) -> Sequence[Route]:
        return [Route(path="/gauges", endpoint=self.show, access=PUBLIC, summary="Gauges.")]

    async def show(self, _request: Request) -> JSONResponse:
        return JSONResponse({key[0]: value for key, value in self._counted.values.items() if len(key) == 1})
