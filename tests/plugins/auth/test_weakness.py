"""Weak keys are made here, each as the faulty library made it, and told from sound ones."""

from itertools import count
from math import prod
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from narthex_plugins.auth.tokens import KeyCode, KeyRefused, TokenRefused, load_jwk, verify_jws
from narthex_plugins.auth.weakness import edwards_weakness, has_roca_fingerprint, rsa_weakness
from tests.plugins.auth.forge import EVERY, PAYLOAD, encode, forger, rsa_key

PRIMES = [p for p in range(2, 702) if all(p % q for q in range(2, p))]


def is_prime(number: int) -> bool:
    return all(number % p for p in PRIMES) and all(pow(a, number - 1, number) == 1 for a in (2, 3, 5))


def next_prime(number: int) -> int:
    return next(n for n in count(number | 1, 2) if is_prime(n))


def roca_prime(random: Random) -> int:
    """Make a prime of 1024 bits as the library of CVE-2017-15361 did: k*M + (65537^a mod M), M of 126 primes."""
    product = prod(PRIMES)
    least, most = (3 << 1022) // product + 1, (1 << 1024) // product - 1
    while True:
        number = random.randint(least, most) * product + pow(65537, random.getrandbits(64), product)
        if is_prime(number):
            return number


def rsa_jwk(modulus: int, exponent: int = 65537) -> dict[str, object]:
    def text(number: int) -> str:
        return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))

    return {"kty": "RSA", "n": text(modulus), "e": text(exponent)}


def refusal(jwk: dict[str, object]) -> KeyRefused:
    with pytest.raises(KeyRefused) as refused:
        load_jwk(jwk, {"RS256", "EdDSA", "Ed448", "HS256"} - ({"Ed448"} if jwk.get("crv") != "Ed448" else {"EdDSA"}))
    return refused.value


def test_sound_keys_are_not_called_weak() -> None:
    numbers = rsa_key().public_key().public_numbers()
    assert rsa_weakness(numbers.n, 65537) is None
    assert rsa_weakness(numbers.n, 3) is None
    assert not has_roca_fingerprint(numbers.n)


def test_a_modulus_made_by_the_faulty_library_is_refused() -> None:
    random = Random(15361)
    modulus = roca_prime(random) * roca_prime(random)
    assert "ROCA" in refusal(rsa_jwk(modulus)).detail
    assert refusal(rsa_jwk(modulus)).code == KeyCode.WEAK


def test_two_primes_near_each_other_are_refused() -> None:
    first = next_prime(3 << 1022)
    modulus = first * next_prime(first + 2)
    assert modulus.bit_length() == 2048
    assert "near each other" in refusal(rsa_jwk(modulus)).detail


def test_a_modulus_with_a_small_factor_or_an_even_one_is_refused() -> None:
    modulus = rsa_key().public_key().public_numbers().n
    assert "small factor" in refusal(rsa_jwk(modulus * 997)).detail
    assert "small factor" in refusal(rsa_jwk(modulus - 1)).detail


@pytest.mark.parametrize("bits", [1, 8, 512, 1024, 2047, 8193])
def test_a_modulus_too_short_or_too_long_is_refused(bits: int) -> None:
    assert f"{bits} bits" in refusal(rsa_jwk(1 << (bits - 1) | 1)).detail


@pytest.mark.parametrize("exponent", [1, 2, 4, 65536, 1 << 256 | 1])
def test_an_exponent_of_one_an_even_or_a_huge_one_is_refused(exponent: int) -> None:
    assert "exponent" in refusal(rsa_jwk(rsa_key().public_key().public_numbers().n, exponent)).detail


def test_a_signature_without_a_private_key_works_with_exponent_one_which_is_why_it_is_refused() -> None:
    modulus, signer = rsa_key().public_key().public_numbers().n, forger("RS256")
    assert verify_jws(signer.token(), signer.jwk, EVERY) == PAYLOAD
    with pytest.raises(KeyRefused):
        verify_jws(signer.token(), {**rsa_jwk(modulus, 1), "kid": signer.kid}, EVERY)


