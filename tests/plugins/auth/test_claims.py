import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from narthex_plugins.auth.claims import Expectations, verify_claims
from narthex_plugins.auth.tokens import KeySet, TokenCode, TokenRefused, load_jwks, new_signing_key, sign, verify
from tests.plugins.auth.forge import forger

NOW = 1_800_000_000.0
EXPECTED = Expectations("https://shop.example", frozenset({"shop", "till"}))
CLAIMS: Mapping[str, object] = {
    "iss": "https://shop.example",
    "sub": "alice",
    "aud": "shop",
    "iat": NOW,
    "exp": NOW + 900,
    "jti": "1",
}
KEY = new_signing_key("ES256")
KEYS = KeySet([KEY.verifying()])


def judged(claims: Mapping[str, object], expected: Expectations = EXPECTED, now: float = NOW) -> TokenCode | None:
    """Return the code of the refusal, or None where the token is taken."""
    try:
        verify(sign(claims, KEY, typ="AT+JWT"), KEYS, expected, now)
    except TokenRefused as refused:
        return refused.code
    return None


def without(name: str) -> Mapping[str, object]:
    return {member: value for member, value in CLAIMS.items() if member != name}


@pytest.mark.parametrize("name", list(CLAIMS))
def test_each_claim_of_an_access_token_has_to_be_there(name: str) -> None:
    assert judged(without(name)) == TokenCode.CLAIM_MISSING


def test_what_is_required_beyond_is_the_callers_to_say() -> None:
    assert judged(CLAIMS, replace(EXPECTED, required=frozenset({"sid"}))) == TokenCode.CLAIM_MISSING
    assert judged({**without("jti"), "sid": "s"}, replace(EXPECTED, required=frozenset({"sid"}))) is None


@pytest.mark.parametrize("name", ["sub", "jti", "client_id", "azp", "sid", "scope", "acr"])
@pytest.mark.parametrize("value", [None, 7, True, [], ["alice"], {}, "", "a\x00b", "a\nb", "a\x7fb", "a\x85b"])
def test_a_claim_that_is_text_is_text_without_control_characters(name: str, value: object) -> None:
    assert judged({**CLAIMS, name: value}) == TokenCode.CLAIM_INVALID


def test_names_have_at_most_255_characters_and_a_token_id_is_ascii() -> None:
    for name in ("sub", "jti", "sid"):
        assert judged({**CLAIMS, name: "x" * 255}) is None
        assert judged({**CLAIMS, name: "x" * 256}) == TokenCode.CLAIM_INVALID
    assert judged({**CLAIMS, "sub": "Zoë"}) is None
    assert judged({**CLAIMS, "jti": "Zoë"}) == TokenCode.CLAIM_INVALID
    assert judged({**CLAIMS, "scope": "read " * 100}) is None


@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
@pytest.mark.parametrize("value", [None, True, False, "1800000000", [], {}, -1, -0.5, 1e12, 10**400, 253402300800])
def test_a_date_is_a_number_of_seconds_between_1970_and_9999(name: str, value: object) -> None:
    assert judged({**CLAIMS, name: value}) == TokenCode.CLAIM_INVALID


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_date_that_no_number_is_makes_the_token_malformed(text: str) -> None:
    payload = '{"iss":"https://shop.example","sub":"a","aud":"shop","iat":1,"jti":"1","exp":' + text + "}"
    with pytest.raises(TokenRefused) as refused:
        verify_claims(payload.encode(), EXPECTED, NOW)
    assert refused.value.code == TokenCode.MALFORMED


def test_an_expired_token_is_refused_at_the_exact_second() -> None:
    for expires in (NOW + 900, NOW + 900.5):
        assert judged({**CLAIMS, "exp": expires}, now=expires - 0.001) is None
        assert judged({**CLAIMS, "exp": expires}, now=expires) == TokenCode.EXPIRED
        assert judged({**CLAIMS, "exp": expires}, now=expires + 1e9) == TokenCode.EXPIRED


