import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from narthex_plugins.auth.tokens import (
    Expectations,
    KeyRefused,
    KeySet,
    SigningKey,
    TokenCode,
    TokenRefused,
    load_jwks,
    load_signing_key,
    new_signing_key,
    peek,
    sign,
    verify,
    verify_jws,
)

NOW = 1_800_000_000.0
EXPECTED = Expectations("https://shop.example", frozenset({"shop"}))
CLAIMS: Mapping[str, object] = {
    "iss": "https://shop.example",
    "sub": "alice",
    "aud": "shop",
    "iat": NOW,
    "exp": NOW + 900,
    "jti": "1",
}


@pytest.fixture(scope="module", params=["RS256", "ES256", "EdDSA"])
def key(request: pytest.FixtureRequest) -> SigningKey:
    return new_signing_key(request.param)


def test_what_was_signed_verifies_and_comes_out_as_it_went_in(key: SigningKey) -> None:
    claims = {**CLAIMS, "name": "Zoë 𝄞", "roles": ["engineer"]}
    assert verify(sign(claims, key), KeySet([key.verifying()]), EXPECTED, NOW) == claims


def test_the_header_is_that_of_an_access_token_and_names_the_key(key: SigningKey) -> None:
    header, claims = peek(sign(CLAIMS, key))
    assert (header.type, header.kid, header.algorithm) == ("at+jwt", key.kid, key.algorithm)
    assert claims == CLAIMS


def test_a_key_read_back_from_its_bytes_is_the_same_key(key: SigningKey) -> None:
    again = load_signing_key(key.private_bytes(), key.algorithm)
    assert again.kid == key.kid
    assert verify_jws(sign(CLAIMS, again), key.public_jwk(), {key.algorithm})


def test_the_published_key_holds_no_private_member_and_the_repr_no_secret(key: SigningKey) -> None:
    jwk = key.public_jwk()
    assert not {"d", "p", "q", "k"} & jwk.keys()
    assert repr(key) == f"SigningKey(kid={key.kid!r}, algorithm={key.algorithm!r})"


def test_the_key_may_be_given_as_text_or_as_a_set(key: SigningKey) -> None:
    token, jwk = sign(CLAIMS, key), key.public_jwk()
    for form in (jwk, json.dumps(jwk), json.dumps(jwk).encode(), {"keys": [jwk]}, json.dumps({"keys": [jwk]})):
        assert json.loads(verify_jws(token, form, {key.algorithm})) == CLAIMS
    assert json.loads(verify_jws(token.encode(), jwk, [key.algorithm])) == CLAIMS


def test_another_key_of_the_same_name_does_not_verify(key: SigningKey) -> None:
    other = {**new_signing_key(key.algorithm).public_jwk(), "kid": key.kid}
    with pytest.raises(TokenRefused) as refused:
        verify(sign(CLAIMS, key), load_jwks({"keys": [other]}, {key.algorithm}), EXPECTED, NOW)
    assert refused.value.code == TokenCode.SIGNATURE


def test_an_access_token_without_a_claim_of_rfc_9068_is_not_signed(key: SigningKey) -> None:
    with pytest.raises(ValueError, match="needs jti"):
        sign({name: value for name, value in CLAIMS.items() if name != "jti"}, key)
    with pytest.raises(ValueError, match="JSON compliant"):
        sign({**CLAIMS, "extra": float("nan")}, key)


def test_a_weak_key_of_our_own_is_not_read_back() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    with pytest.raises(KeyRefused):
        load_signing_key(weak.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "RS256")


def test_the_limit_of_a_token_is_the_callers(key: SigningKey) -> None:
    token = sign(CLAIMS, key)
    keys, size = KeySet([key.verifying()]), len(token)
    assert verify(token, keys, replace(EXPECTED, max_size=size), NOW) == CLAIMS
    with pytest.raises(TokenRefused) as refused:
        verify(token, keys, replace(EXPECTED, max_size=size - 1), NOW)
    assert refused.value.code == TokenCode.TOO_LARGE


def test_keys_are_made_and_read_for_the_three_signing_algorithms_only(key: SigningKey) -> None:
    with pytest.raises(ValueError, match="HS256"):
        new_signing_key("HS256")
    with pytest.raises(ValueError, match="not a key for PS256"):
        load_signing_key(key.private_bytes(), "PS256")
    with pytest.raises(ValueError, match=r"."):
        load_signing_key(b"nothing", key.algorithm)
