"""How guessing is slowed down: the decision alone, then shared by processes through the store.

What the figures below say, with the defaults: 10,000 guesses at one account from 100 addresses are 5 passwords tried
where they come at one moment, 11 in a hundred seconds, 17 in an hour, 109 in a day. Spread over 100 accounts in a
hundred seconds they are 500, of which each account sees 5. Its owner, at an address they have used before, logs in at
once all the time.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from narthex.testing import FixedClock
from narthex_plugins.auth.account_settings import ThrottleSettings
from narthex_plugins.auth.attempts import AttemptRows, keys_of, network
from narthex_plugins.auth.delays import KINDS, NOTHING, Count, Delays, Kind, retry_after
from narthex_plugins.auth.logins import Refused, Wait, log_in
from narthex_plugins.auth.tables import attempts
from narthex_plugins.auth.users import User
from tests.plugins.auth.accounting import Desk, MakeStore, desk

RULE: Final = Delays({"pair": 3, "account": 5, "address": 10}, 1.0, 900.0, 86_400.0, 30 * 86_400.0)
START: Final = 1_700_000_000.0
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

counts = st.builds(Count, st.integers(0, 1_000_000), st.floats(0, 4e9), st.floats(0, 4e9))
anything = st.fixed_dictionaries(dict.fromkeys(KINDS, counts))
moments = st.floats(0, 4e9)


# -- the decision


def test_the_delays_double_from_the_first_to_the_longest() -> None:
    assert [RULE.delay("pair", failures) for failures in range(7)] == [0, 0, 0, 1, 2, 4, 8]
    assert RULE.delay("account", 5 + 9) == 512
    assert RULE.delay("account", 5 + 10) == RULE.delay("account", 1_000_000) == 900


def test_a_wait_ends_at_the_exact_second() -> None:
    found: dict[Kind, Count] = {"pair": Count(3, START)}
    assert RULE.wait(found, START) == 1.0
    assert RULE.wait(found, START + 0.25) == 0.75
    assert RULE.wait(found, START + 1) == 0.0


def test_failures_are_forgotten_a_day_after_the_last() -> None:
    old = Count(1000, START)
    assert RULE.failures(old, START + DAY - 1) == 1000
    assert RULE.failures(old, START + DAY) == 0
    assert RULE.failed(old, START + DAY) == Count(1, START + DAY)


@given(anything, moments)
def test_nobody_ever_waits_longer_than_the_longest(found: dict[Kind, Count], now: float) -> None:
    assert 0.0 <= RULE.wait(found, now) <= RULE.longest


@given(anything, moments)
def test_whoever_waits_as_long_as_they_are_told_may_try(found: dict[Kind, Count], now: float) -> None:
    lasting = {kind: now + DAY if one.trusted_until > now else 0.0 for kind, one in found.items()}
    past = {kind: Count(one.failures, min(one.last, now), lasting[kind]) for kind, one in found.items()}
    assert RULE.wait(past, now + retry_after(RULE.wait(past, now)) + 0.001) == 0.0


@given(counts, moments, st.sampled_from(KINDS))
def test_a_failure_never_makes_a_wait_shorter(count: Count, now: float, kind: Kind) -> None:
    before = Count(count.failures, min(count.last, now), 0.0)
    assert RULE.wait({kind: RULE.failed(before, now)}, now) >= RULE.wait({kind: before}, now)


@given(anything, moments)
def test_where_an_account_is_used_from_only_the_pair_counts(found: dict[Kind, Count], now: float) -> None:
    trusted = {**found, "pair": Count(found["pair"].failures, found["pair"].last, now + 1)}
    assert RULE.wait(trusted, now) == RULE.wait({"pair": trusted["pair"]}, now)


@given(st.lists(st.floats(0, 2000), min_size=1, max_size=200))
def test_tries_of_one_kind_are_bounded_in_any_time(steps: list[float]) -> None:
    now, tried, count = START, 0, NOTHING
    for step in steps:
        now += step
        if RULE.wait({"account": count}, now) == 0:
            tried, count = tried + 1, RULE.failed(count, now)
    assert tried <= RULE.free["account"] + 10 + (now - START) / RULE.longest + (now - START) // RULE.forget * 16


@pytest.mark.parametrize("back", [HOUR, 365 * DAY])
def test_a_clock_that_was_set_back_keeps_nobody_out(back: float) -> None:
    of_the_future: dict[Kind, Count] = {"account": Count(50, START + back)}
    assert RULE.wait(of_the_future, START) == 0.0
    assert RULE.failed(of_the_future["account"], START).last == START


@given(counts, moments)
def test_a_row_that_has_expired_says_nothing(count: Count, now: float) -> None:
    if RULE.expires(count) <= now:
        assert RULE.failures(count, now) == 0
        assert not RULE.trusts({"pair": count}, now)


# -- attacks, in the model


class Town:
    """All counts of a deployment, and one guess at a time."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], Count] = {}

    def guess(self, name: str, address: str, now: float, *, right: bool = False) -> bool:
        """Whether the password was really tried."""
        keys: dict[Kind, tuple[str, ...]] = {
            "pair": ("pair", name, address),
            "account": ("account", name),
            "address": ("address", address),
        }
        found = {kind: self.counts.get(key, NOTHING) for kind, key in keys.items()}
        if RULE.wait(found, now) > 0:
            return False
        if right:
            self.counts[keys["pair"]] = RULE.succeeded(found["pair"], now)
        else:
            self.counts |= {keys[kind]: RULE.failed(found[kind], now) for kind in RULE.heeded(found, now)}
        return True


