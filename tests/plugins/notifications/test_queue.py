"""The queue on SQLite and PostgreSQL: leases, brakes, keys, transactions."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, update

from narthex.clock import SystemClock
from narthex.store import Store
from narthex.store.address import parse
from narthex_plugins.notifications.looking import depth, one, page
from narthex_plugins.notifications.pacing import Gate, Pace
from narthex_plugins.notifications.queue import Ending, Job, New, Queue, new_id
from narthex_plugins.notifications.tables import attempts, queue, tables

T = TypeVar("T")
PACE = Pace(attempts=3, first=4, longest=60, rate=None, burst=10, concurrency=100, timeout=1, trip=3, rest=30)
SENT = Ending(status="sent", duration=0.1, code=204)
FAILED = Ending(status="failed", duration=0.1, code=500, error="it answered 500", pause=0.0)


class Desk:
    """A store and a queue in it, from plain tests."""

    def __init__(self, url: str, directory: Path) -> None:
        self.runner = asyncio.Runner()
        self.store = Store(parse(url, directory), SystemClock())
        self.runner.run(self.store.start([tables]))
        self.queue = self.make(PACE)

    def make(self, pace: Pace, lease: float = 15.0) -> Queue:
        return Queue("notifications", SystemClock(), {"ops": pace}, lease)

    def write(self, job: Callable[[Any], T]) -> T:
        return self.runner.run(self._await(self.store.write(job)))

    def read(self, job: Callable[[Any], T]) -> T:
        return self.runner.run(self._await(self.store.read(job)))

    async def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return await work

    def put(self, count: int = 1, **changes: Any) -> list[str]:
        now = SystemClock.now() - 1
        new = New(id="", channel="ops", template="t", data="{}", created=now, due=now, allowed=3)
        made = [replace(new, **{"id": new_id(now), **changes}) for _ in range(count)]
        return self.write(lambda connection: [self.queue.add(connection, each) for each in made])

    def take(self, wanted: int = 100, queued: Queue | None = None) -> Any:
        return self.write(lambda connection: (queued or self.queue).claim(connection, wanted))

    def finish(self, job: Job, ending: Ending) -> bool:
        return self.write(lambda connection: self.queue.finish(connection, job, ending))

    def row(self, id_: str) -> Any:
        return self.read(lambda connection: one(connection, "notifications", id_))

    def expire(self) -> None:
        """As if the leases' time had come."""
        self.write(
            lambda connection: connection.execute(update(queue).where(queue.c.status == "sending").values(due=1.0))
        )


