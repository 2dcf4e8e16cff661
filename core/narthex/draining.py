"""From the signal to stop until everything is released: refuse readiness, end what is open, then let the server go on.

    the server tells the lifespan     hang up what is open-ended, pass the signal on, drain while the server closes its
                                      sockets; plugins are released by its `lifespan.shutdown`
    nobody tells                      let nothing more in, drain, release the plugins, and only then pass the signal on

Readiness is refused from the signal on, so that a load balancer looks elsewhere.
"""

import asyncio
import logging
from typing import Final

from narthex.ending import GRACE
from narthex.house import Estate
from narthex.life import Life
from narthex.signals import StopSignals

_log = logging.getLogger("narthex.lifespan")

_HANG_UP: Final = 3.0  # seconds that the server waits at most until open sockets and event streams are ended
_LAST_MOMENTS: Final = 2 * GRACE + 0.5  # seconds: long enough for an app that has to be cancelled


class Draining:
    """The way out of one house.

    Attributes:
        told: the server's lifespan will say when everything is over.
    """

    def __init__(self, estate: Estate, life: Life) -> None:
        self._estate = estate
        self._life = life
        self._signals = StopSignals()
        self._task: asyncio.Task[None] | None = None
        self.told = False

    def listen(self) -> None:
        """The house serves: hear of a stop before the server does."""
        self._signals = StopSignals()
        self._signals.listen(self._begin, hold=not self.told)

    async def end(self) -> None:
        """The house is about to be released: first let observers take note of what is only just ending.

        A server may have its answer before the app's task is over, and says `lifespan.shutdown` at once.
        """
        task, self._task = self._task, None
        if task is not None and self.told:
            task.cancel()
        await self._estate.live.drain(_LAST_MOMENTS)
        self._signals.restore()
        if task is None or self.told:
            self._signals.pass_on()

    def _begin(self, held: bool) -> None:
        if self._task is None and self._estate.ready:
            self._estate.ready = False
            drain = self._drain_and_release() if held else self._drain_beside_the_server()
            self._task = asyncio.get_running_loop().create_task(drain, name="narthex draining")

    async def _drain_and_release(self) -> None:
        self._life.refuse()
        await self._drain(self._estate.settings.drain)
        signals = self._signals
        await self._life.close()
        signals.pass_on()

    async def _drain_beside_the_server(self) -> None:
        now, limit = asyncio.get_running_loop().time, self._estate.settings.drain
        end = now() + limit
        try:
            await self._estate.live.hang_up(min(_HANG_UP, limit))
        finally:
            self._signals.pass_on()
        await self._drain(end - now())

    async def _drain(self, limit: float) -> None:
        late = await self._estate.live.drain(limit)
        if late:
            _log.warning("%d exchanges did not end within %g s", late, self._estate.settings.drain)