def attack(town: Town, seconds: float, accounts: int = 1, guesses: int = 10_000) -> Iterator[tuple[float, bool]]:
    """Guesses from 100 addresses, evenly over the time."""
    for number in range(guesses):
        now = START + number * seconds / guesses
        yield now, town.guess(f"name{number // 100 % accounts}", f"address{number % 100}", now)


@pytest.mark.parametrize(("seconds", "tried"), [(0, 5), (100, 11), (HOUR, 17), (DAY, 109)])
def test_ten_thousand_guesses_from_a_hundred_addresses_get_nowhere(seconds: float, tried: int) -> None:
    assert sum(done for _, done in attack(Town(), seconds)) == tried


def test_spread_over_a_hundred_accounts_each_of_them_sees_a_few() -> None:
    town = Town()
    assert sum(done for _, done in attack(town, 100, accounts=100)) == 500
    assert max(count.failures for key, count in town.counts.items() if key[0] == "account") == 5


def test_one_address_with_a_new_account_each_second_of_a_day_gets_nowhere() -> None:
    town = Town()
    assert sum(town.guess(f"name{second}", "one", START + second) for second in range(86_400)) == 114


def test_the_owner_at_a_known_address_is_not_kept_out_for_a_moment() -> None:
    town = Town()
    assert town.guess("name0", "home", START, right=True)
    for now, _ in attack(town, DAY):
        assert town.guess("name0", "home", now, right=True)


def test_the_owner_elsewhere_waits_for_the_longest_delay_at_most_once_the_attack_is_over() -> None:
    town = Town()
    *_, (last, _) = attack(town, DAY)
    assert not town.guess("name0", "abroad", last, right=True)
    assert town.guess("name0", "abroad", last + RULE.longest, right=True)


def test_a_guesser_at_the_owners_address_has_one_pair_of_tries() -> None:
    town = Town()
    town.guess("name0", "office", START, right=True)
    assert sum(town.guess("name0", "office", START + second) for second in range(3600)) <= 3 + 10 + 4


# -- addresses


@pytest.mark.parametrize(
    ("address", "one"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, None),
        ("", None),
        ("unix", None),
    ],
)
def test_what_counts_as_one_address(address: str | None, one: str | None) -> None:
    assert network(address) == one


def test_a_key_tells_nothing_and_case_makes_no_other() -> None:
    assert keys_of("Alice", "192.0.2.1") == keys_of("aLICE", "::ffff:192.0.2.1")
    assert len({*keys_of("alice", "192.0.2.1").values(), *keys_of("alicf", "192.0.2.2").values()}) == 6
    assert list(keys_of("x" * 100_000 + "\ud800", None)) == ["account"]
    assert all(len(key) == 64 for key in keys_of("x" * 100_000, "192.0.2.1").values())


# -- in the store


class Broken(Exception):
    """What a source raises that cannot be asked."""


