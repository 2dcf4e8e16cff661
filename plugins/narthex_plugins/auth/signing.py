"""Keys that sign, and signing.

A private key belongs to one algorithm and carries the `kid` under which its public half is published: the thumbprint
of RFC 7638, so that two keys never share a name and a name never moves to another key.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from narthex_plugins.auth.algorithms import ALGORITHMS
from narthex_plugins.auth.jwk import VerifyingKey, load_jwk
from narthex_plugins.auth.strict import encode_base64url

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

SIGNING_ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
_RSA_BITS = 2048
# RFC 9068 §2.2; client_id is left to the caller, since a person at our own login page has no client.
_ACCESS_TOKEN_CLAIMS = frozenset({"iss", "exp", "aud", "sub", "iat", "jti"})
_THUMBPRINT_MEMBERS = frozenset({"kty", "n", "e", "crv", "x", "y"})


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key, the one algorithm it signs with, and the name of its public half. Its repr shows no secret."""

    kid: str
    algorithm: str
    key: PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r}, algorithm={self.algorithm!r})"

    def public_jwk(self) -> dict[str, object]:
        """Return the public half as it is published: a JWK with `kid`, `alg` and `use` (RFC 7517 §4)."""
        return {**_public_members(self.key), "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def verifying(self) -> VerifyingKey:
        """Return the public half, checked as every other key is."""
        return load_jwk(self.public_jwk(), {self.algorithm})

    def private_bytes(self) -> bytes:
        """Return the private half in clear, PKCS #8 DER; `load_signing_key` reads it. Seal it before it rests."""
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def new_signing_key(algorithm: str = "RS256") -> SigningKey:
    """Make a key from the system's randomness.

    Args:
        algorithm: RS256 (2048 bits), ES256 or EdDSA (Ed25519).
    Cost: RS256 some 50 to 500 ms, so off the event loop; the others less than a millisecond.
    """
    match algorithm:
        case "RS256":
            key: PrivateKey = rsa.generate_private_key(65537, _RSA_BITS)
        case "ES256":
            key = ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
        case _:
            raise ValueError(f"keys are made for {', '.join(sorted(SIGNING_ALGORITHMS))}, not {algorithm}")
    return SigningKey(_thumbprint(key), algorithm, key)


def load_signing_key(private: bytes, algorithm: str) -> SigningKey:
    """Read a key back from `SigningKey.private_bytes`.

    Raises:
        ValueError: not such bytes, or a key that is not of the algorithm.
        KeyRefused: a weak key.
    """
    key = load_der_private_key(private, None)
    if not isinstance(key, PrivateKey) or algorithm not in SIGNING_ALGORITHMS:
        raise ValueError(f"not a key for {algorithm}")
    loaded = SigningKey(_thumbprint(key), algorithm, key)
    loaded.verifying()
    return loaded


def sign(claims: Mapping[str, object], key: SigningKey, typ: str = "at+jwt") -> str:
    """Make a signed token: header `alg`, `kid`, `typ` and the claims as they are given.

    Args:
        claims: JSON values; for an access token (`typ` "at+jwt") at least those of RFC 9068 §2.2 but for `client_id`.
        key: signs, and names its algorithm and itself in the header.
        typ: the media type without "application/".

    Raises:
        ValueError: a required claim is missing, or a value is not JSON (NaN).
    Cost: RS256 about 0.6 ms, ES256 and EdDSA below 0.1 ms.
    """
    if typ == "at+jwt" and not claims.keys() >= _ACCESS_TOKEN_CLAIMS:
        raise ValueError(f"an access token needs {', '.join(sorted(_ACCESS_TOKEN_CLAIMS - claims.keys()))}")
    header = _json({"alg": key.algorithm, "kid": key.kid, "typ": typ})
    signed = encode_base64url(header) + b"." + encode_base64url(_json(claims))
    signature = ALGORITHMS[key.algorithm].primitive.sign(signed, key.key)
    return (signed + b"." + encode_base64url(signature)).decode("ascii")


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _public_members(key: PrivateKey) -> dict[str, object]:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        members = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        members = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        members = OKPAlgorithm.to_jwk(public, as_dict=True)
    return {name: value for name, value in members.items() if name in _THUMBPRINT_MEMBERS}


def _thumbprint(key: PrivateKey) -> str:
    members = json.dumps(_public_members(key), sort_keys=True, separators=(",", ":"))
    return encode_base64url(sha256(members.encode()).digest()).decode("ascii")
