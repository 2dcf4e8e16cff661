"""The time of day is set while four workers serve, by libfaketime: forwards, backwards, by seconds and by days.

Only the time of day: the kernel's other clocks go on whatever is set, and so they do here.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugins.revocation.workers import ISSUER, Place, claims, place_on, tell
from tests.slow import sampled

FULL = os.environ.get("REVOCATION") == "full"
TRIALS = 500 if FULL else 10
LONG = pytest.mark.timeout(7200 if FULL else 400)
DAY = 86_400
STEPS = (1, -1, 2, -2, 30, -30, 240, -240, 3600, -3600)
"""Seconds, as a clock that is corrected or set by hand moves."""
_FOUND = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


@dataclass(slots=True)
class Clock:
    """The time of day of every process of a house: so many seconds ahead of the real one."""

    file: Path
    ahead: int = 0

    def set(self, ahead: int) -> None:
        """Set it; every process sees it at once."""
        self.ahead = ahead
        written = self.file.with_suffix(".new")
        written.write_text(f"{ahead:+d}")
        written.replace(self.file)


@contextmanager
def faked(file: Path) -> Iterator[Clock]:
    """Whoever is started inside has a clock that can be set."""
    if not _FOUND:
        pytest.skip(
            "libfaketime is not installed (Debian: faketime): nothing else sets the clock of some processes only"
        )
    clock = Clock(file)
    clock.set(0)
    variables = {
        "LD_PRELOAD": str(_FOUND[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield clock


@dataclass(slots=True)
class Stepped:
    """A house, and the clock of its processes."""

    place: Place
    clock: Clock


@pytest.fixture(scope="module", params=sampled(["sqlite", "postgresql"], lambda store: store == "sqlite"))
def stepped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stepped]:
    directory = tmp_path_factory.mktemp("clock")
    with faked(directory / "faketime") as clock, place_on(request.param, directory) as place:
        yield Stepped(place, clock)


@LONG
def test_whatever_the_clock_is_set_to_nobody_takes_what_was_revoked(stepped: Stepped) -> None:
    """It is set before the call, in the middle of it, and again and again after it."""
    place, clock, chance = stepped.place, stepped.clock, random.Random(6)
    said: list[str] = []
    admin, tokens = place.site.login("root")["access_token"], place.site.login("alice")
    for number in range(TRIALS):
        token = tokens["access_token"]
        place.site.must_accept(token)
        clock.set(chance.choice(STEPS))
        if not _revoked(place, number % 4, admin, token, lambda: clock.set(chance.choice(STEPS))):
            clock.set(0)  # by that clock the admin was nobody
            assert _revoked(place, number % 4, place.site.login("root")["access_token"], token, lambda: None)
        for ahead in (clock.ahead, *chance.sample(STEPS, 3), 0):
            clock.set(ahead)
            said += place.site.said(token)
        assert "accepted" not in said, (number, clock.ahead, said[-20:])
        tokens = place.site.refresh(tokens)
    stale, revoked = said.count("revocation_list_stale"), said.count("token_revoked")
    tell(f"{TRIALS} trials, {len(said)} requests: 0 accepted, {revoked} revoked, {stale} stale, others expired")


def _revoked(place: Place, which: int, admin: str, token: str, meanwhile: Callable[[], None]) -> bool:
    said = claims(token)
    order: dict[str, object] = {"token": said["jti"], "issuer": ISSUER, "expires_at": said["exp"]}
    place.workers[which].send("POST", "/_narthex/revocations", admin, order)
    meanwhile()
    reply = place.workers[which].receive()
    assert reply.status in {201, 401, 503}, reply.body
    return reply.status == 201


def test_a_revoked_token_is_forgotten_when_it_has_expired_and_known_again_when_the_clock_goes_back(
    stepped: Stepped,
) -> None:
    place, clock = stepped.place, stepped.clock
    clock.set(0)
    place.site.connect()
    token = place.site.login("alice")["access_token"]
    assert place.workers[0].insist("POST", "/_narthex/auth/revoke", body={"token": token}).status == 200
    held = place.site.gauge("narthex_revocation_entries")
    place.site.house.until(lambda: min(place.site.gauge("narthex_revocation_entries")) > 0)
    clock.set(2 * DAY)
    place.site.house.until(lambda: place.site.gauge("narthex_revocation_entries") == [0] * 4)
    place.site.connect()
    admin = place.site.login("root")["access_token"]
    listed = place.workers[1].insist("GET", "/_narthex/revocations?limit=1000", admin).json()["revocations"]
    assert claims(token)["jti"] in {one.get("token") for one in listed}  # the history stays
    clock.set(0)
    assert place.site.codes(token) <= {"token_revoked", "revocation_list_stale"}
    place.site.house.until(lambda: min(place.site.gauge("narthex_revocation_entries")) > 0)
    assert max(held) < 10_000


@LONG
def test_what_was_revoked_by_a_clock_that_was_wrong_is_refused_by_the_right_one(stepped: Stepped) -> None:
    """The session covers what the time of issue does not; an hour ahead, it also covers what will be issued."""
    place, clock = stepped.place, stepped.clock
    for ahead, kind, claim in ((-3600, "session", "sid"), (-3600, "subject", "sub"), (3600, "subject", "sub")):
        clock.set(0)
        place.site.connect()
        token = place.site.login("alice")["access_token"]
        place.site.must_accept(token)
        clock.set(ahead)
        admin = place.site.login("root")["access_token"]
        order: dict[str, object] = {kind: claims(token)[claim]}
        assert place.workers[2].insist("POST", "/_narthex/revocations", admin, order).status == 201
        clock.set(0)
        assert "accepted" not in place.site.codes(token), (ahead, kind)
    assert "accepted" not in place.site.codes(place.site.login("alice")["access_token"])
