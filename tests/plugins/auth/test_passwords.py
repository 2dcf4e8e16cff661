"""Argon2id off the loop: what is hashed, how much at once, and what a new password may be."""

import asyncio
import os
import sys
import threading
import unicodedata

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from narthex.errors import DependencyError
from narthex_plugins.auth.account_settings import PasswordSettings
from narthex_plugins.auth.password_rules import PasswordRefused, check_new, common
from narthex_plugins.auth.passwords import Hasher, Passwords, normal
from tests.plugins.auth.accounting import CHEAP, GOOD

HASHER = Hasher(CHEAP)


# -- what is hashed


def test_the_defaults_are_the_second_recommendation_of_rfc_9106() -> None:
    settings = PasswordSettings()
    assert (settings.memory, settings.passes, settings.lanes) == (64 * 1024 * 1024, 3, 4)
    encoded = Hasher(settings).hash(GOOD)
    assert encoded.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    parameters = extract_parameters(encoded)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)


def test_a_hash_is_argon2s_own_and_salted() -> None:
    first, second = HASHER.hash(GOOD), HASHER.hash(GOOD)
    assert first != second
    assert PasswordHasher().verify(first, GOOD)
    assert HASHER.verify(second, GOOD)
    assert not HASHER.verify(second, GOOD + "!")


def test_the_dummy_has_the_parameters_of_today_and_no_password() -> None:
    assert extract_parameters(HASHER.dummy) == extract_parameters(HASHER.hash(GOOD))
    assert not HASHER.verify(HASHER.dummy, "")
    assert not HASHER.verify(None, GOOD)
    assert not HASHER.verify(None, "")


@pytest.mark.parametrize(
    "broken",
    ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", pytest.param(HASHER.dummy[:-3], id="cut off")],
)
def test_a_hash_that_is_none_is_nobodys_password(broken: str) -> None:
    assert not HASHER.verify(broken, GOOD)
    assert not HASHER.verify(broken, "")


def test_one_keyboard_or_another_makes_no_difference() -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au\u00a0lait"
    assert HASHER.verify(HASHER.hash(composed), decomposed)
    assert not HASHER.verify(HASHER.hash(composed), "cafe au lait")


def test_case_spaces_and_length_are_kept_as_they_were_typed() -> None:
    encoded = HASHER.hash(f" {GOOD} ")
    for other in (GOOD, f" {GOOD}", f" {GOOD.upper()} ", f" {GOOD} x"):
        assert not HASHER.verify(encoded, other)


@given(st.text(max_size=256).filter(lambda text: not any(unicodedata.category(one) == "Cs" for one in text)))
def test_any_text_of_256_characters_can_be_a_password(text: str) -> None:
    found = normal(text)
    assert found is not None
    assert normal(found.decode()) == found


@pytest.mark.parametrize("text", ["x" * 257, "\ud800 lone surrogate"])
def test_what_can_be_nobodys_password_is_not_hashed_and_does_not_match(text: str) -> None:
    with pytest.raises(ValueError, match="no password"):
        HASHER.hash(text)
    assert not HASHER.verify(HASHER.hash(GOOD), text)
    assert not HASHER.verify(None, text)


def test_other_parameters_make_a_hash_stale() -> None:
    assert not HASHER.is_stale(HASHER.hash(GOOD))
    assert Hasher(PasswordSettings(memory=16384, passes=1, lanes=1)).is_stale(HASHER.hash(GOOD))


def test_memory_that_argon2_cannot_work_in_is_refused_in_the_file() -> None:
    with pytest.raises(ValidationError, match="8 KiB of memory for each lane"):
        PasswordSettings(memory=16384, lanes=4)


# -- how much at once


def test_no_more_are_verified_at_once_than_the_settings_say() -> None:
    async def scene() -> int:
        pool = Passwords(PasswordSettings(memory=8192, passes=1, lanes=1, concurrency=2, queue=50))
        at_once, most, guard = 0, 0, threading.Lock()

        def verify(encoded: str | None, password: str) -> bool:
            nonlocal at_once, most
            with guard:
                at_once += 1
                most = max(most, at_once)
            HASHER.verify(encoded, password)
            with guard:
                at_once -= 1
            return True

        pool.hasher.verify = verify  # type: ignore[method-assign]
        await asyncio.gather(*(pool.verify(None, GOOD) for _ in range(40)))
        pool.close()
        return most

    assert 1 <= asyncio.run(scene()) <= 2


