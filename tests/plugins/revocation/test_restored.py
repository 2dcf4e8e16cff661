"""A store that was put back to an earlier state under processes that run, and what is swept out of it."""

import time
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, select, update

from narthex.clock import SystemClock
from narthex.store.schema import counters
from narthex.testing import FixedClock
from narthex_plugins.revocation.plugin import Revocation
from narthex_plugins.revocation.tables import readers, revocations
from tests.plugins.revocation.test_plugin import DAY, Place, place


class Running(FixedClock):
    """The real clocks: calls wait for leases of others."""

    now, monotonic = staticmethod(SystemClock.now), staticmethod(SystemClock.monotonic)
    boottime = staticmethod(SystemClock.boottime)


def put_back(connection: Connection, version: int, *, with_readers: bool) -> None:
    """As a backup was, that was taken at a version."""
    connection.execute(delete(revocations).where(revocations.c.version > version))
    connection.execute(update(counters).where(counters.c.name == "revocation:revocation").values(value=version))
    if with_readers:
        connection.execute(delete(readers))


def write(here: Place, job: Any) -> Any:
    async def main() -> Any:
        return await here.plugin._store.write(job)

    return here.client.run(main())


@pytest.mark.parametrize("with_readers", [True, False])
@pytest.mark.parametrize("again", [1, 2, 5])
def test_what_is_revoked_in_a_store_that_was_put_back_is_refused_and_so_is_what_was_lost(
    store_url: str, again: int, with_readers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the log ends before what was read of it, there, or is longer by now, with another past."""
    with place(store_url, clock=Running(), lease="100ms") as first:
        for name in ("a", "b", "c"):
            first.post(token=name)
        write(first, lambda connection: put_back(connection, 1, with_readers=with_readers))
        with place(store_url, clock=Running(), lease="100ms") as second:
            for number in range(again):
                assert second.post(session=f"r{number}").status == 201
            asked = ["alice a - 0", "alice b - 0", "alice c - 0", *(f"bob - r{number} 0" for number in range(again))]
            time.sleep(0.1)  # its lease is over
            assert {first.ask(who).status for who in asked} == {401}
            assert first.ask("bob - other 0").status == 200
            assert "is not the one that was read" in caplog.text
            assert second.ask("alice b - 0").status == 200  # nobody told it
            assert second.post(token="d").status == 201  # and the row of `first` does not say that it knows
            assert first.ask("alice d - 0").status == 401


def test_old_history_that_covers_nothing_is_swept_away_and_the_rest_stays(store_url: str) -> None:
    with place(store_url, history="10d", longest="1d") as here:
        for order in ({"token": "old"}, {"subject": "old"}, {"issued_before": 1}):
            here.post(**order)
        here.clock.advance(9 * DAY)
        here.post(token="young")
        here.post(token="last", expires_at=1)
        here.plugin._offset = 0.0  # a FixedClock shows one time by all its clocks
        assert write(here, here.plugin._sweep_page) == 0
        here.clock.advance(2 * DAY)
        assert write(here, here.plugin._sweep_page) == 2
        listed = here.ask("root t0 s0 0", "/_narthex/revocations").json()["revocations"]
        assert [(one["kind"], one.get("token")) for one in listed] == [
            ("token", "last"),
            ("token", "young"),
            ("issuer", None),
        ]
        here.clock.advance(50 * DAY)
        assert write(here, here.plugin._sweep_page) == 1
        assert here.ask().status == 200  # the last one is still there to tell the log by


def test_a_clock_that_was_set_forward_sweeps_nothing_away(store_url: str) -> None:
    with place(store_url, history="10d") as here:
        here.post(token="t1")
        here.post(token="t2")
        set_forward(here.plugin, 30 * DAY)
        assert write(here, here.plugin._sweep_page) == 0


def set_forward(plugin: Revocation, seconds: float) -> None:
    """The time of day alone: what counts since boot goes on as before."""
    now = plugin._now
    plugin._now = lambda: now() + seconds


def test_a_reader_that_died_is_buried_and_one_that_lives_is_not(store_url: str) -> None:
    clock, lease = Running(), "100ms"
    with place(store_url, clock=clock, lease=lease) as here, place(store_url, clock=clock, lease=lease) as dead:
        dead.client.run(dead.plugin._house._room.tasks.stop())  # it follows no more, and says nothing
        here.client.run(here.plugin._bury())

        def count(connection: Connection) -> int:
            return int(connection.execute(select(func.count()).select_from(readers)).scalar_one())

        assert write(here, count) == 1
        assert here.ask().status == 200
        assert dead.post(token="t1").status == 201  # it comes back as soon as it is asked
        assert here.ask().status == 401
