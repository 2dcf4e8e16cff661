"""What was verified is remembered, within bounds and not beyond its end."""

from narthex import Identity
from narthex_plugins.auth.verified import Known, Verified


def known(name: str, until: float = 100.0) -> Known:
    return Known(Identity(subject=name, session_id=f"s-{name}"), until, float("inf"))


def filled(size: int, *names: str) -> Verified:
    cache = Verified(size, lambda: 50.0)
    for name in names:
        cache.put(name.encode(), known(name))
    return cache


def test_what_has_ended_is_forgotten_at_that_second() -> None:
    cache = filled(4, "a")
    assert cache.get(b"a", 99.9) is not None
    assert cache.get(b"a", 100.0) is None
    assert len(cache) == 0


def test_what_came_first_goes_first_unless_it_was_used() -> None:
    cache = filled(3, "a", "b", "c")
    assert cache.get(b"a") is not None
    cache.put(b"d", known("d"))
    assert [cache.get(name) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert len(cache) == 3


def test_one_that_was_spared_has_to_be_used_again() -> None:
    cache = filled(2, "a", "b")
    assert cache.get(b"a") is not None
    for name in ("c", "d", "e"):
        cache.put(name.encode(), known(name))
    assert cache.get(b"a") is None


def test_the_bound_holds_where_everything_is_used() -> None:
    names = [f"n{number}" for number in range(300)]
    cache = filled(300, *names)
    assert all(cache.get(name.encode()) for name in names)
    for number in range(50):
        cache.put(f"m{number}".encode(), known("m"))
        assert len(cache) == 300


def test_whoever_came_by_a_session_is_forgotten_with_it() -> None:
    cache = filled(4, "a", "b")
    cache.forget_sessions(["s-a", "s-none"])
    assert (cache.get(b"a"), len(cache)) == (None, 1)
