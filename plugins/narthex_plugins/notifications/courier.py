"""The courier: takes what is due off the queue, has it rendered and sent, and writes down what came of it.

One per process. It looks when somebody has told it of something new, when the next is due, and every `poll` seconds for
what nobody tells of: what an app put there in a transaction of its own, what a dead worker has left.

An attempt is over before its lease is: it has `timeout` seconds from the claim, the lease five more. So a lease that
has run out means that its worker is dead, stopped, or cannot reach the store, and the next worker takes the
notification: it may arrive twice then, with the same id.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from narthex import House
from narthex.errors import DependencyError
from narthex_plugins.notifications.looking import stamp
from narthex_plugins.notifications.pacing import Pace, after_failure, after_success, pause
from narthex_plugins.notifications.queue import Ending, Job, Queue, Taken, now_at
from narthex_plugins.notifications.sending import Channel, Letter, Outcome, shown
from narthex_plugins.notifications.templates import Message, TemplateFault, Templates

END: Final = 5.0
"""Seconds that attempts under way have where the house stops."""
_RETRY_STORE: Final = 1.0
Told = Literal["sent", "failed", "dead"]


@dataclass(frozen=True, slots=True)
class Tools:
    """What the courier works with.

    Attributes:
        channels: by their names.
        lease: seconds that a claim holds.
        paces: the same names.
        told: is called with what came of each attempt: the job, the status, the outcome and the seconds it took.
        buried: is called with channel and id of what was given up because its workers died.
    """

    queue: Queue
    lease: float
    channels: Mapping[str, Channel]
    paces: Mapping[str, Pace]
    templates: Templates
    told: Callable[[Job, Told, Outcome, float], None]
    buried: Callable[[str, str], None]


class Courier:
    """Delivers.

    Args:
        house: whose store it is.
        tools: of the instance.
        workers: attempts under way at most.
        poll: seconds.
    """

    def __init__(self, house: House, tools: Tools, workers: int, poll: float) -> None:
        self._store = house.store
        self._log = house.log
        self._clock = house.clock
        self._tools = tools
        self._workers = workers
        self._poll = poll
        self._dice = random.SystemRandom()
        self._wake = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], Job] = {}
        self._ending = False
        self._wait = 0.0
        self._unbegun: asyncio.Future[Taken] | None = None
        self._renderers: ThreadPoolExecutor | None = None

    def wake(self) -> None:
        """Have it look now; on the event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until the house stops."""
        self._ending = False
        self._wake = asyncio.Event()
        while not self._ending:
            self._wake.clear()
            try:
                wait = await self._turn()
            except DependencyError as error:
                self._log.warning("notifications wait: the store does not answer: %s", error)
                wait = _RETRY_STORE
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):  # `wait_for` of Python 3.11 may swallow a cancellation
                    await self._wake.wait()

    async def _turn(self) -> float:
        """Take what is due, as far as there are hands; seconds until the next look."""
        free = self._workers - len(self._under_way)
        if free <= 0:
            return self._poll  # the first that is done wakes us
        due = await self._store.read(self._tools.queue.next_due)
        if due is None or due > 0:
            return self._poll if due is None else min(due, self._poll)
        claimed, since = await self._claim(free)
        for job in claimed:
            self._begin(job, since)
        return 0.0 if len(claimed) == free else min(self._poll, self._wait or self._poll)

    async def _claim(self, free: int) -> tuple[list[Job], float]:
        since = time.monotonic()
        claiming = asyncio.ensure_future(
            self._store.write(lambda connection: self._tools.queue.claim(connection, free))
        )
        try:
            taken = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            self._unbegun = claiming  # it goes on, and what it takes is given back by `stop`
            raise
        self._wait = taken.wait
        for channel, id_ in taken.dead:
            self._tools.buried(channel, id_)
        return list(taken.jobs), since

    def _begin(self, job: Job, since: float) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(job, since), name=f"notification {job.id}")
        self._under_way[task] = job
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._under_way.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("a notification could not be dealt with, and is tried again", exc_info=error)
        self._wake.set()

    async def _deliver(self, job: Job, since: float) -> None:
        """One attempt, from a claim to its end in the store."""
        pace = self._tools.paces[job.channel]
        began = time.monotonic()
        outcome = await self._attempt(job, since + pace.timeout)
        await self._finish(job, outcome, time.monotonic() - began, since + self._tools.lease)

    async def deliver_now(self, id_: str) -> bool:
        """Make one attempt at a notification, whatever the brakes say: for commands. False where it is not to be had.

        Raises:
            DependencyError: the store does not answer.
        """
        taken = await self._store.write(lambda connection: self._tools.queue.claim(connection, 1, id_))
        for job in taken.jobs:
            await self._deliver(job, time.monotonic())
        return bool(taken.jobs)

    async def _attempt(self, job: Job, until: float) -> Outcome:
        try:
            async with asyncio.timeout(until - time.monotonic()):
                letter = await self._letter(job)
                return await self._tools.channels[job.channel].send(letter)
        except TemplateFault as error:
            return Outcome(sent=False, error=shown(str(error)), final=True, blame=False)
        except TimeoutError:
            return Outcome(sent=False, error="it took longer than the timeout")
        except Exception as error:  # noqa: BLE001  whatever a channel's library raises; its words may hold secrets
            self._log.debug("channel %s", job.channel, exc_info=error)
            return Outcome(sent=False, error=f"the channel failed: {type(error).__name__}")

    async def _letter(self, job: Job) -> Letter:
        if self._renderers is None:
            self._renderers = ThreadPoolExecutor(1, thread_name_prefix="narthex-templates")
        said = await asyncio.get_running_loop().run_in_executor(self._renderers, self._render, job)
        to = None if job.recipients is None else json.loads(job.recipients)
        return Letter(id=job.id, template=job.template, created=job.created, data=job.data, message=said, to=to)

    def _render(self, job: Job) -> Message:
        facts = {
            "id": job.id,
            "channel": job.channel,
            "template": job.template,
            "created": stamp(job.created),
            "request_id": job.request_id,
        }
        return self._tools.templates.render(job.template, json.loads(job.data), facts)

    async def _finish(self, job: Job, outcome: Outcome, duration: float, until: float) -> None:
        """Write down what came of it, for as long as the lease holds; then another worker tries it again."""
        pace, queue = self._tools.paces[job.channel], self._tools.queue
        over = outcome.final or job.attempt >= job.allowed
        status: Told = "sent" if outcome.sent else "dead" if over else "failed"
        ending = Ending(
            status=status,
            duration=duration,
            code=outcome.code,
            answer=outcome.answer,
            error=outcome.error,
            pause=pause(pace, job.attempt, outcome.asked, self._dice),
            recipients=None if outcome.left is None else json.dumps(list(outcome.left)),
        )

        def write(connection: Connection) -> bool:
            held = queue.finish(connection, job, ending)
            if outcome.sent or outcome.blame:
                gate = queue.gate(connection, job.channel)
                now = now_at(connection, self._clock)
                after = after_success(gate) if outcome.sent else after_failure(pace, gate, outcome.asked, now)
                queue.set_gate(connection, job.channel, gate, after)
            return held

        held = await self._written(write, until)
        if not held:
            self._log.warning("what came of notification %s could not be kept: it is sent again", job.id)
        else:
            self._tools.told(job, status, outcome, duration)

    async def _written(self, write: Callable[[Connection], bool], until: float) -> bool:
        while True:
            try:
                return await self._store.write(write)
            except DependencyError:
                if time.monotonic() > until:
                    return False
                await asyncio.sleep(_RETRY_STORE / 4)

    async def stop(self) -> None:
        """Take nothing more; let what is under way end, for some seconds, and give the rest back."""
        self._ending = True
        self._wake.set()
        tasks = dict(self._under_way)
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=END)
            for task in left:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._release([tasks[task] for task in left])
        unbegun, self._unbegun = self._unbegun, None
        if unbegun is not None:
            with suppress(DependencyError):
                await self._release((await unbegun).jobs)
        for channel in self._tools.channels.values():
            await channel.close()
        renderers, self._renderers = self._renderers, None
        if renderers is not None:
            renderers.shutdown(wait=False, cancel_futures=True)

    async def _release(self, jobs: Sequence[Job]) -> None:
        """Give them back; where the store takes nothing, their leases run out."""
        if jobs:
            with suppress(DependencyError):
                await self._store.write(lambda connection: self._tools.queue.release(connection, jobs))
