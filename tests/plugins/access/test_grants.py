"""Grants in the store: every process follows them, and goes by them no longer than it may."""

import asyncio
import os
import socket
from collections.abc import Callable

import pytest

from narthex.clock import SystemClock
from narthex.errors import DependencyError
from narthex.store import Store
from narthex.testing import FixedClock, memory_store
from narthex_plugins.access.grants import Stored, StoredGrants
from narthex_plugins.access.tables import tables
from tests.plugins.access.site import as_, serving


def test_every_process_follows_what_one_of_them_grants(
    make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narthex_plugins.access.grants.LOOK", 3600.0)  # so that it is the link that tells

    async def both() -> None:
        here, there = make_store(), make_store()
        await here.start([tables])
        await there.start([tables])
        heard: asyncio.Queue[Stored] = asyncio.Queue()
        ours = StoredGrants(here, "access", SystemClock(), 60, lambda granted: None)
        theirs = StoredGrants(there, "access", SystemClock(), 60, heard.put_nowait)
        await ours.start()
        await theirs.start()
        following = asyncio.create_task(theirs.follow())
        try:
            async with asyncio.timeout(30):
                assert (await ours.change("user", "a:b", "ada", granted=True)).done
                assert await heard.get() == {"user": {"a:b"}}
                assert not (await ours.change("user", "a:b", "ada", granted=True)).done
                assert (await ours.change("user", "a:b", "ada", granted=False)).done
                assert await heard.get() == {}
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await here.stop()
            await there.stop()

    asyncio.run(both())


def test_who_has_not_heard_of_a_change_is_named(
    make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narthex_plugins.access.grants.PATIENCE", 0.2)

    async def both() -> None:
        here, there = make_store(), make_store()
        await here.start([tables])
        await there.start([tables])
        ours = StoredGrants(here, "access", SystemClock(), 60, lambda granted: None)
        theirs = StoredGrants(there, "access", SystemClock(), 60, lambda granted: None)
        await ours.start()
        await theirs.start()
        try:
            change = await ours.change("user", "a:b", "ada", granted=True)  # nobody follows there
            assert (change.done, list(change.behind)) == (True, [f"{socket.gethostname()}:{os.getpid()}"])
            following = asyncio.create_task(theirs.follow())
            monkeypatch.setattr("narthex_plugins.access.grants.PATIENCE", 30.0)
            again = await ours.change("user", "a:b", "ada", granted=True)
            assert (again.done, list(again.behind)) == (False, [])
            assert theirs.granted == {"user": {"a:b"}}
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        finally:
            await here.stop()
            await there.stop()

    asyncio.run(both())


def test_what_was_granted_is_there_after_a_restart(store_url: str) -> None:
    with serving(store_url) as client:
        grant = {"role": "user", "permission": "orders:read"}
        assert client.post("/_narthex/access/grants", as_("ada admin"), json=grant).status == 201
    with serving(store_url, rules=[{"path": "/orders", "permissions": ["orders:read"]}]) as client:
        assert client.get("/orders", as_("bob user")).status == 200


def test_a_look_that_is_too_old_is_doubted_until_the_store_answers_again() -> None:
    async def look() -> None:
        clock = FixedClock()
        async with memory_store(tables) as store:
            grants = StoredGrants(store, "access", clock, 60, lambda granted: None)
            assert (grants.stale, "not looked at" in grants.doubt) == (False, True)
            await grants.start()
            clock.advance(59)
            assert (grants.stale, grants.doubt) == (False, "")
            clock.advance(1)
            assert (grants.stale, grants.doubt) == (True, "the store's grants cannot be read")
            await grants.look()
            assert not grants.stale
        with pytest.raises(DependencyError):
            await grants.look()

    asyncio.run(look())


def test_instances_have_grants_of_their_own() -> None:
    async def two() -> None:
        async with memory_store(tables) as store:
            one = StoredGrants(store, "one", SystemClock(), 60, lambda granted: None)
            other = StoredGrants(store, "other", SystemClock(), 60, lambda granted: None)
            await one.change("user", "a:b", "ada", granted=True)
            await other.look()
            assert one.granted == {"user": frozenset({"a:b"})}
            assert other.granted == {}

    asyncio.run(two())
