"""Good tokens with something changed: nothing changed is taken, and nothing but a refusal comes out.

A run in `make test` tries 2,000 changes of a token of each algorithm; AUTH=full tries 20,000. The seed is fixed, so a
failure comes again; set AUTH_SEED to look elsewhere.
"""

import json
import os
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex_plugins.auth.claims import Expectations
from narthex_plugins.auth.strict import decode_base64url
from narthex_plugins.auth.tokens import TokenRefused, load_jwks, verify, verify_compact, verify_jws
from tests.plugins.auth.forge import EVERY, PAYLOAD, encode, forger

NUMBER = 20_000 if os.environ.get("AUTH") == "full" else 2_000
SEED = int(os.environ.get("AUTH_SEED", "7519"))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
STRANGE: list[str] = [*'.=+/ \t\r\n\0%~!"{}[]:,', "é", "\u200b", "\ud800", "\U0001f600", "\u2024", "..", "\r\n"]
VALUES = [
    None,
    0,
    1,
    -1,
    True,
    "",
    "none",
    "HS256",
    "RS256",
    "ES256",
    [],
    {},
    ["exp"],
    {"kty": "oct"},
    "x" * 600,
    1e300,
]
NAMES = [
    "alg",
    "kid",
    "typ",
    "cty",
    "crit",
    "b64",
    "jku",
    "jwk",
    "x5u",
    "x5c",
    "x5t",
    "zip",
    "enc",
    "ALG",
    "sub",
    "exp",
]

Change = Callable[[Random, str], str]


def letter(random: Random, token: str) -> str:
    at = random.randrange(len(token))
    return token[:at] + random.choice(ALPHABET) + token[at + 1 :]


def bit(random: Random, token: str) -> str:
    at = random.randrange(len(token))
    return token[:at] + chr(ord(token[at]) ^ 1 << random.randrange(8)) + token[at + 1 :]


def strange(random: Random, token: str) -> str:
    at = random.randrange(len(token) + 1)
    return token[:at] + random.choice(STRANGE) + token[at + random.randrange(2) :]


def cut(random: Random, token: str) -> str:
    first, last = sorted(random.sample(range(len(token) + 1), 2))
    return random.choice((token[:first] + token[last:], token[first:last], token[:first], token[last:]))


def doubled(random: Random, token: str) -> str:
    first, last = sorted(random.sample(range(len(token) + 1), 2))
    return token[:last] + token[first:last] + token[last:]


def swapped(random: Random, token: str) -> str:
    one, two = sorted(random.sample(range(len(token)), 2))
    return token[:one] + token[two] + token[one + 1 : two] + token[one] + token[two + 1 :]


def shuffled(random: Random, token: str) -> str:
    parts = token.split(".")
    return ".".join(random.choice([*parts, "", "e30"]) for _ in range(random.choice((2, 3, 3, 3, 4, 5))))


def respelled(random: Random, token: str) -> str:
    parts = token.split(".")
    at = random.randrange(3)
    part = parts[at]
    last = ALPHABET[ALPHABET.index(part[-1]) ^ 1]
    parts[at] = random.choice(
        (part + "=", part + "==", part[:-1] + last, part + "A", part[::-1], part.swapcase(), part * 2)
    )
    return ".".join(parts)


def edited(random: Random, token: str) -> str:
    """Change the header or the payload as JSON, and leave the signature."""
    parts = token.split(".")
    at = random.randrange(2)
    members = json.loads(decode_base64url(parts[at].encode()))
    name = random.choice([*NAMES, *members])
    if random.random() < 0.3:
        members.pop(name, None)
    else:
        members[name] = random.choice(VALUES)
    parts[at] = encode(json.dumps(members).encode())
    return ".".join(parts)


def resigned(random: Random, token: str) -> str:
    """Put random bytes, or few of them, in the signature's place."""
    signed, _, signature = token.rpartition(".")
    length = random.choice((1, 31, 32, 48, 63, 64, 65, 96, 114, 132, 256, len(decode_base64url(signature.encode()))))
    fill = random.choice((bytes(length), b"\xff" * length, random.randbytes(length), bytes(length - 1) + b"\1"))
    return f"{signed}.{encode(fill)}"


CHANGES: tuple[Change, ...] = (
    letter,
    bit,
    strange,
    cut,
    doubled,
    swapped,
    shuffled,
    respelled,
    edited,
    resigned,
)


def changed(random: Random, token: str) -> str:
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        once = random.choice(CHANGES)
        if token.count(".") == 2 and all(set(part) <= set(ALPHABET) and part for part in token.split(".")):
            try:
                token = once(random, token)
            except ValueError:  # an earlier change left nothing that could be edited
                continue
        elif len(token) > 2:
            token = random.choice((letter, bit, strange, cut, doubled, swapped))(random, token)
    return token


@pytest.mark.parametrize("algorithm", EVERY)
def test_no_changed_token_is_taken_and_nothing_but_a_refusal_comes_out(algorithm: str) -> None:
    signer, random = forger(algorithm), Random(f"{SEED} {algorithm}")
    keys = load_jwks({"keys": [signer.jwk, forger(algorithm, 1).jwk]}, EVERY)
    good = [signer.token({"typ": "at+jwt"}), signer.token(), signer.token(payload=b"{}")]
    assert all(verify_compact(token, keys, EVERY) for token in good)
    tried = 0
    while tried < NUMBER:
        token = changed(random, random.choice(good))
        if token in good:
            continue
        tried += 1
        given_as = token if random.random() < 0.5 else token.encode("utf-8", "surrogatepass")
        try:
            verify_compact(given_as, keys, EVERY)
        except TokenRefused:
            continue
        pytest.fail(f"taken: {token!r}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "sid", "auth_time", "scope", "roles", "acr")
GOOD = {"iss": "https://shop.example", "sub": "alice", "aud": "shop", "exp": 2e9, "iat": 1, "jti": "1"}


@given(st.dictionaries(st.sampled_from(CLAIMS), JSON, max_size=3))
def test_whatever_the_claims_are_they_come_out_as_they_were_or_are_refused(claims: dict[str, object]) -> None:
    signer = forger("EdDSA")
    expected = Expectations("https://shop.example", frozenset({"shop"}))
    token = signer.token({"typ": "at+jwt"}, json.dumps({**GOOD, **claims}).encode())
    try:
        found = verify(token, load_jwks({"keys": [signer.jwk]}, {"EdDSA"}), expected, 1.9e9)
    except TokenRefused:
        return
    assert found == {**GOOD, **claims}
    assert (found["iss"], found["exp"]) > ("https://shop.example", 1.9e9)


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3))
def test_whatever_the_header_is_only_the_signers_algorithm_and_key_are_used(header: dict[str, object]) -> None:
    signer = forger("EdDSA")
    token = signer.token(json.dumps({"alg": "EdDSA", "kid": signer.kid, **header}).encode())
    try:
        payload = verify_jws(token, signer.jwk, EVERY)
    except TokenRefused:
        return
    assert payload == PAYLOAD
    assert header.get("alg", "EdDSA") == "EdDSA"
    assert header.get("kid", signer.kid) == signer.kid
    assert "crit" not in header


@given(st.text(), st.binary())
def test_text_and_bytes_of_any_kind_are_refused(text: str, data: bytes) -> None:
    for token in (text, data, f"{text}.{text}.{text}", b".".join([data] * 3)):
        with pytest.raises(TokenRefused):
            verify_jws(token, forger("EdDSA").jwk, EVERY)
