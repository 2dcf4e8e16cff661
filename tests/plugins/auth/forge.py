"""Tokens as an attacker writes them: any header, any payload, any bytes, signed with keys of every kind."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

from narthex_plugins.auth.strict import encode_base64url

FAMILIES = {
    "RS": ("RS256", "RS384", "RS512"),
    "PS": ("PS256", "PS384", "PS512"),
    "ES": ("ES256", "ES384", "ES512", "ES256K"),
    "EdDSA": ("EdDSA", "Ed25519", "Ed448"),
    "HS": ("HS256", "HS384", "HS512"),
}
EVERY = tuple(name for names in FAMILIES.values() for name in names)
PAYLOAD = b'{"iss":"https://shop.example","sub":"alice"}'


def encode(data: bytes) -> str:
    return encode_base64url(data).decode()


@dataclass(frozen=True, slots=True)
class Forger:
    """One algorithm with a key of its own."""

    algorithm: str
    jwk: Mapping[str, object]
    sign: Callable[[bytes], bytes]

    @property
    def kid(self) -> str:
        return str(self.jwk["kid"])

    def token(self, header: Mapping[str, object] | bytes | None = None, payload: bytes = PAYLOAD) -> str:
        """Sign what is given; a mapping is laid over the proper header, and None takes a member out of it."""
        if isinstance(header, bytes):
            return self.signed(encode(header), encode(payload))
        members = {"alg": self.algorithm, "kid": self.kid, **(header or {})}
        kept = {name: value for name, value in members.items() if value is not None}
        return self.signed(encode(json.dumps(kept).encode()), encode(payload))

    def signed(self, header: str, payload: str) -> str:
        """Sign two parts as they stand, encoded well or badly."""
        text = f"{header}.{payload}"
        return f"{text}.{encode(self.sign(text.encode('utf-8', 'surrogatepass')))}"

    def jwk_with(self, **members: object) -> dict[str, object]:
        """Return the public key with members laid over it; None takes one out."""
        return {name: value for name, value in {**self.jwk, **members}.items() if value is not None}


@cache
def forger(algorithm: str, number: int = 0) -> Forger:
    """Return the forger of an algorithm; `number` gives another key."""
    primitive = get_default_algorithms()["EdDSA" if algorithm.startswith("Ed") else algorithm]
    key, members = _key(algorithm, number)
    jwk = {**members, "kid": f"{algorithm}-{number}", "alg": algorithm, "use": "sig"}
    return Forger(algorithm, jwk, lambda data: primitive.sign(data, key))


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _key(algorithm: str, number: int) -> tuple[object, dict[str, object]]:
    if algorithm[:2] in {"RS", "PS"}:
        key = rsa_key(number)
        return key, {name: RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)[name] for name in ("kty", "n", "e")}
    if algorithm.startswith("ES"):
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1(), "ES256K": ec.SECP256K1()}
        curve = ec.generate_private_key(curves[algorithm])
        return curve, dict(ECAlgorithm.to_jwk(curve.public_key(), as_dict=True))
    if algorithm.startswith("Ed"):
        edwards = (ed448.Ed448PrivateKey if algorithm == "Ed448" else ed25519.Ed25519PrivateKey).generate()
        return edwards, dict(OKPAlgorithm.to_jwk(edwards.public_key(), as_dict=True))
    secret = bytes(range(number, number + 64))
    return secret, {"kty": "oct", "k": encode(secret)}


def secret_forger(secret: bytes, algorithm: str = "HS256") -> Forger:
    """Return one that signs with any bytes as a shared secret, such as somebody's public key."""
    primitive = get_default_algorithms()[algorithm]
    jwk = {"kty": "oct", "k": encode(secret), "kid": "secret"}
    return Forger(algorithm, jwk, lambda data: primitive.sign(data, secret))


def public_texts(forged: Forger) -> list[bytes]:
    """Return the ways a public key is commonly written, each of which has served as an HMAC secret somewhere."""
    key = rsa_key().public_key()
    texts = [key.public_bytes(Encoding.PEM, form) for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1)]
    texts += [text.strip() for text in texts] + [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    return [*texts, json.dumps(forged.jwk).encode(), str(forged.jwk["n"]).encode()]
