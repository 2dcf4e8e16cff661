import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex.config import Secret
from narthex.sealing import SealBroken, Sealer

OURS = Sealer(Secret("a" * 40))
THEIRS = Sealer(Secret("b" * 40))


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_what_is_sealed_opens_for_the_same_purpose_and_shows_nothing(plain: bytes, purpose: bytes) -> None:
    sealed = OURS.seal(plain, purpose)
    assert OURS.open(sealed, purpose) == plain
    assert len(plain) < 8 or plain not in sealed
    assert sealed != OURS.seal(plain, purpose)


@given(st.data())
def test_not_one_bit_may_be_changed(data: st.DataObject) -> None:
    sealed = bytearray(OURS.seal(b"a private key", b"kid"))
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(SealBroken):
        OURS.open(bytes(sealed), b"kid")


@given(st.integers(0, 60))
def test_a_cut_seal_does_not_open(length: int) -> None:
    sealed = OURS.seal(b"a private key, long enough", b"kid")
    with pytest.raises(SealBroken):
        OURS.open(sealed[:length], b"kid")


def test_a_seal_for_one_row_does_not_open_in_another() -> None:
    with pytest.raises(SealBroken) as caught:
        OURS.open(OURS.seal(b"a private key", b"kid 1"), b"kid 2")
    assert not caught.value.foreign


def test_another_secret_key_is_told_by_name_and_never_shown() -> None:
    with pytest.raises(SealBroken, match="another secret key") as caught:
        THEIRS.open(OURS.seal(b"a private key", b"kid"), b"kid")
    assert caught.value.foreign
    assert OURS.key_id in str(caught.value)
    assert "aaaa" not in str(caught.value) + repr(OURS)


def test_every_process_derives_the_same_key() -> None:
    assert Sealer(Secret("a" * 40)).open(OURS.seal(b"x", b""), b"") == b"x"
    assert OURS.key_id != THEIRS.key_id