@pytest.fixture
def desk(store_url: str, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(store_url, tmp_path)
    yield made
    made.runner.run(made.store.stop())
    made.runner.close()


def test_what_is_taken_is_taken_once_and_finished_once(desk: Desk) -> None:
    ids = desk.put(5)
    taken = desk.take(3).jobs + desk.take().jobs
    assert sorted(job.id for job in taken) == sorted(ids)
    assert not desk.take().jobs
    assert all(desk.finish(job, SENT) for job in taken)
    assert not desk.write(lambda connection: desk.queue.finish(connection, taken[0], FAILED))
    assert {desk.row(id_)["status"] for id_ in ids} == {"sent"}


def test_a_lease_that_ran_out_is_taken_by_another_and_its_worker_writes_nothing(desk: Desk) -> None:
    (id_,) = desk.put()
    (lost,) = desk.take().jobs
    desk.expire()
    (job,) = desk.take().jobs
    assert (job.id, job.attempt) == (id_, 2)
    assert not desk.write(lambda connection: desk.queue.finish(connection, lost, FAILED))
    assert desk.row(id_)["status"] == "sending"
    assert desk.write(lambda connection: desk.queue.finish(connection, job, SENT))
    tries = desk.row(id_)["tries"]
    assert [one["number"] for one in tries] == [1, 2]
    assert tries[1]["outcome"] == "sent"


def test_what_kills_its_workers_is_given_up_in_the_end(desk: Desk) -> None:
    (id_,) = desk.put()
    for _ in range(3):
        assert len(desk.take().jobs) == 1
        desk.expire()
    taken = desk.take()
    assert (taken.jobs, taken.dead) == ([], [("ops", id_)])
    found = desk.row(id_)
    assert found["status"] == "dead"
    assert [one["outcome"] for one in found["tries"]] == ["lost"] * 3


def test_a_failure_is_tried_again_after_its_pause_and_every_attempt_is_kept(desk: Desk) -> None:
    (id_,) = desk.put()
    (job,) = desk.take().jobs
    desk.write(lambda connection: desk.queue.finish(connection, job, replace(FAILED, pause=1000.0)))
    assert not desk.take().jobs
    assert 900 < (desk.read(desk.queue.next_due) or 0) <= 1000
    assert desk.write(lambda connection: desk.queue.retry(connection, id_))
    (job,) = desk.take().jobs
    assert (job.attempt, job.allowed) == (2, 4)
    desk.write(lambda connection: desk.queue.finish(connection, job, SENT))
    assert [(one["outcome"], one["code"]) for one in desk.row(id_)["tries"]] == [("failed", 500), ("sent", 204)]
    assert not desk.write(lambda connection: desk.queue.retry(connection, id_))


def test_what_is_cancelled_is_not_sent_and_what_is_being_sent_is_not_cancelled(desk: Desk) -> None:
    first, second = desk.put(2)
    assert desk.write(lambda connection: desk.queue.cancel(connection, first))
    assert [job.id for job in desk.take().jobs] == [second]
    assert not desk.write(lambda connection: desk.queue.cancel(connection, second))
    assert desk.write(lambda connection: desk.queue.retry(connection, first))
    assert [job.id for job in desk.take().jobs] == [first]


def test_a_key_is_good_for_one(desk: Desk) -> None:
    (first,) = desk.put(dedup_key="disk")
    assert desk.put(3, dedup_key="disk") == [first] * 3
    assert desk.put(1, dedup_key="disk", channel="other") != [first]
    assert len(desk.put(1, dedup_key="other")) == 1
    assert len(desk.take().jobs) == 2


def test_what_is_for_later_waits(desk: Desk) -> None:
    desk.put(due=SystemClock.now() + 500)
    assert not desk.take().jobs
    assert (desk.read(desk.queue.next_due) or 0) > 400


def test_brakes_hold_over_all_workers(desk: Desk) -> None:
    desk.put(30)
    slow = [desk.make(replace(PACE, rate=0.001, burst=7)) for _ in range(3)]
    taken = [len(desk.take(5, one).jobs) for one in slow]
    assert taken == [5, 2, 0]
    few = [desk.make(replace(PACE, concurrency=10)) for _ in range(3)]
    assert [len(desk.take(2, one).jobs) for one in few] == [2, 1, 0]


def test_an_open_circuit_lets_nothing_go_and_then_one(desk: Desk) -> None:
    desk.put(5)
    shut = Gate(0.0, 3, SystemClock.now() + 100)
    desk.write(lambda connection: desk.queue.set_gate(connection, "ops", Gate(), shut))
    taken = desk.take()
    assert not taken.jobs
    assert 50 < taken.wait <= 100
    seen = desk.read(lambda connection: depth(connection, desk.queue, SystemClock()))
    assert seen.closed == {"ops"}
    assert seen.counts == {("ops", "queued"): 5}
    desk.write(lambda connection: desk.queue.set_gate(connection, "ops", shut, replace(shut, closed_until=1.0)))
    assert len(desk.take().jobs) == 1
    assert not desk.take().jobs


def test_pages_go_back_in_time_and_miss_nothing(desk: Desk) -> None:
    ids = desk.put(25)
    asked: dict[str, Any] = {"instance": "notifications", "status": "queued", "channel": "ops", "limit": 10}
    seen, cursor = list[str](), ""
    while True:
        found = desk.read(partial(page, **asked, before=cursor))
        seen += [row["id"] for row in found.rows]
        if found.following is None:
            break
        cursor = found.following
    assert seen == sorted(ids, reverse=True)


def test_what_is_old_goes_with_its_attempts(desk: Desk) -> None:
    ids = desk.put(3)
    for job in desk.take(2).jobs:
        desk.finish(job, SENT)
    assert desk.write(lambda connection: desk.queue.sweep(connection, 1000, 1000)) == 0
    assert desk.write(lambda connection: desk.queue.sweep(connection, -1, -1)) == 2
    assert desk.read(lambda connection: len(connection.execute(select(attempts)).all())) == 0
    assert [desk.row(id_) is None for id_ in ids].count(True) == 2


def test_several_workers_at_once_take_each_once(desk: Desk) -> None:
    ids = desk.put(40)
    work = [desk.make(PACE) for _ in range(4)]

    async def all_at_once() -> list[str]:
        async def one_worker(queued: Queue) -> list[str]:
            found = list[str]()
            while jobs := (await desk.store.write(lambda connection: queued.claim(connection, 3))).jobs:
                found += [job.id for job in jobs]
            return found

        return [id_ for found in await asyncio.gather(*map(one_worker, work)) for id_ in found]

    assert sorted(desk.runner.run(all_at_once())) == sorted(ids)
