import json

import pytest

from narthex_plugins.auth.tokens import KeyCode, KeyRefused, KeySet, TokenCode, TokenRefused, load_jwks, verify_jws
from tests.plugins.auth.forge import EVERY, PAYLOAD, encode, forger

ONE, TWO = forger("ES256"), forger("ES256", 1)
PUBLIC = {"ES256", "RS256", "PS256", "EdDSA"}


def token_code(token: str, *keys: object) -> TokenCode:
    with pytest.raises(TokenRefused) as refused:
        verify_jws(token, {"keys": list(keys)}, EVERY)
    return refused.value.code


def set_code(jwks: object) -> KeyCode:
    with pytest.raises(KeyRefused) as refused:
        load_jwks(jwks, EVERY)  # type: ignore[arg-type]  # some are no set at all
    return refused.value.code


def test_a_token_finds_its_key_by_name() -> None:
    for signer in (ONE, TWO):
        assert verify_jws(signer.token(), {"keys": [ONE.jwk, TWO.jwk]}, PUBLIC) == PAYLOAD


@pytest.mark.parametrize(
    "kid", ["ES256-2", "", "es256-0", "ES256-0 ", "../../dev/null", "' OR 1=1 --", "https://evil.example/key", "\x00"]
)
def test_a_name_that_no_key_has_is_refused(kid: str) -> None:
    assert token_code(ONE.token({"kid": kid}), ONE.jwk, TWO.jwk) == TokenCode.KEY_UNKNOWN
    with pytest.raises(TokenRefused):
        verify_jws(ONE.token({"kid": kid}), ONE.jwk, PUBLIC)


def test_a_token_that_names_the_wrong_key_is_not_tried_with_the_right_one() -> None:
    assert token_code(ONE.token({"kid": TWO.kid}), ONE.jwk, TWO.jwk) == TokenCode.SIGNATURE


def test_a_token_without_a_name_means_the_only_key_of_its_algorithm() -> None:
    token = ONE.token({"kid": None})
    assert verify_jws(token, ONE.jwk, PUBLIC) == PAYLOAD
    assert verify_jws(token, {"keys": [ONE.jwk, forger("RS256").jwk]}, PUBLIC) == PAYLOAD
    assert token_code(token, ONE.jwk, TWO.jwk) == TokenCode.KEY_AMBIGUOUS


def test_a_key_without_a_name_serves_a_token_with_one() -> None:
    nameless = ONE.jwk_with(kid=None)
    assert verify_jws(ONE.token(), nameless, PUBLIC) == PAYLOAD
    assert verify_jws(ONE.token(), {"keys": [nameless, TWO.jwk]}, PUBLIC) == PAYLOAD
    assert token_code(ONE.token(), nameless, TWO.jwk_with(kid=None)) == TokenCode.KEY_AMBIGUOUS


def test_a_name_that_two_keys_have_is_refused() -> None:
    assert token_code(ONE.token(), ONE.jwk, TWO.jwk_with(kid=ONE.kid)) == TokenCode.KEY_AMBIGUOUS
    assert token_code(ONE.token(), TWO.jwk_with(kid=ONE.kid), ONE.jwk) == TokenCode.KEY_AMBIGUOUS


def test_the_same_key_twice_is_one_key() -> None:
    for signer in (forger("RS256"), ONE, forger("EdDSA")):
        assert verify_jws(signer.token(), {"keys": [signer.jwk, dict(signer.jwk)]}, PUBLIC) == PAYLOAD
    twice = load_jwks({"keys": [ONE.jwk]}, PUBLIC)
    assert KeySet.of(twice, twice).find(None, "ES256").kid == ONE.kid


def test_a_name_that_a_broken_key_claims_too_is_refused() -> None:
    broken = TWO.jwk_with(kid=ONE.kid, x="AA")
    assert token_code(ONE.token(), ONE.jwk, broken) == TokenCode.KEY_AMBIGUOUS


def test_a_name_shared_with_a_key_for_something_else_is_no_conflict() -> None:
    for other in ({"use": "enc"}, {"kty": "AKP"}, {"alg": "ECDH-ES"}):
        assert verify_jws(ONE.token(), {"keys": [TWO.jwk_with(kid=ONE.kid, **other), ONE.jwk]}, PUBLIC) == PAYLOAD


def test_one_name_for_keys_of_two_algorithms_is_decided_by_the_algorithm() -> None:
    keys = {"keys": [forger("RS256").jwk_with(kid="k"), forger("EdDSA").jwk_with(kid="k")]}
    for algorithm in ("RS256", "EdDSA"):
        assert verify_jws(forger(algorithm).token({"kid": "k"}), keys, PUBLIC) == PAYLOAD


def test_keys_that_cannot_be_used_are_skipped_and_told() -> None:
    odd: list[object] = [None, 7, {}, {"kty": "AKP"}, ONE.jwk_with(use="enc", kid="e"), ONE.jwk_with(x="", kid="x")]
    keys = load_jwks({"keys": [*odd, ONE.jwk]}, PUBLIC)
    assert [key.kid for key in keys.keys] == [ONE.kid]
    assert len(keys) == 1
    assert [refused.code for refused in keys.skipped] == [
        *["key_malformed"] * 3,
        "key_type",
        "key_use",
        "key_malformed",
    ]
    with pytest.raises(TokenRefused, match=r"skipped: .*key_use: use is not sig \(kid 'e'\)"):
        keys.find("nobody", "ES256")


def test_an_empty_set_knows_no_key() -> None:
    assert token_code(ONE.token()) == TokenCode.KEY_UNKNOWN
    assert len(load_jwks('{"keys":[]}', PUBLIC)) == 0


@pytest.mark.parametrize(
    "jwks", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"keys": [{}] * 257}, '{"keys":[],"keys":[]}', "[]", None]
)
def test_what_is_not_a_set_of_keys_is_refused(jwks: object) -> None:
    assert set_code(jwks) in {KeyCode.SET_MALFORMED, KeyCode.MALFORMED}


def test_a_set_with_a_private_key_in_it_is_refused_as_a_whole() -> None:
    assert set_code({"keys": [ONE.jwk, TWO.jwk_with(d="AQ")]}) == KeyCode.PRIVATE
    assert set_code({"keys": [TWO.jwk_with(d="AQ", use="enc"), ONE.jwk]}) == KeyCode.PRIVATE


def test_shared_secrets_beside_public_keys_are_refused_whatever_is_permitted() -> None:
    jwks = {"keys": [ONE.jwk, forger("HS256").jwk]}
    assert set_code(jwks) == KeyCode.SET_MIXED
    for signer in (ONE, forger("HS256")):
        with pytest.raises(KeyRefused):
            verify_jws(signer.token(), jwks, {signer.algorithm})


def test_a_set_of_shared_secrets_alone_is_a_set() -> None:
    secrets = {"keys": [forger("HS256").jwk, {"kty": "oct", "k": encode(bytes(64)), "kid": "other"}]}
    assert verify_jws(forger("HS256").token(), json.dumps(secrets), {"HS256"}) == PAYLOAD


def test_sets_are_joined() -> None:
    joined = KeySet.of(load_jwks({"keys": [ONE.jwk, None]}, PUBLIC), load_jwks({"keys": [TWO.jwk]}, PUBLIC))
    assert [joined.find(one.kid, "ES256").kid for one in (ONE, TWO)] == [ONE.kid, TWO.kid]
    assert len(joined.skipped) == 1
