"""The order of roles, and what they may, against references that do it step by step."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narthex import Identity
from narthex_plugins.access.permissions import Granted, GrantsUnknown, RolePermissions
from narthex_plugins.access.roles import RoleCycleError, Roles

NAMES = "abcdef"
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=8)
WORDS = st.sampled_from(["orders", "read", "write", "canvas", "x"])
PERMISSIONS = st.lists(WORDS, min_size=1, max_size=4).map(":".join)
PATTERNS = st.lists(st.one_of(WORDS, st.just("*")), min_size=2, max_size=4).map(":".join)


def reaches(pairs: list[tuple[str, str]], low: str, high: str, steps: int = len(NAMES)) -> bool:
    """Whether one gets from `low` to `high`, one step up at a time."""
    if low == high:
        return True
    return steps > 0 and any(reaches(pairs, up, high, steps - 1) for down, up in pairs if down == low)


def has_circle(pairs: list[tuple[str, str]]) -> bool:
    return any(reaches(pairs, up, down) for down, up in pairs)


@given(PAIRS)
@settings(max_examples=150, deadline=None)
def test_a_role_is_held_by_itself_and_all_above(pairs: list[tuple[str, str]]) -> None:
    if has_circle(pairs):
        with pytest.raises(RoleCycleError):
            Roles(pairs)
        return
    roles = Roles(pairs)
    for low in NAMES:
        for high in NAMES:
            assert roles.holds(frozenset({high}), low) == reaches(pairs, low, high)
            assert (low in roles.held([high])) == reaches(pairs, low, high)


@given(PAIRS.filter(has_circle))
@settings(max_examples=50, deadline=None)
def test_a_circle_is_told_with_the_first_entry_that_closes_it(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(RoleCycleError) as caught:
        Roles(pairs)
    error = caught.value
    assert not has_circle(pairs[: error.entry])
    assert has_circle(pairs[: error.entry + 1])
    assert error.circle[0] == error.circle[-1]


def test_a_role_outside_the_order_is_held_by_nobody_else() -> None:
    roles = Roles([("user", "engineer", "admin")])
    assert roles.holds(frozenset({"auditor"}), "auditor")
    assert not roles.holds(frozenset({"admin"}), "auditor")
    assert roles.known == ("user", "engineer", "admin")


@given(st.lists(PATTERNS, max_size=5), PERMISSIONS)
@settings(max_examples=300, deadline=None)
def test_a_star_stands_for_exactly_one_word(patterns: list[str], permission: str) -> None:
    naive = [re.compile(re.escape(pattern).replace(r"\*", "[^:]+")) for pattern in patterns]
    assert (permission in Granted(patterns)) == any(one.fullmatch(permission) for one in naive)


@given(PAIRS.filter(lambda pairs: not has_circle(pairs)), st.data())
@settings(max_examples=150, deadline=None)
def test_a_permission_is_that_of_the_identity_or_of_a_role_it_holds(
    pairs: list[tuple[str, str]], data: st.DataObject
) -> None:
    granted = data.draw(st.dictionaries(st.sampled_from(NAMES), st.sets(PATTERNS, max_size=3), max_size=4))
    held = data.draw(st.frozensets(st.sampled_from(NAMES), max_size=3))
    own = data.draw(st.frozensets(PATTERNS, max_size=2))
    asked = data.draw(PERMISSIONS)
    below = [low for low in NAMES if any(reaches(pairs, low, one) for one in held)]
    patterns = [*own, *(pattern for role in below for pattern in granted.get(role, ()))]
    naive = any(re.fullmatch(re.escape(one).replace(r"\*", "[^:]+"), asked) for one in patterns)
    permissions = RolePermissions(Roles(pairs), granted, ())
    assert permissions.has_permission(Identity(subject="s", roles=held, permissions=own), asked) == naive


@pytest.mark.parametrize("asked", ["orders:*", "*:*", "orders:", ":read", "orders:re ad", "", "orders:read\n"])
def test_what_is_asked_for_has_no_wildcard_and_no_empty_word(asked: str) -> None:
    permissions = RolePermissions(Roles(), {"user": ["orders:*", "*:*"]}, ["admin"])
    assert not permissions.has_permission(Identity(subject="s", roles=frozenset({"user"})), asked)


def test_an_unlimited_role_and_those_above_have_every_permission() -> None:
    permissions = RolePermissions(Roles([("user", "admin", "owner")]), {}, ["admin"])
    for role, expected in (("user", False), ("admin", True), ("owner", True)):
        assert permissions.has_permission(Identity(subject="s", roles=frozenset({role})), "a:b") is expected


def test_grants_of_the_store_do_not_count_once_they_are_stale() -> None:
    stale = False
    permissions = RolePermissions(Roles(), {"user": ["a:b"]}, (), lambda: stale)
    permissions.store_grants({"user": ["c:d"]})
    user = Identity(subject="s", roles=frozenset({"user"}))
    assert permissions.has_permission(user, "c:d")
    stale = True
    with pytest.raises(GrantsUnknown):
        permissions.has_permission(user, "c:d")
    assert permissions.has_permission(user, "a:b")
    permissions.store_grants({})
    with pytest.raises(GrantsUnknown):  # it may have been granted since
        permissions.has_permission(user, "c:d")
    stale = False
    assert not permissions.has_permission(user, "c:d")