class Guarded:
    """A source with one user, that notes what was really tried, and takes its time."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.broken = False

    async def verify(self, name: str, password: str) -> User | None:
        self.tried.append(password)
        await asyncio.sleep(0)
        if self.broken:
            raise Broken
        return User("1", name) if password == "right" else None

    async def find(self, subject: str) -> User | None:
        return None


async def guess(here: Desk, source: Guarded, password: str, name: str = "alice", where: str = "192.0.2.1") -> object:
    return await log_in(source, here.throttle, name, password, where)


def test_after_the_free_tries_even_the_right_password_waits(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store) as here:
            assert [await guess(here, source, "wrong") for _ in range(3)] == [Refused()] * 3
            assert await guess(here, source, "right") == Wait(1.0)
            here.clock.advance(1)
            assert isinstance(await guess(here, source, "right"), User)
            assert len(source.tried) == 4

    asyncio.run(scene())


def test_a_login_clears_what_its_user_has_mistyped_and_nothing_else(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store) as here:
            await guess(here, source, "wrong", name="bob")
            for _ in range(2):
                await guess(here, source, "wrong")
            await guess(here, source, "right")
            left = await rows(here)
            assert left[keys_of("alice", "192.0.2.1")["pair"]] == 0
            assert left[keys_of("alice", "192.0.2.1")["account"]] == 0
            assert left[keys_of("alice", "192.0.2.1")["address"]] == 1
            assert left[keys_of("bob", "192.0.2.1")["account"]] == 1

    asyncio.run(scene())


def test_a_try_on_probation_that_was_right_is_taken_back(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store) as here:
            for _ in range(3):
                await guess(here, source, "wrong")
            here.clock.advance(1)
            await guess(here, source, "right")
            assert set((await rows(here)).values()) == {0}

    asyncio.run(scene())


def test_a_try_that_could_not_be_made_counts_for_nothing(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store) as here:
            for _ in range(3):
                await guess(here, source, "wrong")
            before = await rows(here)
            here.clock.advance(1)
            source.broken = True
            with pytest.raises(Broken):
                await guess(here, source, "right")
            await here.store.write(lambda _connection: None)  # behind what was posted
            assert await rows(here) == before

    asyncio.run(scene())


def test_all_processes_count_together_and_a_restart_forgets_nothing(make_store: MakeStore) -> None:
    async def scene() -> None:
        source, clock = Guarded(), FixedClock()
        async with desk(make_store, clock=clock) as one, desk(make_store, clock=clock) as two:
            for here in (one, two, one):
                assert await guess(here, source, "wrong") == Refused()
            assert await guess(two, source, "right") == Wait(1.0)
        async with desk(make_store, clock=clock) as again:
            assert await guess(again, source, "right") == Wait(1.0)

    asyncio.run(scene())


def test_a_burst_at_two_processes_tries_few_passwords(make_store: MakeStore) -> None:
    async def scene() -> None:
        source, clock = Guarded(), FixedClock()
        async with desk(make_store, clock=clock) as one, desk(make_store, clock=clock) as two:
            burst = [(here, f"192.0.2.{number}") for number in range(50) for here in (one, two)]
            await asyncio.gather(*(guess(here, source, "wrong", where=where) for here, where in burst))
            # In each process as many at once as are free, and those that began before the others were counted.
            assert len(source.tried) <= 2 * 2 * 5
            source.tried.clear()
            clock.advance(900)
            await asyncio.gather(*(guess(here, source, "wrong", where=where) for here, where in burst))
            assert len(source.tried) == 1

    asyncio.run(scene())


def test_many_good_logins_at_once_are_all_let_in(make_store: MakeStore) -> None:
    async def scene() -> None:
        source, clock = Guarded(), FixedClock()
        async with desk(make_store, clock=clock) as one, desk(make_store, clock=clock) as two:
            same = [guess(here, source, "right") for here in (one, two) for _ in range(30)]
            several = [guess(here, source, "right", name=f"user{n}") for here in (one, two) for n in range(30)]
            done = await asyncio.gather(*same, *several)
            assert {type(one) for one in done} == {User}

    asyncio.run(scene())


def test_a_name_that_nobody_has_is_counted_as_any_other(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store) as here:
            for name in ("alice", "nobody", "no name at all\0"):
                answers = [
                    await guess(here, source, "wrong", name=name, where=f"2001:db8:{len(name)}::1") for _ in "1234"
                ]
                assert answers == [Refused(), Refused(), Refused(), Wait(1.0)]

    asyncio.run(scene())


def test_without_an_address_the_account_alone_is_counted(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store) as here:
            answers = [await log_in(source, here.throttle, "alice", "wrong", None) for _ in range(6)]
            assert answers == [Refused()] * 5 + [Wait(1.0)]
            assert isinstance(await log_in(source, here.throttle, "bob", "right", None), User)

    asyncio.run(scene())


def test_rows_that_say_nothing_any_more_are_swept_away(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store) as here:
            for number in range(4):
                await guess(here, source, "wrong", name=f"name{number}")
            await guess(here, source, "right", name="alice")
            here.clock.advance(DAY)
            await guess(here, source, "wrong", name="late")
            await here.store.write(lambda _connection: None)  # behind the sweep
            assert len(await rows(here)) == 3 + 1  # what is late, and where alice logs in
            here.clock.advance(30 * DAY)
            await here.store.write(lambda connection: here.throttle.rows.sweep(connection, here.clock.now()))
            assert await rows(here) == {}

    asyncio.run(scene())


def test_the_table_is_bounded_and_the_oldest_failures_go_first(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as here:
            sweeper = AttemptRows("auth", here.throttle.delays)

            def job(connection: object) -> None:
                for number in range(20):
                    sweeper.save(connection, f"key{number:02}", Count(1, START + number))  # type: ignore[arg-type]
                sweeper.save(connection, "known", Count(0, 0.0, START + DAY))  # type: ignore[arg-type]
                sweeper.sweep(connection, START + 20, most=5)  # type: ignore[arg-type]

            await here.store.write(job)
            assert sorted(await rows(here)) == [f"key{number}" for number in range(15, 20)] + ["known"]

    asyncio.run(scene())


def test_places_in_the_process_are_given_back(make_store: MakeStore) -> None:
    async def scene() -> None:
        source = Guarded()
        async with desk(make_store, throttle=ThrottleSettings(per_pair=1)) as here:
            await asyncio.gather(*(guess(here, source, "right") for _ in range(20)))
            source.broken = True
            with pytest.raises(Broken):
                await guess(here, source, "right")
            assert here.throttle._gates._gates == {}
            assert here.throttle._gates._inside == 0

    asyncio.run(scene())


async def rows(here: Desk) -> dict[str, int]:
    """Key to failures."""
    found = await here.store.read(
        lambda connection: connection.execute(select(attempts.c.key, attempts.c.failures)).all()
    )
    return {key: int(failures) for key, failures in found}
