"""Accounts in the store: who may log in, and that nobody learns who has an account."""

import asyncio
import math
import os
import random
import time
from collections.abc import Callable, Sequence

import pytest
from argon2 import PasswordHasher, extract_parameters

from narthex.errors import DependencyError
from narthex.events import EventBus
from narthex.tasks import Tasks
from narthex_plugins.auth.account_changes import AccountChanges
from narthex_plugins.auth.account_settings import PasswordSettings, ThrottleSettings
from narthex_plugins.auth.accounts import KEPT, AccountRefused
from narthex_plugins.auth.events import (
    AccountCreated,
    AccountDisabled,
    AccountEnabled,
    AccountEvent,
    AccountPasswordChanged,
    AccountRolesChanged,
)
from narthex_plugins.auth.logins import log_in
from narthex_plugins.auth.names import canonical
from tests.plugins.auth.accounting import GOOD, Desk, MakeStore, desk

DEARER = PasswordSettings(memory=16384, passes=1, lanes=1)
OWASP = PasswordSettings(memory=19 * 1024 * 1024, passes=2, lanes=1)


# -- names


@pytest.mark.parametrize("name", ["alice", "ALICE", "Alice", "\uff21lice"])
def test_case_and_width_of_a_name_make_no_difference(name: str) -> None:
    assert canonical(name) == "alice"


@pytest.mark.parametrize("name", ["m\u00fcller", "mu\u0308ller", "M\u00dcLLER"])
def test_composition_of_a_name_makes_no_difference(name: str) -> None:
    assert canonical(name) == "m\u00fcller"


@pytest.mark.parametrize("name", ["a@b.example", "first.last+tag", "DOM/user", "\u5f20\u4e09", "o'neill", "x" * 128])
def test_names_of_other_systems_can_be_names(name: str) -> None:
    assert canonical(name) == name.casefold()


@pytest.mark.parametrize(
    "name", ["", " ", "two words", "a\0b", "a\u200bb", "a\u202eb", "x" * 129, "\ufdfa" * 10, "a,b", '"', "\ud800"]
)
def test_what_cannot_be_told_apart_or_seen_is_no_name(name: str) -> None:
    assert canonical(name) is None


@pytest.mark.parametrize("unseen", ["\u034f", "\u115f", "\u17b4", "\u180b", "\u3164", "\ufe0f", "\uffa0", "\U000e0100"])
def test_no_name_looks_like_another_by_what_nobody_sees(unseen: str) -> None:
    assert canonical(f"alice{unseen}") is None


# -- who may log in


