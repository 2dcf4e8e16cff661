from hypothesis import given
from hypothesis import strategies as st

from narthex_plugins.auth.keyring import Key, Ring
from narthex_plugins.auth.signing import SigningKey, new_signing_key

SIGNERS = [new_signing_key("EdDSA") for _ in range(6)]
times = st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 500)), min_size=1, max_size=6, unique_by=lambda t: t[0])


def ring(signs_at: list[tuple[int, int]], margin: float = 60) -> Ring:
    return Ring(tuple(Key(SIGNERS[n], 0, at, lives) for n, (at, lives) in enumerate(signs_at)), margin)


def key(ring: Ring, signer: SigningKey) -> Key:
    return next(one for one in ring.keys if one.signer is signer)


def test_a_new_key_is_published_before_it_signs() -> None:
    made = ring([(0, 900), (1000, 900)])
    assert [one.kid for one in made.kept(500)] == [SIGNERS[0].kid, SIGNERS[1].kid]
    assert [made.signing(at).signer for at in (500, 999.9, 1000) if made.signing(at)] == [  # type: ignore[union-attr]
        SIGNERS[0],
        SIGNERS[0],
        SIGNERS[1],
    ]


def test_a_retired_key_verifies_until_its_last_token_has_expired_and_is_gone_then() -> None:
    made = ring([(0, 900), (1000, 100)], margin=60)
    assert made.gone(key(made, SIGNERS[0])) == 1000 + 900 + 60
    assert len(made.kept(1959.9)) == 2
    assert [one.signer for one in made.kept(1960)] == [SIGNERS[1]]


@given(times, st.integers(0, 2000))
def test_every_token_verifies_as_long_as_it_lives(signs_at: list[tuple[int, int]], now: int) -> None:
    made = ring(signs_at)
    signing = made.signing(now)
    if signing is not None:
        assert signing in made.kept(now + signing.lifetime)


@given(times, st.integers(0, 5000))
def test_there_is_one_signing_key_from_the_first_on_and_it_is_published(
    signs_at: list[tuple[int, int]], now: int
) -> None:
    made = ring(signs_at)
    signing = made.signing(now)
    assert (signing is None) == (now < min(at for at, _ in signs_at))
    assert signing is None or signing in made.kept(now)


def test_a_key_of_the_future_signs_where_there_is_no_other() -> None:
    made = Ring((Key(SIGNERS[0], 5000, 5000, 900), Key(SIGNERS[1], 5000, 6000, 900)), 60)
    assert [one.signer for at in (0, 4999, 5999, 6000) if (one := made.signing(at))] == [*SIGNERS[:1] * 3, SIGNERS[1]]


def test_a_key_that_was_made_for_later_does_not_sign_sooner() -> None:
    assert Ring((Key(SIGNERS[0], 100, 110, 900),), 60).signing(105) is None


def test_a_key_is_due_early_enough_to_be_published_for_the_overlap() -> None:
    made = ring([(0, 900)])
    assert [made.due(at, 1000, 100) for at in (899, 900)] == [False, True]
    assert not made.due(10_000, 0, 100)
    assert Ring().due(0, 0, 100)
