import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from narthex_plugins.auth.jwk import each_algorithm
from narthex_plugins.auth.strict import decode_base64url
from narthex_plugins.auth.tokens import (
    KeyCode,
    KeyRefused,
    TokenRefused,
    load_jwk,
    load_signing_key,
    verify_jws,
)
from tests.plugins.auth.forge import EVERY, PAYLOAD, encode, forger


def code_of(jwk: object, algorithms: object = EVERY) -> KeyCode:
    with pytest.raises(KeyRefused) as refused:
        each_algorithm(jwk, algorithms)  # type: ignore[arg-type]  # some are no JWK at all
    return refused.value.code


@pytest.mark.parametrize("algorithm", EVERY)
def test_a_key_is_bound_to_the_algorithm_it_names(algorithm: str) -> None:
    signer = forger(algorithm)
    loaded = load_jwk(signer.jwk, EVERY)
    assert (loaded.algorithm, loaded.kid) == (algorithm, signer.kid)
    assert verify_jws(signer.token(), signer.jwk, {algorithm}) == PAYLOAD


@pytest.mark.parametrize("algorithm", EVERY)
def test_a_key_of_an_algorithm_that_is_not_permitted_is_refused(algorithm: str) -> None:
    assert code_of(forger(algorithm).jwk, set(EVERY) - {algorithm}) == KeyCode.ALGORITHM
    assert code_of(forger(algorithm).jwk, ()) == KeyCode.ALGORITHM


def test_a_key_without_alg_serves_every_permitted_algorithm_of_its_type() -> None:
    jwk = forger("RS256").jwk_with(alg=None)
    assert [key.algorithm for key in each_algorithm(jwk, {"PS256", "RS256", "ES256"})] == ["RS256", "PS256"]
    assert load_jwk(jwk, {"PS384", "ES256"}).algorithm == "PS384"
    assert load_jwk(forger("ES384").jwk_with(alg=None), EVERY).algorithm == "ES384"
    with pytest.raises(KeyRefused, match="could be any of RS256, PS256"):
        load_jwk(jwk, {"PS256", "RS256"})


@pytest.mark.parametrize(
    "alg", ["none", "None", "", "RS256", "HS256", "ES384", "es256", "RSA-OAEP", "ECDH-ES", "ES521"]
)
def test_an_alg_that_does_not_belong_to_the_key_is_refused(alg: str) -> None:
    assert code_of(forger("ES256").jwk_with(alg=alg), [*EVERY, alg]) == KeyCode.ALGORITHM


def test_the_common_misnomer_of_es512_is_understood_for_its_own_curve_only() -> None:
    signer = forger("ES512")
    assert verify_jws(signer.token(), signer.jwk_with(alg="ES521"), EVERY) == PAYLOAD
    assert code_of(forger("ES384").jwk_with(alg="ES521")) == KeyCode.ALGORITHM


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"use": "enc"}, KeyCode.USE),
        ({"use": "SIG"}, KeyCode.USE),
        ({"use": ["sig"]}, KeyCode.USE),
        ({"use": ""}, KeyCode.USE),
        ({"key_ops": []}, KeyCode.USE),
        ({"key_ops": ["sign"]}, KeyCode.USE),
        ({"key_ops": ["encrypt"]}, KeyCode.USE),
        ({"key_ops": ["verify", "encrypt"]}, KeyCode.USE),
        ({"key_ops": ["verify", "wrapKey"], "use": None}, KeyCode.USE),
        ({"key_ops": ["verify", "verify"]}, KeyCode.MALFORMED),
        ({"key_ops": "verify"}, KeyCode.MALFORMED),
        ({"key_ops": [["verify"]]}, KeyCode.MALFORMED),
        ({"key_ops": {"verify": 1}}, KeyCode.MALFORMED),
    ],
)
def test_a_key_for_another_purpose_is_refused(members: dict[str, object], code: KeyCode) -> None:
    for algorithm in ("RS256", "ES256", "EdDSA", "HS256"):
        assert code_of(forger(algorithm).jwk_with(**members)) == code


def test_a_key_that_says_it_verifies_is_taken() -> None:
    for operations in (["verify"], ["sign", "verify"], ["verify", "sign"]):
        assert load_jwk(forger("ES256").jwk_with(key_ops=operations, use=None), {"ES256"})


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_private_key_is_refused_where_a_public_one_belongs(member: str, algorithm: str) -> None:
    assert code_of(forger(algorithm).jwk_with(**{member: "AQ"})) == KeyCode.PRIVATE
    assert code_of({"keys": [], **forger(algorithm).jwk_with(**{member: "AQ"})}) == KeyCode.PRIVATE


@pytest.mark.parametrize("kty", ["rsa", "EC", "oct", "AKP", "", "OKP"])
def test_a_key_of_another_type_than_its_members_is_refused(kty: str) -> None:
    assert code_of(forger("RS256").jwk_with(kty=kty, alg=None)) in {KeyCode.TYPE, KeyCode.MALFORMED}


