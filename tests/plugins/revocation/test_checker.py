"""The decision, and when the list may be gone by."""

import pytest

from narthex_plugins.revocation.checker import Checker
from narthex_plugins.revocation.entries import SKEW, Entries
from narthex_plugins.revocation.lease import DRIFT, Lease, Reader, outstanding
from tests.plugins.revocation.test_entries import DAY, NOW, entry, listed, who


def checker(entries: Entries, began: float = 100.0) -> Checker:
    lease = Lease(1.0)
    lease.renew(began, 7)
    return Checker(entries, lease, DAY)


@pytest.mark.parametrize(
    ("boottime", "mark", "good"),
    [(100.0, 7, True), (100.999, 7, True), (101.0, 7, False), (99.9, 7, False), (100.5, 8, False)],
)
def test_a_list_is_gone_by_within_its_lease_and_while_nothing_was_announced(
    boottime: float, mark: int, good: bool
) -> None:
    assert checker(Entries(DAY)).current(boottime, NOW, mark) is good


def test_a_clock_that_was_set_back_behind_what_was_forgotten_asks_for_a_new_list() -> None:
    entries = listed(entry("token", "t1", expires=NOW - 1000))
    entries.drop(NOW)
    assert checker(entries).current(100.5, NOW, 7)
    assert not checker(entries).current(100.5, NOW - 1000, 7)


def test_a_lease_that_was_ended_holds_at_no_time() -> None:
    lease = Lease(1.0)
    assert not lease.holds(0.0, 0)
    lease.renew(5.0, 1)
    lease.end()
    assert not any(lease.holds(float(time), 1) for time in range(10))


def test_what_was_issued_before_the_list_reaches_back_is_refused() -> None:
    judge = checker(Entries(DAY)).judge
    assert judge(who(issued_at=NOW - DAY - SKEW), NOW) is None
    refused = judge(who(issued_at=NOW - DAY - SKEW - 1), NOW)
    assert refused is not None
    assert (refused.status, refused.code) == (401, "token_too_old")


def test_who_does_not_say_since_when_is_refused_where_they_outlive_the_list() -> None:
    judge = checker(Entries(DAY)).judge
    assert judge(who(issued_at=None, expires_at=NOW + DAY + SKEW), NOW) is None
    refused = judge(who(issued_at=None, expires_at=NOW + DAY + SKEW + 1), NOW)
    assert refused is not None
    assert refused.code == "token_too_old"


def test_a_refusal_carries_the_challenge_of_a_bearer_token() -> None:
    refused = checker(listed(entry("session", "s1"))).judge(who(), NOW)
    assert refused is not None
    assert refused.code == "session_revoked"
    assert dict(refused.headers)[b"www-authenticate"].startswith(b'Bearer error="invalid_token"')


@pytest.mark.parametrize(
    ("reader", "waited", "waits"),
    [
        (Reader("a", 4, "", 1.0), 0.0, True),
        (Reader("a", 5, "", 1.0), 0.0, False),
        (Reader("a", 4, "here", 1.0), 0.0, False),
        (Reader("a", 4, "there", 1.0), 0.0, True),
        (Reader("a", 4, "", 1.0), 1.0, True),
        (Reader("a", 4, "", 1.0), DRIFT, False),
        (Reader("a", 4, "", 9.0), DRIFT, True),
    ],
)
def test_a_call_waits_for_whoever_may_go_by_an_older_list(reader: Reader, waited: float, waits: bool) -> None:
    assert bool(outstanding([reader], 5, "here", waited)) is waits


def test_memory_that_nobody_shares_excuses_nobody() -> None:
    assert outstanding([Reader("a", 4, "", 1.0)], 5, "", 0.0)
