"""The list in memory: what is covered, and when it is forgotten."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex import Identity
from narthex_plugins.revocation.entries import EVERY, SKEW, SLACK, Entries, Kind, Revocation

NOW = 1_800_000_000.0
DAY = 86_400.0


def entry(kind: Kind, name: str = "", **more: Any) -> Revocation:
    facts: dict[str, Any] = {"issuer": "us", "cut": None, "expires": None, "at": NOW, "by": None, "reason": ""}
    return Revocation(version=1, kind=kind, name=name, **{**facts, **more})


def listed(*rows: Revocation) -> Entries:
    entries = Entries(DAY)
    entries.add(rows)
    return entries


def who(**more: Any) -> Identity:
    facts: dict[str, Any] = {"subject": "alice", "issuer": "us", "token_id": "t1", "session_id": "s1"}
    return Identity(**{"issued_at": NOW - 60, **facts, **more})


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (entry("token", "t1", expires=NOW + 60), "token"),
        (entry("session", "s1"), "session"),
        (entry("subject", "alice", cut=NOW), "subject"),
        (entry("issuer", cut=NOW), "issuer"),
        (entry("issuer", cut=NOW, issuer=EVERY), "issuer"),
    ],
)
def test_each_kind_covers_what_it_names(row: Revocation, kind: Kind) -> None:
    assert listed(row).find(who()) == kind
    stranger = who(subject="bob", token_id="t2", session_id="s2", issued_at=NOW)
    assert listed(row).find(stranger) is None


@pytest.mark.parametrize("kind", ["token", "session", "subject", "issuer"])
def test_another_issuers_names_are_not_covered(kind: Kind) -> None:
    names = {"token": "t1", "session": "s1", "subject": "alice", "issuer": ""}
    row = entry(kind, names[kind], cut=NOW if kind in ("subject", "issuer") else None, expires=NOW + 60)
    assert listed(row).find(who(issuer="them")) is None


def test_a_token_of_the_second_of_the_cut_is_good_and_of_the_one_before_is_not() -> None:
    entries = listed(entry("subject", "alice", cut=NOW + 0.5))
    assert entries.find(who(issued_at=NOW)) == "subject"
    assert entries.find(who(issued_at=NOW + 1)) is None


def test_whoever_does_not_say_when_they_were_issued_is_covered_by_any_cut() -> None:
    assert listed(entry("subject", "alice", cut=1.0)).find(who(issued_at=None)) == "subject"
    assert listed(entry("issuer", cut=1.0)).find(who(issued_at=None)) == "issuer"


@pytest.mark.parametrize("kind", ["token", "session", "subject"])
def test_an_entry_goes_when_the_last_token_it_covers_can_no_longer_be_shown(kind: Kind) -> None:
    name = {"token": "t1", "session": "s1", "subject": "alice"}[kind]
    entries = listed(entry(kind, name, expires=NOW + DAY if kind == "token" else None))
    entries.drop(NOW + DAY + SKEW)
    assert len(entries) == 1
    entries.drop(NOW + DAY + SKEW + SLACK + 60)
    assert len(entries) == 0


def test_what_was_revoked_again_for_longer_stays() -> None:
    entries = listed(entry("subject", "alice", cut=NOW), entry("subject", "alice", cut=NOW + DAY))
    entries.drop(NOW + DAY + SKEW + SLACK + 60)
    assert entries.find(who(issued_at=NOW + DAY - 1)) == "subject"


def test_a_later_entry_never_takes_from_an_earlier_one() -> None:
    entries = listed(entry("subject", "alice", cut=NOW), entry("subject", "alice", cut=NOW - DAY))
    assert entries.find(who(issued_at=NOW - 1)) == "subject"


def test_forgetting_says_by_which_clock_something_may_be_missing() -> None:
    entries = listed(entry("token", "t1", expires=NOW))
    later = NOW + SKEW + SLACK + 60
    entries.drop(later)
    assert len(entries) == 0
    assert NOW + SKEW <= entries.horizon <= later


TIMES = st.integers(min_value=int(NOW) - 200_000, max_value=int(NOW) + 200_000)


@given(st.lists(st.tuples(st.sampled_from("abc"), TIMES)), TIMES, st.sampled_from("abc"), TIMES)
def test_nothing_that_can_still_be_shown_is_ever_forgotten(
    revoked: list[tuple[str, int]], now: int, name: str, expires: int
) -> None:
    entries = listed(*(entry("token", one, expires=float(until)) for one, until in revoked))
    while entries.drop(float(now)):
        pass
    shown = (name, expires) in revoked and expires + SKEW > now
    assert not shown or entries.find(who(token_id=name)) == "token"


def test_a_million_names_are_dropped_some_at_a_time() -> None:
    entries = Entries(DAY)
    entries.add(entry("token", f"t{number}", expires=NOW) for number in range(5000))
    later, rounds = NOW + SKEW + SLACK + 120, 1
    while entries.drop(later):
        rounds += 1
    assert (len(entries), rounds > 2) == (0, True)