def test_what_does_not_fit_is_told_when_to_come_back_and_there_is_room_again() -> None:
    async def scene() -> None:
        pool = Passwords(PasswordSettings(memory=8192, passes=1, lanes=1, concurrency=1, queue=1))
        gate = threading.Event()
        waiting = [asyncio.ensure_future(pool._run(lambda: gate.wait(30))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(DependencyError) as refused:
            await pool.verify(None, GOOD)
        assert refused.value.retry_after is not None
        assert refused.value.retry_after >= 1
        gate.set()
        await asyncio.gather(*waiting)
        assert await pool.verify(HASHER.hash(GOOD), GOOD)
        pool.close()

    asyncio.run(scene())


def test_who_goes_away_gives_their_place_up() -> None:
    async def scene() -> None:
        pool = Passwords(PasswordSettings(memory=8192, passes=1, lanes=1, concurrency=1, queue=1))
        gate = threading.Event()
        first = asyncio.ensure_future(pool._run(lambda: gate.wait(30)))
        second = asyncio.ensure_future(pool.verify(None, GOOD))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        third = asyncio.ensure_future(pool.verify(HASHER.hash(GOOD), GOOD))
        await asyncio.sleep(0)
        gate.set()
        assert await first
        assert await third
        pool.close()

    asyncio.run(scene())


def test_the_loop_goes_on_while_passwords_are_verified() -> None:
    async def scene() -> None:
        pool = Passwords(PasswordSettings(memory=8192, passes=1, lanes=1, concurrency=1))
        gate = threading.Event()
        under_way = asyncio.ensure_future(pool._run(lambda: gate.wait(30)))
        await asyncio.sleep(0)
        gate.set()  # by the loop, which is free to
        assert await under_way
        pool.close()

    asyncio.run(scene())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_threads_are_made_after_a_fork() -> None:
    import subprocess

    code = (
        "import asyncio, os, sys\n"
        "from tests.plugins.auth.accounting import CHEAP, GOOD\n"
        "from narthex_plugins.auth.passwords import Passwords\n"
        "pool = Passwords(CHEAP)\n"
        "asyncio.run(pool.verify(None, GOOD))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    good = asyncio.run(pool.verify(pool.hasher.hash(GOOD), GOOD))\n"
        "    os._exit(0 if good else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", path + code], timeout=60, check=False)
    assert done.returncode == 0


# -- what a new password may be


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short12", "at least 8"),
        ("password", "tried first"),
        ("PassWord", "tried first"),
        ("Password2026!", "tried first"),
        ("1q2w3e4r5t", "tried first"),
        ("zzzzzzzzzzzzzzzz", "same character"),
        ("alice-alice-alice", "beside the user's"),
        ("Alice.Liddell1865", "beside the user's"),
        ("shop.example!1", "beside the user's"),
        ("x" * 257, "at most 256"),
    ],
)
def test_what_would_be_guessed_first_is_refused(password: str, reason: str) -> None:
    with pytest.raises(PasswordRefused, match=reason) as refused:
        check_new(password, min_length=8, words=("alice.liddell@shop.example", "https://shop.example"))
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "tiefblau und gr\u00fcn",
        "\u5bc6\u7801\u306f\u9577\u3044\u307b\u3046\u304c",
        "8302945716",
        "x7 \t\0 jk2!",
        "abc" * 80,
    ],
)
def test_no_kind_of_character_is_asked_for(password: str) -> None:
    try:
        check_new(password, min_length=8, words=("alice", "https://shop.example"))
        said = ""
    except PasswordRefused as refused:
        said = str(refused)
    assert said == ""


def test_the_list_has_the_three_thousand_that_are_asked_for() -> None:
    assert len(common()) >= 3000
    assert min(map(len, common())) >= 8
    assert {"password", "12345678", "iloveyou"} <= common()
