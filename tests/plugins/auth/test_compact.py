from collections.abc import Callable

import pytest

from narthex_plugins.auth.compact import media_type, parse_compact
from narthex_plugins.auth.tokens import TokenCode, TokenRefused, verify_jws
from tests.plugins.auth.forge import PAYLOAD, encode, forger

SIGNER = forger("ES256")
HEADER = encode(b'{"alg":"ES256","kid":"ES256-0"}')


def code_of(token: object) -> TokenCode:
    with pytest.raises(TokenRefused) as refused:
        verify_jws(token, SIGNER.jwk, {"ES256"})  # type: ignore[arg-type]  # some are no text at all
    return refused.value.code


@pytest.mark.parametrize("number", [0, 1, 2, 4, 6, 9])
def test_a_token_has_three_parts(number: int) -> None:
    assert code_of(".".join(["YQ"] * number)) == TokenCode.MALFORMED


def test_five_parts_are_an_encrypted_token_and_refused() -> None:
    assert code_of(f"{SIGNER.token()}.YQ.YQ") == TokenCode.ENCRYPTED


def test_the_json_forms_of_a_signed_token_are_refused() -> None:
    head, payload, signature = SIGNER.token().split(".")
    assert code_of(f'{{"payload":"{payload}","protected":"{head}","signature":"{signature}"}}') == TokenCode.MALFORMED


def test_a_token_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    within = SIGNER.token(payload=b'"' + b"x" * 9000 + b'"')
    assert len(verify_jws(within, SIGNER.jwk, {"ES256"})) == 9002
    assert code_of("!" * 16_385) == TokenCode.TOO_LARGE
    assert code_of("." * 100_000_000) == TokenCode.TOO_LARGE


@pytest.mark.parametrize("token", [None, 7, [], {}, bytearray(b"a.b.c"), 1.5])
def test_what_is_neither_text_nor_bytes_is_refused(token: object) -> None:
    assert code_of(token) == TokenCode.MALFORMED


@pytest.mark.parametrize("letter", ["é", "\ud800", "\U0001f600", "\u2024", "\uff0e", "\x00", "\n", " ", "\t", "=", "%"])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_letter_outside_the_alphabet_is_refused_wherever_it_stands(letter: str, part: int) -> None:
    parts = SIGNER.token().split(".")
    for spoiled in (parts[part] + letter, letter + parts[part], parts[part][:8] + letter + parts[part][8:]):
        assert code_of(".".join([*parts[:part], spoiled, *parts[part + 1 :]])) == TokenCode.MALFORMED


@pytest.mark.parametrize(
    "respell",
    [
        lambda part: part + "=" * (-len(part) % 4 or 4),
        lambda part: part + "AAA",
        lambda part: part[:-1] + "B",  # the last letter of "-_-_----EA" has four bits that mean nothing
        lambda part: f"{part[:4]}\r\n{part[4:]}",
        lambda part: part.replace("-", "+").replace("_", "/"),
    ],
    ids=["padded", "an impossible length", "stray bits", "line break", "the other alphabet"],
)
def test_another_spelling_of_the_same_bytes_is_refused_even_when_it_is_signed(respell: Callable[[str], str]) -> None:
    part = encode(b"\xfb\xff\xbf\xfb\xef\xbe\x10")
    assert part == "-_-_----EA"
    assert code_of(SIGNER.signed(HEADER, respell(part))) == TokenCode.MALFORMED
    assert verify_jws(SIGNER.signed(HEADER, part), SIGNER.jwk, {"ES256"})


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b'"alg"',
        b"7",
        b"{",
        b'{"alg":"ES256"}x',
        b'{"alg":"ES256","alg":"ES256"}',
        b'{"alg":"ES256","x":{"y":1,"y":1}}',
        b'{"alg":"ES256","x":NaN}',
        b'{"alg":"ES256","x":-Infinity}',
        b'{"alg":"ES256","x":1e999}',
        b'{"alg":"ES256","x":"\\ud800"}',
        b'{"alg":"ES256","x":"\xff"}',
        b'\xef\xbb\xbf{"alg":"ES256"}',
        '{"alg":"ES256"}'.encode("utf-16"),
        b'{"alg":"ES256","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"alg":"ES256","x":' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"alg":"ES256","x":' + b"9" * 5000 + b"}",
        b"{'alg':'ES256'}",
        b'{"alg":"ES256",}',
        b"{}",
        b'{"alg":null}',
        b'{"alg":["ES256"]}',
        b'{"alg":256}',
        b'{"alg":"ES256","kid":7}',
        b'{"alg":"ES256","kid":null}',
        b'{"alg":"ES256","kid":["ES256-0"]}',
        b'{"alg":"ES256","typ":1}',
        b'{"alg":"ES256","kid":"' + b"k" * 513 + b'"}',
    ],
    ids=lambda header: repr(header[:40]),
)
def test_a_header_that_is_not_one_object_with_one_meaning_is_refused(header: bytes) -> None:
    assert code_of(SIGNER.token(header)) == TokenCode.MALFORMED


@pytest.mark.parametrize(
    "crit", ['["exp"]', '["b64"]', "[]", '["x","x"]', '"exp"', "null", "{}", "[1]", '["alg"]', "true"]
)
def test_critical_extensions_are_refused_in_every_form(crit: str) -> None:
    members = f'{{"alg":"ES256","kid":"ES256-0","b64":true,"exp":1,"x":1,"crit":{crit}}}'
    assert code_of(SIGNER.token(members.encode())) == TokenCode.CRITICAL


@pytest.mark.parametrize("value", [False, 0, "false", None, [], 1])
def test_an_unencoded_payload_is_refused(value: object) -> None:
    header = forger("ES256").token(b'{"alg":"ES256","kid":"ES256-0","b64":' + str(value).lower().encode() + b"}")
    assert code_of(header) in {TokenCode.CRITICAL, TokenCode.MALFORMED}
    assert code_of(SIGNER.token({"b64": False})) == TokenCode.CRITICAL


def test_members_of_the_header_that_nobody_asked_for_change_nothing() -> None:
    token = SIGNER.token({"x5t": "AA", "cty": "x", "nonce": {"a": [1]}, "exp": 0, "zip": "DEF", "b64": True})
    assert verify_jws(token, SIGNER.jwk, {"ES256"}) == PAYLOAD


def test_an_empty_payload_is_a_payload_and_an_empty_signature_no_signature() -> None:
    assert verify_jws(SIGNER.token(payload=b""), SIGNER.jwk, {"ES256"}) == b""
    assert code_of(SIGNER.token().rpartition(".")[0] + ".") == TokenCode.SIGNATURE


def test_white_space_that_json_allows_is_allowed() -> None:
    token = SIGNER.token(b' {\r\n "alg" : "ES256",\t"kid":"ES256-0"} ')
    assert verify_jws(token, SIGNER.jwk, {"ES256"}) == PAYLOAD
    assert parse_compact(token).header.kid == "ES256-0"


@pytest.mark.parametrize(
    ("typ", "compared"),
    [
        ("at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("Application/At+Jwt", "at+jwt"),
        ("application/application/at+jwt", "application/application/at+jwt"),
        ("application/x/y", "application/x/y"),
        ("text/at+jwt", "text/at+jwt"),
        ("at+\u212awt", "at+\u212awt"),
        ("", ""),
    ],
)
def test_a_type_is_compared_as_a_media_type(typ: str, compared: str) -> None:
    assert media_type(typ) == compared
