"""The arithmetic of pacing, addresses of mail, addresses of the network, patterns of topics."""

import random
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from narthex_plugins.notifications.mailbox import checked, message, one_line
from narthex_plugins.notifications.pacing import (
    Gate,
    Pace,
    Room,
    after_failure,
    after_success,
    after_taking,
    pause,
    room,
)
from narthex_plugins.notifications.reaching import permitted
from narthex_plugins.notifications.ruling import matcher
from narthex_plugins.notifications.settings import Network

PACE = Pace(attempts=5, first=4, longest=60, rate=None, burst=10, concurrency=3, timeout=1, trip=3, rest=30)


def test_a_pause_is_drawn_between_nothing_and_a_bound_that_doubles_up_to_a_limit() -> None:
    dice = random.Random(7)
    for attempt, bound in ((1, 4), (2, 8), (3, 16), (5, 60), (90, 60)):
        drawn = [pause(PACE, attempt, None, dice) for _ in range(500)]
        assert 0 <= min(drawn) < bound * 0.1
        assert bound * 0.9 < max(drawn) <= bound


def test_a_pause_is_at_least_what_the_receiver_asks_for_and_at_most_a_day_of_it() -> None:
    assert pause(PACE, 1, 100.0, random.Random(1)) == 100
    assert pause(PACE, 1, 1e9, random.Random(1)) == 86_400


def test_a_channel_has_room_for_as_many_as_may_be_under_way() -> None:
    assert [room(PACE, Gate(), wanted, under, 0).count for wanted, under in ((9, 0), (9, 2), (9, 3), (1, 0))] == [
        3,
        1,
        0,
        1,
    ]


def test_a_rate_lets_a_burst_go_and_then_one_after_the_other() -> None:
    pace, gate, now, times = replace(PACE, rate=2.0, burst=4, concurrency=100), Gate(), 1000.0, list[float]()
    while len(times) < 8:
        granted = room(pace, gate, 8 - len(times), 0, now)
        times += [now - 1000] * granted.count
        gate = after_taking(pace, gate, granted.count, now)
        now += granted.wait
    assert times == pytest.approx([0, 0, 0, 0, 0.5, 1.0, 1.5, 2.0])


def test_failures_in_a_row_open_the_circuit_and_one_goes_first() -> None:
    gate = Gate()
    for _ in range(3):
        assert room(PACE, gate, 9, 0, 100).count == 3
        gate = after_failure(PACE, gate, None, 100)
    assert room(PACE, gate, 9, 0, 100) == Room(0, 30)
    assert room(PACE, gate, 9, 0, 130).count == 1
    assert room(PACE, gate, 9, 1, 130).count == 0
    again = after_failure(PACE, gate, None, 130)
    assert room(PACE, again, 9, 0, 159).count == 0
    assert room(PACE, after_success(gate), 9, 0, 131).count == 3


def test_a_channel_is_left_alone_for_as_long_as_its_receiver_asks() -> None:
    gate = after_failure(PACE, Gate(), 50.0, 100)
    assert [room(PACE, gate, 9, 0, now).count for now in (101, 149, 150)] == [0, 0, 3]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.100.100.200", "0.0.0.0",
        "168.63.129.16", "192.0.0.192", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::",
        "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
        "2002:7f00:1::", "2001:db8::1",
        "nonsense", "64:ff9b:1::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not permitted(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_taken(address: str) -> None:
    assert permitted(address, ())


def test_a_network_that_is_allowed_opens_itself_and_nothing_else() -> None:
    allow = TypeAdapter(tuple[Network, ...]).validate_python(("10.0.0.0/8", "fd00::/8"))
    assert permitted("10.9.9.9", allow)
    assert permitted("::ffff:10.9.9.9", allow)
    assert permitted("fd00::5", allow)
    assert not permitted("127.0.0.1", allow)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@b\nBcc: c@d", "a@b, c@d", "A\r\nX: y <a@b>", "a@b>", "<a@b", "a b@c", "a@b@c", "a@e.org)b@f.org"],
)
def test_what_is_no_single_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no e-mail address"):
        checked(text)


def test_nothing_becomes_a_header_of_its_own() -> None:
    made = message(
        '"Shop, Inc" <a@b.c>', ["d@e.f"], "one\r\nBcc: evil@x.y\u2028two\x00", "hello\nworld", None, "1" * 32
    )
    assert "Bcc" not in made
    assert made["Subject"] == "one Bcc: evil@x.y two"
    assert made["Message-ID"] == f"<{'1' * 32}@b.c>"
    assert one_line("a\r\n\tb") == "a b"


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("auth.*", ["auth.login"], ["auth", "auth.account.created", "xauth.login"]),
        ("auth.>", ["auth.login", "auth.account.created"], ["auth"]),
        ("*.alert.fired", ["narthex.alert.fired"], ["alert.fired", "a.b.alert.fired"]),
        ("auth.login", ["auth.login"], ["auth.login_failed", "authxlogin"]),
    ],
)
def test_a_pattern_of_topics(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    assert [matcher(pattern)(topic) for topic in fits + fits_not] == [True] * len(fits) + [False] * len(fits_not)
