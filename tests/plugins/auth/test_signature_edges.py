"""Signatures at the edges of their numbers, on every curve; good ones that a strict reader might refuse for nothing.

Each bad one differs from a good one in the one thing it is named for. The numbers are those of FIPS 186-5 and RFC 8032.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from narthex_plugins.auth.strict import decode_base64url
from narthex_plugins.auth.tokens import KeyCode, KeyRefused, TokenCode, TokenRefused, verify_jws
from tests.plugins.auth.forge import EVERY, PAYLOAD, Forger, encode, forger

_CURVES: dict[str, tuple[ec.EllipticCurve, int]] = {
    "ES256": (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    "ES384": (
        ec.SECP384R1(),
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
    "ES512": (
        ec.SECP521R1(),
        2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
    ),
    "ES256K": (ec.SECP256K1(), 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141),
}
_L = 2**252 + 27742317777372353535851937790883648493  # the order of edwards25519's base point
curves = pytest.mark.parametrize("algorithm", _CURVES)


def refusal(token: str, jwk: object, algorithms: object = EVERY) -> str:
    with pytest.raises((TokenRefused, KeyRefused)) as refused:
        verify_jws(token, jwk, algorithms)  # type: ignore[arg-type]
    return str(refused.value.code)  # type: ignore[attr-defined]


def halves(algorithm: str) -> tuple[str, int, int, int]:
    """A good token without its signature, the two numbers of that, and their size in bytes."""
    signed, _, signature = forger(algorithm).token().rpartition(".")
    raw = decode_base64url(signature.encode())
    size = len(raw) // 2
    return signed, int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big"), size


@curves
def test_a_curve_signature_whose_numbers_are_out_of_range_is_refused(algorithm: str) -> None:
    signed, r, s, size = halves(algorithm)
    curve, order = _CURVES[algorithm]
    assert size == (curve.key_size + 7) // 8
    top = 2 ** (8 * size) - 1
    edges = [0, 1, order - 1, order, order + 1, top]
    pairs = [(a, b) for a in edges for b in edges]
    pairs += [(r, odd) for odd in edges] + [(odd, s) for odd in edges] + [(s, r), (r ^ 1, s), (r, s ^ 1)]
    pairs += [(a, b) for a, b in ((r + order, s), (r, s + order)) if max(a, b) <= top]
    for a, b in pairs:
        raw = a.to_bytes(size, "big") + b.to_bytes(size, "big")
        assert refusal(f"{signed}.{encode(raw)}", forger(algorithm).jwk) == TokenCode.SIGNATURE


@curves
def test_the_other_signature_of_the_same_numbers_is_a_signature(algorithm: str) -> None:
    # (r, n - s) verifies wherever (r, s) does, and FIPS 186-5 knows no lower half: nothing may rest on a token having
    # one spelling, so what revokes goes by `jti`, and what remembers by all of the bytes.
    signed, r, s, size = halves(algorithm)
    other = r.to_bytes(size, "big") + (_CURVES[algorithm][1] - s).to_bytes(size, "big")
    assert verify_jws(f"{signed}.{encode(other)}", forger(algorithm).jwk, EVERY) == PAYLOAD


@curves
def test_a_curve_signature_with_leading_zeros_is_one(algorithm: str) -> None:
    signer = forger(algorithm)
    for number in range(4000):  # one in 128 begins so, in r or in s; of P-521, whose top byte holds one bit, half do
        token = signer.token({"n": number})
        raw = decode_base64url(token.rpartition(".")[2].encode())
        if raw[0] == 0 or raw[len(raw) // 2] == 0:
            break
    else:
        pytest.fail("4000 signatures without a leading zero")
    assert verify_jws(token, signer.jwk, EVERY) == PAYLOAD
    size = len(raw) // 2
    trimmed = raw[:size].lstrip(b"\0") + raw[size:].lstrip(b"\0")
    assert refusal(f"{token.rpartition('.')[0]}.{encode(trimmed)}", signer.jwk) == TokenCode.SIGNATURE


def small_points() -> Iterator[bytes]:
    """Points of edwards25519 of order 1, 2, 4 and 8, with either sign, and two spellings of them beyond the prime."""
    order_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
    prime = 2**255 - 19
    for y in (0, 1, prime - 1, order_8, prime - order_8, prime, prime + 1):
        for sign in (0, 1):
            yield (y | sign << 255).to_bytes(32, "little")


def test_an_edwards_signature_has_one_number_and_no_trivial_point() -> None:
    signer = forger("Ed25519")
    signed, _, signature = signer.token().rpartition(".")
    raw = decode_base64url(signature.encode())
    s = int.from_bytes(raw[32:], "little")
    odd = [raw[:32] + (s + k * _L).to_bytes(32, "little") for k in range(1, 15) if s + k * _L < 2**256]
    odd += [point + number.to_bytes(32, "little") for point in small_points() for number in (0, 1, _L - 1, _L, s)]
    odd += [raw[:-1], raw + b"\0", raw[32:] + raw[:32], b"", bytes(64), b"\xff" * 64, raw[:31] + raw[32:]]
    odd.append(raw[:31] + bytes([raw[31] ^ 0x80]) + raw[32:])
    assert len(odd) > 80
    for forged in odd:
        assert refusal(f"{signed}.{encode(forged)}", signer.jwk) == TokenCode.SIGNATURE


def test_a_point_of_small_order_is_no_key_however_it_is_written() -> None:
    for point in small_points():
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode(point)}
        assert refusal(forger("Ed25519").token(), jwk) in (KeyCode.WEAK, KeyCode.MALFORMED)
        # What a lenient library takes for that key's signature of anything: R = the point, S = 0.
        forged = f"{encode(json.dumps({'alg': 'EdDSA'}).encode())}.{encode(PAYLOAD)}.{encode(point + bytes(32))}"
        assert refusal(forged, jwk) in (KeyCode.WEAK, KeyCode.MALFORMED)


_PREFIXES = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}  # RFC 8017 §9.2, note 1


def raw_rsa(key: rsa.RSAPrivateKey, info: bytes, *, padding: bytes | None = None) -> bytes:
    """The signature of a block that is made by hand."""
    size = (key.key_size + 7) // 8
    fill = padding if padding is not None else b"\xff" * (size - 3 - len(info))
    block = b"\x00\x01" + fill + b"\x00" + info
    assert len(block) == size
    numbers = key.private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")


@pytest.mark.parametrize(("bits", "exponent"), [(2048, 65537), (2048, 3), (3072, 3)])
@pytest.mark.parametrize(("algorithm", "name"), [("RS256", "sha256"), ("RS384", "sha384"), ("RS512", "sha512")])
def test_the_block_of_an_rsa_signature_is_exact(algorithm: str, name: str, bits: int, exponent: int) -> None:
    key = rsa.generate_private_key(exponent, bits)
    jwk = {"kty": "RSA", **_numbers(key), "alg": algorithm}
    signed = f"{encode(json.dumps({'alg': algorithm}).encode())}.{encode(PAYLOAD)}"
    digest = hashlib.new(name, signed.encode()).digest()
    good = bytes.fromhex(_PREFIXES[name]) + digest
    assert verify_jws(f"{signed}.{encode(raw_rsa(key, good))}", jwk, EVERY) == PAYLOAD
    odd = [bytes.fromhex(prefix) + hashlib.new(other, signed.encode()).digest() for other, prefix in _PREFIXES.items()]
    odd.remove(good)
    odd += [bytes.fromhex(_PREFIXES[other]) + digest for other in _PREFIXES if other != name]
    oid = bytes.fromhex(_PREFIXES[name])
    odd += [
        oid.replace(b"\x05\x00", b"") + digest,  # without NULL, lengths as they were
        bytes([0x30, oid[1] - 2, 0x30, oid[3] - 2]) + oid[4:-4] + oid[-2:] + digest,  # without NULL, lengths put right
        bytes([0x30, 0x81]) + oid[1:] + digest,  # a length in the long form (BER)
        oid.replace(b"\x05\x00", b"\x05\x81\x00") + digest,
        bytes([0x30, 0x80]) + oid[2:] + digest + b"\x00\x00",  # of indefinite length
        good + b"\x00", b"\x00" + good, good[:-1], digest, b"", good + bytes(20), good[:-1] + bytes([good[-1] ^ 1]),
    ]  # fmt: skip
    for info in odd:
        assert refusal(f"{signed}.{encode(raw_rsa(key, info))}", jwk) == TokenCode.SIGNATURE
    size = bits // 8
    for padding in (b"", b"\xff" * 8, b"\xff" * 8 + bytes(size - 11 - len(good)), bytes(size - 3 - len(good))):
        # Where the padding is short the rest stands behind the digest: Bleichenbacher's forgery for the exponent 3.
        info = good + bytes(size - 3 - len(padding) - len(good))
        assert refusal(f"{signed}.{encode(raw_rsa(key, info, padding=padding))}", jwk) == TokenCode.SIGNATURE


def _numbers(key: rsa.RSAPrivateKey) -> dict[str, str]:
    public = key.public_key().public_numbers()
    return {
        name: encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        for name, number in (("n", public.n), ("e", public.e))
    }


def variants(signer: Forger) -> Iterator[tuple[Mapping[str, object], Mapping[str, object]]]:
    """Keys and headers that are as good as the usual ones."""
    extra = {"x5t": "AAAA", "x5c": ["AAAA"], "iat": 7, "https://shop.example/note": {"a": [1]}, "ext": True, "exp": 1}
    keys: tuple[Mapping[str, object], ...] = (
        {"use": None},
        {"use": None, "key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"]},
        {"alg": None},
        {"alg": None, "use": None, "kid": None},
        {"kid": None},
        extra,
    )
    headers: tuple[Mapping[str, object], ...] = (
        {},
        {"kid": None},
        {"typ": "JWT"},
        {"typ": "jwt", "cty": "text/plain"},
        {"x5t": "AAAA", "n": 1},
    )
    yield from product(keys, headers)


@pytest.mark.parametrize("algorithm", EVERY)
def test_good_keys_and_tokens_are_not_refused_for_what_they_may_leave_out_or_add(algorithm: str) -> None:
    signer = forger(algorithm)
    stranger: list[object] = [
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "pq"},
        {"kty": "new", "kid": "new"},
        {"kid": "without kty"},
    ]
    if not algorithm.startswith("HS"):  # a set of both kinds is refused
        stranger += [{"kty": "OKP", "crv": "X25519", "x": "AAAA", "use": "enc", "kid": "enc"}]
        stranger.append(forger("ES384" if algorithm == "ES256" else "ES256", 1).jwk)
    for members, header in variants(signer):
        jwk = signer.jwk_with(**members)
        if members.get("alg", 1) is None and algorithm in ("EdDSA", "Ed25519"):
            jwk["alg"] = algorithm  # two names of one thing, and the token says which
        for keys in (jwk, json.dumps(jwk), {"keys": [jwk]}, {"keys": [*stranger, jwk]}):
            for permitted in (EVERY, [algorithm], {algorithm, "none"}):
                assert verify_jws(signer.token(header), keys, permitted) == PAYLOAD
        assert verify_jws(signer.token(header).encode(), jwk, EVERY) == PAYLOAD


@pytest.mark.parametrize("algorithm", EVERY)
@pytest.mark.parametrize("payload", [b"", b"\0\xff", b"not JSON", b"[]", b"7", "ü".encode() * 3000])
def test_a_payload_may_be_any_bytes(algorithm: str, payload: bytes) -> None:
    signer = forger(algorithm)
    assert verify_jws(signer.token(payload=payload), signer.jwk, EVERY) == payload


def test_edwards_keys_sign_as_themselves() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    jwk = json.loads(get_default_algorithms()["EdDSA"].to_jwk(key.public_key()))
    for name in ("EdDSA", "Ed25519"):
        text = f"{encode(json.dumps({'alg': name}).encode())}.{encode(PAYLOAD)}"
        assert verify_jws(f"{text}.{encode(key.sign(text.encode()))}", jwk, ["EdDSA", "Ed25519"]) == PAYLOAD
