"""The figures of all workers, for plugins that act on them."""

import asyncio
from collections.abc import Callable, Mapping

from narthex.measures import Figure
from narthex_plugins.metrics.families import Row, Totals
from narthex_plugins.metrics.ledger import Ledger
from narthex_plugins.metrics.requests import DURATIONS, REQUESTS
from narthex_plugins.metrics.shelf import Shelf


class Insight:
    """Offered as `narthex.measures.Figures`. Sees nothing before `begin`.

    Args:
        poll: brings up to date what is only looked at now and then.
    """

    def __init__(self, poll: Callable[[], None]) -> None:
        self._poll = poll
        self._ledger: Ledger | None = None
        self._shelf: Shelf | None = None

    def begin(self, ledger: Ledger, shelf: Shelf | None) -> None:
        """See what this process has counted, and where there is a shelf what the others have."""
        self._ledger, self._shelf = ledger, shelf

    @property
    def leads(self) -> bool:
        """Whether this process is the one that acts for all; another, once it has ended."""
        return self._shelf is None or self._shelf.lead()

    async def look(self) -> Mapping[str, Figure]:
        """Every metric by its name, of all workers.

        Raises:
            OSError: they could not be read.
        """
        self._poll()
        return await asyncio.to_thread(lambda: figures(Totals(self.rows())))

    def rows(self) -> list[Row]:
        """What all have counted.

        Raises:
            OSError: it could not be read.
        """
        ledger, shelf = self._ledger, self._shelf
        if ledger is None:
            return []
        return [*ledger.rows(), *([] if shelf is None else shelf.rows({ledger.sheet.name}))]


def figures(totals: Totals) -> dict[str, Figure]:
    """The totals, and the requests, which are what the buckets of their durations come to."""
    found = {
        name: Figure(family.labels, totals.series[name], family.bounds)
        for name, family in totals.families.items()
        if name in totals.series
    }
    durations = found.get(DURATIONS.name)
    if durations is not None:
        counts = {labels: [sum(values[:-1])] for labels, values in durations.series.items()}
        found[REQUESTS.name] = Figure(REQUESTS.labels, counts)
    return found
