"""Refresh tokens: one use, one successor; a second use ends the session."""

import asyncio
import os
import secrets

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy import Connection

from narthex.clock import SystemClock
from narthex.services import Session
from narthex.store import Store
from narthex.testing import FixedClock, Reply
from narthex_plugins.auth.accounts import Account
from narthex_plugins.auth.events import RefreshReused, SessionEnded, TokenRefreshed
from narthex_plugins.auth.jwk import VerifyingKey
from narthex_plugins.auth.refresh import (
    Outcome,
    Refreshed,
    RefreshRows,
    Reused,
    Unknown,
    is_refresh_token,
    new_token,
    seal,
    unseal,
)
from narthex_plugins.auth.sessions import SessionRows, new_id
from narthex_plugins.auth.tables import tables
from tests.plugins.auth.accounting import MakeStore
from tests.plugins.auth.site import Site, bearer, site

FULL = os.environ.get("AUTH") == "full"
PAIRS = 1000 if FULL else 100


def refresh(house: Site, token: str) -> Reply:
    return house.post("refresh", refresh_token=token)


def test_a_refresh_token_gives_new_tokens_and_its_successor() -> None:
    with site() as house:
        house.add("alice", "user")
        first = house.login()
        house.clock.advance(10)
        second = refresh(house, first["refresh_token"]).json()
        assert second["refresh_token"] != first["refresh_token"]
        assert house.me(bearer(second["access_token"])).json()["roles"] == ["user"]
        assert [event.client for event in house.events(TokenRefreshed)] == ["127.0.0.1"]
        assert refresh(house, second["refresh_token"]).status == 200


def test_a_second_use_ends_the_session_of_the_thief_and_of_the_owner() -> None:
    with site() as house:
        house.add()
        first = house.login()["refresh_token"]
        second = refresh(house, first).json()["refresh_token"]
        reused = refresh(house, first)
        assert (reused.status, reused.json()["error"]) == (400, "invalid_grant")
        assert refresh(house, second).status == 400
        assert [event.ended for event in house.events(RefreshReused)] == [True]
        house.client.wait_until(lambda: house.events(SessionEnded))


def test_an_old_token_of_the_family_ends_it_too() -> None:
    with site(refresh_grace="1h") as house:
        house.add()
        first = house.login()["refresh_token"]
        second = refresh(house, first).json()["refresh_token"]
        third = refresh(house, second).json()["refresh_token"]
        assert refresh(house, first).status == 400  # not the one just before the newest
        assert refresh(house, third).status == 400


def test_within_the_grace_the_same_successor_is_given_again() -> None:
    with site(refresh_grace="30s") as house:
        house.add()
        first = house.login()["refresh_token"]
        second = refresh(house, first).json()["refresh_token"]
        house.clock.advance(29)
        again = refresh(house, first)
        assert (again.status, again.json()["refresh_token"]) == (200, second)
        house.clock.advance(1)
        assert refresh(house, first).status == 400
        assert refresh(house, second).status == 400


def test_a_session_is_over_when_its_time_is_whatever_was_refreshed() -> None:
    with site(session_lifetime="1h") as house:
        house.add()
        token = house.login()["refresh_token"]
        house.clock.advance(3599)
        given = refresh(house, token).json()
        assert given["expires_in"] == 1
        house.clock.advance(1)
        assert refresh(house, given["refresh_token"]).status == 400
        assert house.events(RefreshReused) == []


def test_a_session_that_nobody_used_is_over_after_the_idle_time() -> None:
    with site(session_idle="10m") as house:
        house.add()
        tokens = house.login()
        for _ in range(3):
            house.clock.advance(400)
            assert house.me(bearer(tokens["access_token"])).status in (200, 401)
            tokens = refresh(house, tokens["refresh_token"]).json()
        house.clock.advance(600)
        assert refresh(house, tokens["refresh_token"]).status == 400


def test_roles_are_those_of_now_and_who_was_disabled_gets_nothing() -> None:
    with site() as house:
        house.add("alice", "user")
        tokens = house.login()
        house.change("alice", lambda rows, c, alice, now: rows.set_roles(c, alice, ["engineer"], now))
        tokens = refresh(house, tokens["refresh_token"]).json()
        assert house.me(bearer(tokens["access_token"])).json()["roles"] == ["engineer"]
        house.change("alice", lambda rows, c, alice, now: rows.set_disabled(c, alice, True, now))
        assert refresh(house, tokens["refresh_token"]).status == 400