def test_the_points_of_small_order_on_ed25519_are_those_that_eight_steps_bring_to_nothing() -> None:
    prime = 2**255 - 19
    d = -121665 * pow(121666, -1, prime) % prime

    def add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
        (x1, y1), (x2, y2) = p, q
        both = d * x1 * x2 * y1 * y2
        x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, prime)
        y = (y1 * y2 + x1 * x2) * pow(1 - both, -1, prime)
        return x % prime, y % prime

    for ordinate in (1, 0, prime - 1, *eighth_ordinates(prime, d)):
        square = (ordinate**2 - 1) * pow(d * ordinate**2 + 1, -1, prime) % prime
        x = pow(square, (prime + 3) // 8, prime)
        x = x if x * x % prime == square else x * pow(2, (prime - 1) // 4, prime) % prime
        assert x * x % prime == square
        point = (x, ordinate)
        for _ in range(3):
            point = add(point, point)
        assert point == (0, 1)
        assert edwards_weakness("Ed25519", ordinate.to_bytes(32, "little"))


def eighth_ordinates(prime: int, d: int) -> list[int]:
    """Return y of the points of order 8: doubling one gives y = 0, so x^2 = -y^2, so d*y^4 + 2*y^2 - 1 = 0."""
    root = pow(1 + d, (prime + 3) // 8, prime)
    root = root if root * root % prime == (1 + d) % prime else root * pow(2, (prime - 1) // 4, prime) % prime
    found = []
    for square in ((root - 1) * pow(d, -1, prime) % prime, (-root - 1) * pow(d, -1, prime) % prime):
        y = pow(square, (prime + 3) // 8, prime)
        for candidate in (y, y * pow(2, (prime - 1) // 4, prime) % prime):
            if candidate * candidate % prime == square:
                found += [candidate, prime - candidate]
    return found


@pytest.mark.parametrize(("curve", "size"), [("Ed25519", 32), ("Ed448", 57)])
@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("ordinate", [0, 1])
def test_a_public_key_of_small_order_is_refused(curve: str, size: int, sign: int, ordinate: int) -> None:
    x = bytes([ordinate, *bytes(size - 2), sign])
    assert refusal({"kty": "OKP", "crv": curve, "x": encode(x)}).code == KeyCode.WEAK


@pytest.mark.parametrize(("curve", "size", "prime"), [("Ed25519", 32, 2**255 - 19), ("Ed448", 57, 2**448 - 2**224 - 1)])
@pytest.mark.parametrize("ordinate", [0, 1])
def test_a_point_of_small_order_is_known_in_its_second_spelling_too(
    curve: str, size: int, prime: int, ordinate: int
) -> None:
    x = (ordinate + prime).to_bytes(size, "little")
    assert refusal({"kty": "OKP", "crv": curve, "x": encode(x)}).code == KeyCode.WEAK


def test_a_key_of_small_order_would_accept_what_nobody_signed() -> None:
    identity = bytes([1, *bytes(31)])  # S*B = R + k*A holds for S = 0, R = A = the neutral element, whatever k is
    ed25519.Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"anything")
    signer = forger("EdDSA")
    token = f"{signer.token().rpartition('.')[0]}.{encode(identity + bytes(32))}"
    with pytest.raises(KeyRefused):
        verify_jws(token, {"kty": "OKP", "crv": "Ed25519", "x": encode(identity)}, {"EdDSA"})
    with pytest.raises(TokenRefused):
        verify_jws(token, signer.jwk, {"EdDSA"})


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_shared_secret_is_at_least_as_long_as_the_hash(algorithm: str, size: int) -> None:
    assert load_jwk({"kty": "oct", "k": encode(bytes(size))}, {algorithm}).algorithm == algorithm
    for length in (0, 1, size - 1):
        with pytest.raises(KeyRefused) as refused:
            load_jwk({"kty": "oct", "k": encode(bytes(length))}, {algorithm})
        assert refused.value.code == KeyCode.WEAK
