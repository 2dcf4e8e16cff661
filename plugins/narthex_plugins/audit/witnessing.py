"""What happens before the answer leaves: in strict mode two records on disk, else a look at the queue.

    intent on disk -> the app -> outcome on disk -> the answer leaves

Where the intent cannot be kept the app is not asked (503 intent_unrecorded). Where the outcome cannot, the caller gets
503 outcome_unrecorded: the intent stays, as "outcome unknown", and the outcome is queued until the store takes it.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

from narthex import Answer, Deny, Exchange
from narthex.errors import DependencyError
from narthex_plugins.audit.hearing import Hearing
from narthex_plugins.audit.keeping import Keeping
from narthex_plugins.audit.queueing import NoteQueue
from narthex_plugins.audit.recording import Note, Page, see
from narthex_plugins.audit.selecting import Selection

_UNKEPT: Final = "intent_unrecorded"


class Strict:
    """Keeps intent and outcome.

    Args:
        hearing: knows what goes with an exchange.
        selection: which requests are recorded.
        keeping: writes.
        now: seconds since the epoch.
        refuse: counts a request that is refused because its record could not be kept.
    """

    def __init__(
        self,
        hearing: Hearing,
        selection: Selection,
        keeping: Keeping,
        now: Callable[[], float],
        refuse: Callable[[], None],
    ) -> None:
        self._hearing = hearing
        self._selection = selection
        self._keeping = keeping
        self._now = now
        self._refuse = refuse

    def witness(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """As the hook has it: None where nothing is to be kept. Under 1 µs for a request that is not recorded."""
        if exchange.status is None and not isinstance(exchange.verdict, (Deny, Answer)):
            return self._intend(exchange) if self._selection.before(exchange) else None
        if is_unkept(exchange):
            return None  # it would be tried a second time, in vain, while the caller waits for the 503
        page = self._hearing.known(exchange)
        if self._selection.after(exchange) or (page is not None and page.said):
            return self._conclude(exchange)
        return None

    async def _intend(self, exchange: Exchange) -> None:
        page = self._hearing.page(exchange)
        await self._keep([see(exchange, self._now(), intent=True)])
        page.intent = True

    async def _conclude(self, exchange: Exchange) -> None:
        page = self._hearing.page(exchange)
        said = tuple(page.said)
        notes: list[Note] = list(said)
        if self._selection.after(exchange):
            notes.append(see(exchange, self._now(), page.event))
        await self._keep(notes)
        del page.said[: len(said)]
        page.outcome, page.error = True, exchange.error is not None

    async def _keep(self, notes: list[Note]) -> None:
        try:
            await self._keeping.strictly(notes)
        except DependencyError:
            self._refuse()
            raise


class Bounded:
    """Refuses requests whose record would find the queue full."""

    def __init__(self, selection: Selection, queue: NoteQueue, refuse: Callable[[], None]) -> None:
        self._selection = selection
        self._queue = queue
        self._refuse = refuse

    def witness(self, exchange: Exchange) -> None:
        """As the hook has it.

        Raises:
            DependencyError: there is no room.
        """
        if exchange.status is None and self._queue.full and self._selection.before(exchange):
            self._refuse()
            raise DependencyError("too many audit records wait to be written", retry_after=1)


def is_unkept(exchange: Exchange) -> bool:
    """Whether it was refused because its intent could not be kept: nothing has happened, and that is counted."""
    verdict = exchange.verdict
    return isinstance(verdict, Deny) and verdict.code == _UNKEPT


def rest(exchange: Exchange, page: Page, selection: Selection, now: float) -> Iterator[Note]:
    """What is to be recorded at the end of an exchange that has a page."""
    yield from page.said
    page.said = []
    if page.outcome:
        if exchange.error is not None and not page.error and selection.after(exchange):
            yield see(exchange, now, page.event, cut=True)
    elif not is_unkept(exchange) and (selection.after(exchange) or page.intent):
        yield see(exchange, now, page.event)