@pytest.mark.parametrize("crv", ["P-384", "P-521", "secp256k1", "p-256", "P-224", "Ed25519", "X25519", "", None])
def test_a_key_on_another_curve_than_its_algorithm_is_refused(crv: str | None) -> None:
    assert code_of(forger("ES256").jwk_with(crv=crv)) in {KeyCode.TYPE, KeyCode.ALGORITHM}
    assert code_of(forger("ES256").jwk_with(crv=crv, alg=None)) in {KeyCode.TYPE, KeyCode.MALFORMED}


def test_a_key_for_agreement_on_a_montgomery_curve_is_refused() -> None:
    assert code_of({"kty": "OKP", "crv": "X25519", "x": encode(bytes(range(32)))}) == KeyCode.TYPE


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    for algorithm in ("ES256", "ES384", "ES512", "ES256K"):
        y = bytearray(decode_base64url(str(forger(algorithm).jwk["y"]).encode()))
        y[-1] ^= 1
        assert code_of(forger(algorithm).jwk_with(y=encode(bytes(y)))) == KeyCode.MALFORMED
        assert (
            code_of(forger(algorithm).jwk_with(x=encode(bytes(len(y))), y=encode(bytes(len(y))))) == KeyCode.MALFORMED
        )


def test_a_coordinate_that_is_too_short_or_too_long_is_refused() -> None:
    for algorithm in ("ES256", "EdDSA", "Ed448"):
        x = decode_base64url(str(forger(algorithm).jwk["x"]).encode())
        for other in (x[1:], x[:-1], b"\0" + x, x + b"\0", b""):
            assert code_of(forger(algorithm).jwk_with(x=encode(other))) == KeyCode.MALFORMED


@pytest.mark.parametrize("member", ["n", "e"])
def test_numbers_have_one_spelling(member: str) -> None:
    text = str(forger("RS256").jwk[member])
    octets = decode_base64url(text.encode())
    for spelling in ("", f"{text}=", f" {text}", encode(b"\0" + octets), text[:-1] + "!", f"{text}\n", "é"):
        assert code_of(forger("RS256").jwk_with(**{member: spelling})) == KeyCode.MALFORMED


@pytest.mark.parametrize("text", ["", "null", "[]", "7", '"x"', "{", '{"kty":"oct","kty":"oct"}', '{"kty":"\\ud800"}'])
def test_text_that_is_not_one_object_with_one_meaning_is_refused(text: str) -> None:
    assert code_of(text) == code_of(text.encode()) == KeyCode.MALFORMED


def test_a_name_twice_in_the_text_of_a_key_is_refused() -> None:
    text = json.dumps(forger("ES256").jwk)
    assert load_jwk(text, {"ES256"})
    assert code_of(text.replace('"kty"', '"use": "sig", "kty"', 1)) == KeyCode.MALFORMED


@pytest.mark.parametrize("jwk", [None, 7, [], [("kty", "oct")], object(), 1.5, True])
def test_what_is_no_key_at_all_is_refused(jwk: object) -> None:
    assert code_of(jwk) == KeyCode.MALFORMED


@pytest.mark.parametrize("member", ["kty", "kid", "alg", "crv", "x", "y", "n", "e", "k"])
@pytest.mark.parametrize("value", [None, 7, True, [], {}, ["a"], {"a": 1}, "\ud800"])
def test_a_member_of_the_wrong_type_is_refused(member: str, value: object) -> None:
    for algorithm in ("RS256", "ES256", "EdDSA", "HS256"):
        if member in forger(algorithm).jwk and not (member == "kid" and isinstance(value, str)):
            assert code_of({**forger(algorithm).jwk, member: value}) in {
                KeyCode.MALFORMED,
                KeyCode.TYPE,
                KeyCode.ALGORITHM,
            }


def test_one_name_in_place_of_a_collection_is_the_programmers_mistake() -> None:
    with pytest.raises(TypeError):
        load_jwk(forger("RS256").jwk, "RS256")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(EVERY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ("kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "k", "d", "keys", "x5u", "x5c")


@settings(max_examples=300)
@given(st.sampled_from(EVERY), st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=4))
def test_no_key_whatever_brings_another_exception(algorithm: str, members: dict[str, object]) -> None:
    signer = forger(algorithm)
    try:
        payload = verify_jws(signer.token(), {**signer.jwk, **members}, EVERY)
    except (KeyRefused, TokenRefused):
        return
    assert payload == PAYLOAD


def test_the_name_of_a_key_is_its_thumbprint() -> None:
    seed = decode_base64url(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")  # RFC 8037 appendix A.1 and A.3
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    key = load_signing_key(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "EdDSA")
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