@pytest.mark.parametrize("name", ["nbf", "iat", "auth_time"])
def test_a_token_of_the_future_is_refused_until_its_second_has_come(name: str) -> None:
    assert judged({**CLAIMS, name: NOW}) is None
    assert judged({**CLAIMS, name: NOW + 1}) == TokenCode.NOT_YET_VALID


def test_leeway_is_given_at_both_ends_and_no_further() -> None:
    lenient = replace(EXPECTED, leeway=30.0)
    assert judged(CLAIMS, lenient, NOW + 929) is None
    assert judged(CLAIMS, lenient, NOW + 930) == TokenCode.EXPIRED
    assert judged({**CLAIMS, "nbf": NOW + 30}, lenient) is None
    assert judged({**CLAIMS, "nbf": NOW + 31}, lenient) == TokenCode.NOT_YET_VALID


@pytest.mark.parametrize(
    "issuer",
    [
        "https://shop.example/",
        "https://SHOP.example",
        "http://shop.example",
        "shop.example",
        "",
        "https://shop.example\u0000",
    ],
)
def test_the_issuer_is_compared_character_for_character(issuer: str) -> None:
    assert judged({**CLAIMS, "iss": issuer}) == TokenCode.ISSUER


@pytest.mark.parametrize("issuer", [None, 7, ["https://shop.example"], {"https://shop.example": 1}, True])
def test_the_issuer_is_text(issuer: object) -> None:
    assert judged({**CLAIMS, "iss": issuer}) == TokenCode.CLAIM_INVALID


@pytest.mark.parametrize("audience", ["shop", "till", ["shop"], ["bank", "till"], ["shop", "shop"]])
def test_one_of_our_audiences_is_enough(audience: object) -> None:
    assert judged({**CLAIMS, "aud": audience}) is None


@pytest.mark.parametrize("audience", ["bank", "Shop", "shop ", "", "shop,till", ["bank"], "sho", "*"])
def test_a_token_for_somebody_else_is_refused(audience: object) -> None:
    assert judged({**CLAIMS, "aud": audience}) == TokenCode.AUDIENCE


@pytest.mark.parametrize("audience", [None, 7, True, [], {}, ["shop", 7], [["shop"]], {"shop": 1}, [None]])
def test_an_audience_is_text_or_a_list_of_text(audience: object) -> None:
    assert judged({**CLAIMS, "aud": audience}) == TokenCode.CLAIM_INVALID


def test_without_audiences_of_our_own_a_token_that_names_one_is_refused() -> None:
    nobody = replace(EXPECTED, audiences=frozenset())
    assert judged(without("aud"), nobody) is None
    assert judged(CLAIMS, nobody) == TokenCode.AUDIENCE


@pytest.mark.parametrize("typ", ["JWT", "at+jwt2", "application/jwt", "text/at+jwt", "dpop+jwt", "logout+jwt", ""])
def test_a_token_of_another_type_is_refused(typ: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        verify(sign(CLAIMS, KEY, typ=typ), KEYS, EXPECTED, NOW)
    assert refused.value.code == TokenCode.TYPE


def test_a_token_without_a_type_is_taken_only_where_that_is_said() -> None:
    signer = forger("ES256")
    token, keys = signer.token(payload=json.dumps(CLAIMS).encode()), load_jwks({"keys": [signer.jwk]}, {"ES256"})
    with pytest.raises(TokenRefused) as refused:
        verify(token, keys, EXPECTED, NOW)
    assert refused.value.code == TokenCode.TYPE
    assert verify(token, keys, replace(EXPECTED, types=frozenset({"", "jwt"})), NOW) == CLAIMS


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b'"x"', b'{"sub":"a","sub":"b"}', b"\xff", b'{"a":"\\udc00"}']
)
def test_a_payload_that_is_not_one_object_with_one_meaning_is_refused(payload: bytes) -> None:
    with pytest.raises(TokenRefused) as refused:
        verify_claims(payload, EXPECTED, NOW)
    assert refused.value.code == TokenCode.MALFORMED