def test_the_store_keeps_digests_only() -> None:
    with site(refresh_grace="1m") as house:
        house.add()
        tokens = [house.login()["refresh_token"]]
        tokens.append(refresh(house, tokens[0]).json()["refresh_token"])
        rows = house.write(lambda c: repr(c.exec_driver_sql("SELECT * FROM auth_refresh_tokens").fetchall()))
    assert not any(token in rows or token[-40:] in rows for token in tokens)


@given(st.text(max_size=60))
def test_what_is_no_token_of_ours_is_refused_before_the_store_is_asked(text: str) -> None:
    assert not is_refresh_token(text)
    assert is_refresh_token(new_token())


@given(st.binary(max_size=100))
def test_only_the_used_token_opens_its_successor(noise: bytes) -> None:
    token, successor = new_token(), new_token()
    assert unseal(token, seal(token, successor)) == successor
    assert unseal(new_token(), seal(token, successor)) is None
    assert unseal(token, noise) is None


@pytest.mark.parametrize("grace", [0.0, 60.0])
def test_of_any_number_of_uses_at_once_one_gives_a_successor(make_store: MakeStore, grace: float) -> None:
    """Each pair comes from two stores, as from two processes; without a grace the pair's loser ends the session."""

    async def main() -> list[list[Outcome]]:
        stores = [make_store(), make_store()]
        for store in stores:
            await store.start([tables])
        try:
            return await asyncio.gather(*(pair(stores, grace) for _ in range(PAIRS)))
        finally:
            for store in stores:
                await store.stop()

    for outcomes in asyncio.run(main()):
        successors = {outcome.token for outcome in outcomes if isinstance(outcome, Refreshed)}
        assert len(successors) == 1
        others = [outcome for outcome in outcomes if not isinstance(outcome, Refreshed)]
        assert others == [] if grace else [type(other) for other in others] == [Reused]


async def pair(stores: list[Store], grace: float) -> list[Outcome]:
    clock = SystemClock()
    rows = [SessionRows("auth", store.link, 0) for store in stores]
    now, token = clock.now(), new_token()
    session = Session(new_id(), secrets.token_hex(8), now, now + 3600, now)

    def issue(connection: Connection) -> None:
        rows[0].open(connection, session, None)
        RefreshRows(rows[0], grace).issue(connection, session, token)

    await stores[0].write(issue)

    async def use(store: Store, own: SessionRows) -> Outcome:
        successor = new_token()
        tokens = RefreshRows(own, grace)
        return await store.write(lambda connection: tokens.exchange(connection, token, successor, clock.now()))

    return list(await asyncio.gather(*(use(store, own) for store, own in zip(stores, rows, strict=True))))


uses = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50)), max_size=12)


@how(max_examples=200 if FULL else 12)
@given(uses, st.sampled_from([0.0, 30.0]))
def test_whatever_is_used_when_a_family_has_one_live_token_or_none(steps: list[tuple[int, int]], grace: float) -> None:
    """A model beside the real thing: which of the tokens known so far is used, and how much later."""
    with site(refresh_grace=grace) as house:
        house.add()
        known = [house.login()["refresh_token"]]
        used: dict[str, float] = {}
        over = False
        for which, later in steps:
            house.clock.advance(later)
            token = known[min(which, len(known) - 1)]
            reply = refresh(house, token)
            fresh = token not in used
            last_but_one = len(known) > 1 and token == known[-2] and house.clock.now() - used.get(token, 0) < grace
            assert (reply.status == 200) == (not over and (fresh or last_but_one))
            if reply.status == 200 and fresh:
                used[token] = house.clock.now()
                known.append(reply.json()["refresh_token"])
            over = over or reply.status != 200


def test_an_unknown_session_is_nobodys(make_store: MakeStore) -> None:
    async def main() -> Outcome:
        store, clock = make_store(), FixedClock()
        await store.start([tables])
        try:
            rows = RefreshRows(SessionRows("auth", store.link, 0), 0)
            return await store.write(lambda c: rows.exchange(c, new_token(), new_token(), clock.now()))
        finally:
            await store.stop()

    assert asyncio.run(main()) == Unknown()


def test_what_is_passed_around_shows_no_secret() -> None:
    session = Session("s", "1", 0, 0, 0)
    account = Account("1", "alice", "$argon2id$", None, None, frozenset(), frozenset(), False, 0)
    secret = VerifyingKey(None, "HS256", b"a-shared-secret")
    said = repr([Refreshed(session, "narthex_rt_new"), account, secret])
    assert not [one for one in ("narthex_rt_", "argon2", "shared") if one in said]