def test_the_right_password_opens_and_no_other(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as here:
            made = await here.add("Alice", GOOD, "engineer")
            user = await here.users.verify("alice", GOOD)
            assert user is not None
            assert (user.subject, user.name, sorted(user.roles)) == (made.subject, "Alice", ["engineer"])
            for name, password in (("alice", GOOD + "!"), ("alice", ""), ("alicia", GOOD), ("", GOOD), ("a b", GOOD)):
                assert await here.users.verify(name, password) is None

    asyncio.run(scene())


def test_disabled_without_a_password_and_run_out_are_all_refused(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as here:
            off = await here.add("off")
            await here.store.write(lambda connection: here.accounts.set_disabled(connection, off, True, 1.0))
            await here.add("none", None)
            await here.add("short", until=here.clock.now() + 60)
            assert await here.users.verify("short", GOOD) is not None
            here.clock.advance(60)
            for name in ("off", "none", "short"):
                assert await here.users.verify(name, GOOD) is None

    asyncio.run(scene())


def test_find_gives_the_user_of_now(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as here:
            made = await here.add("alice", GOOD, "user")
            await here.store.write(lambda connection: here.accounts.set_roles(connection, made, ["admin"], 1.0))
            user = await here.users.find(made.subject)
            assert user is not None
            assert user.roles == {"admin"}
            await here.store.write(lambda connection: here.accounts.set_disabled(connection, made, True, 1.0))
            assert await here.users.find(made.subject) is None
            assert await here.users.find("nobody") is None

    asyncio.run(scene())


def test_instances_have_accounts_of_their_own(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as one, desk(make_store, instance="auth-two") as two:
            made = await one.add("alice")
            assert await two.users.verify("alice", GOOD) is None
            assert await two.users.find(made.subject) is None
            await two.add("alice", "another password")
            assert await one.users.verify("alice", GOOD) is not None

    asyncio.run(scene())


def test_a_name_is_taken_once_by_whatever_process(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as one, desk(make_store) as two:
            done = await asyncio.gather(
                *(here.add(name, None) for here in (one, two) for name in ("Alice", "alice", "ALICE")),
                return_exceptions=True,
            )
            assert sorted(type(one).__name__ for one in done) == ["Account"] + ["AccountRefused"] * 5

    asyncio.run(scene())


def test_there_is_one_first_admin_by_whatever_process(make_store: MakeStore) -> None:
    async def add(here: Desk, name: str) -> None:
        await here.store.write(lambda connection: here.accounts.add(connection, name, None, 1.0, first_admin=True))

    async def scene() -> None:
        async with desk(make_store) as one, desk(make_store) as two:
            done = await asyncio.gather(
                *(add(here, f"{name}{number}") for here, name in ((one, "a"), (two, "b")) for number in range(3)),
                return_exceptions=True,
            )
            assert sum(one is None for one in done) == 1
            assert sum(isinstance(one, AccountRefused) for one in done) == 5

    asyncio.run(scene())


# -- parameters


def test_a_hash_of_older_parameters_is_made_anew_at_login(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as before:
            made = await before.add("alice")
        async with desk(make_store, passwords=DEARER) as here:
            assert await here.users.verify("alice", "wrong") is None
            assert await hash_of(here) == made.password
            assert await here.users.verify("alice", GOOD) is not None
            now = await hash_of(here)
            assert now is not None
            assert extract_parameters(now).memory_cost == 16
            assert await here.users.verify("alice", GOOD) is not None
            assert await hash_of(here) == now

    asyncio.run(scene())


def test_a_password_changed_meanwhile_is_not_undone_by_the_new_hash(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as here:
            old = await here.add("alice")
            changed = await here.passwords.hash("quite another one")
            await here.store.write(lambda connection: here.accounts.set_password(connection, old, changed, 2.0))
            await here.store.write(lambda connection: here.accounts.replace_hash(connection, old, "of the old one"))
            assert await hash_of(here) == changed

    asyncio.run(scene())


def test_nobody_is_kept_out_because_the_hash_cannot_be_made_anew(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_password: str) -> str:
        raise DependencyError("too many passwords wait")

    async def scene() -> None:
        async with desk(make_store) as before:
            await before.add("alice")
        async with desk(make_store, passwords=DEARER) as here:
            monkeypatch.setattr(here.passwords, "hash", full)
            assert await here.users.verify("alice", GOOD) is not None

    asyncio.run(scene())


# -- changes


def test_every_process_tells_of_every_change_once_and_in_order(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as one, desk(make_store) as two:
            await one.add("before", None)
            told = [Told(here) for here in (one, two)]
            for each in told:
                await each.changes.start()
            made = await one.add("alice", None, "user")
            await two.store.write(lambda connection: two.accounts.set_roles(connection, made, ["b", "a"], 2.0))
            await one.store.write(lambda connection: one.accounts.set_password(connection, made, "x", 3.0))
            await two.store.write(lambda connection: two.accounts.set_disabled(connection, made, True, 4.0))
            await one.store.write(lambda connection: one.accounts.set_disabled(connection, made, False, 5.0))
            for each in told:
                await asyncio.gather(each.changes.look(), each.changes.look())
            kinds = [AccountCreated, AccountRolesChanged, AccountPasswordChanged, AccountDisabled, AccountEnabled]
            for each in told:
                assert [type(event) for event in each.events] == kinds
                assert {(event.subject, event.name) for event in each.events} == {(made.subject, "alice")}
            assert told[0].events == told[1].events
            assert isinstance(told[0].events[1], AccountRolesChanged)
            assert told[0].events[1].roles == ("a", "b")

    asyncio.run(scene())


def test_a_process_hears_of_a_change_of_another_without_asking(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as one, desk(make_store) as two:
            told = Told(two)
            await told.changes.start()
            following = asyncio.ensure_future(told.changes.follow())
            await one.add("alice", None)
            async with asyncio.timeout(30):
                await told.heard.wait()
            following.cancel()
            assert [type(event) for event in told.events] == [AccountCreated]

    asyncio.run(scene())


def test_the_log_of_changes_does_not_grow_for_ever(make_store: MakeStore) -> None:
    async def scene() -> None:
        async with desk(make_store) as here:
            made = await here.add("alice", None)
            here.clock.advance(KEPT + 1)
            await here.store.write(
                lambda connection: here.accounts.set_disabled(connection, made, True, here.clock.now())
            )
            rows = await here.store.read(lambda connection: here.accounts.log.after(connection, 0))
            assert [row["change"] for row in rows] == ["disabled"]

    asyncio.run(scene())


# -- nobody learns who has an account


@pytest.mark.parametrize("name", ["known", "off", "none", "run-out", "unknown", "no name", ""])
def test_every_refusal_costs_one_read_and_one_verification(
    make_store: MakeStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with desk(make_store) as here:
            await everybody(here)
            done: list[str] = []
            read, write = here.store.read, here.store.write

            def counting(kind: str, work: Callable[..., object]) -> Callable[[object], object]:
                def call(job: object) -> object:
                    done.append(kind)
                    return work(job)

                return call

            here.passwords.hasher._argon2 = Counting(here.passwords.hasher._argon2, done)  # type: ignore[assignment]
            monkeypatch.setattr(here.store, "read", counting("read", read))
            monkeypatch.setattr(here.store, "write", counting("write", write))
            assert await here.users.verify(name, "not the password") is None
            assert done == ["read", str(extract_parameters(here.passwords.hasher.dummy))]

    asyncio.run(scene())


@pytest.mark.skipif(os.environ.get("AUTH") != "full", reason="measures for minutes; AUTH=full runs it")
@pytest.mark.timeout(1200)
def test_no_time_tells_an_unknown_user_from_a_wrong_password(make_store: MakeStore) -> None:
    async def scene() -> dict[str, list[float]]:
        names = ["known", "off", "none", "unknown"]
        took: dict[str, list[float]] = {name: [] for name in names}
        free = ThrottleSettings(per_pair=1_000_000, per_account=1_000_000, per_address=1_000_000)
        async with desk(make_store, passwords=OWASP, throttle=free) as here:
            await everybody(here)
            for number in range(500):
                for name in random.sample(names, len(names)):
                    asked = name if name != "unknown" else f"unknown{number}"
                    began = time.perf_counter()
                    await log_in(here.users, here.throttle, asked, "not the password", "192.0.2.1")
                    took[name].append(time.perf_counter() - began)
        return took

    took = asyncio.run(scene())
    for name in ("off", "none", "unknown"):
        p = mann_whitney(took["known"], took[name])
        print(f"{name}: p = {p:.3f}, medians {median(took['known']):.5f} {median(took[name]):.5f} s")  # noqa: T201
        assert p > 0.001, name


def test_the_rank_test_sees_a_shift_of_a_tenth_of_the_spread() -> None:
    even, odd = [float(one) for one in range(0, 1000, 2)], [float(one) for one in range(1, 1001, 2)]
    assert mann_whitney(even, odd) > 0.9
    assert mann_whitney(even, [one + 100 for one in odd]) < 0.001


class Counting:
    """Notes the parameters of every verification, and makes it."""

    def __init__(self, real: PasswordHasher, done: list[str]) -> None:
        self._real, self._done = real, done

    def verify(self, encoded: str, password: bytes) -> bool:
        self._done.append(str(extract_parameters(encoded)))
        return self._real.verify(encoded, password)


class Told:
    """What a process told its plugins of."""

    def __init__(self, here: Desk) -> None:
        self.events: list[AccountEvent] = []
        self.heard = asyncio.Event()
        bus = EventBus(Tasks())
        bus.subscribe(AccountEvent, self._hear)
        self.changes = AccountChanges(here.store, bus, here.accounts)

    def _hear(self, event: AccountEvent) -> None:
        self.events.append(event)
        self.heard.set()


async def everybody(here: Desk) -> None:
    """One account of each kind that may not log in, and one that may."""
    await here.add("known")
    await here.add("none", None)
    await here.add("run-out", until=here.clock.now())
    off = await here.add("off")
    await here.store.write(lambda connection: here.accounts.set_disabled(connection, off, True, 1.0))


async def hash_of(here: Desk, name: str = "alice") -> str | None:
    account = await here.store.read(lambda connection: here.accounts.named(connection, name))
    assert account is not None
    return account.password


def median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p of the rank test in its normal approximation; values are taken to differ."""
    ranks = {value: rank for rank, value in enumerate(sorted([*first, *second]), 1)}
    many, others = len(first), len(second)
    u = sum(ranks[value] for value in first) - many * (many + 1) / 2
    deviation = math.sqrt(many * others * (many + others + 1) / 12)
    return math.erfc(abs(u - many * others / 2) / deviation / math.sqrt(2))
