"""One RSA key and one bearer token, made anew for each run."""

import functools
import importlib.util
import time
import uuid
from typing import Any

ISSUER = "https://shop.example"
AUDIENCE = "shop"
ROLE = "engineer"
LIFETIME = 24 * 3600


@functools.cache
def private_key() -> Any:  # cryptography's key classes are of no interest here
    """Make the RSA key, 2048 bits."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def public_pem() -> str:
    """Give its public half, as verifiers are configured with."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem: bytes = private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


@functools.cache
def bearer() -> str:
    """Give the token that every request carries: RS256, about 700 bytes.

    Where PyJWT is not installed no row reads the token; then it is a text of the same size.
    """
    if importlib.util.find_spec("jwt") is None:
        return "e30." * 170
    import jwt

    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "jti": str(uuid.uuid4()),
        "sid": str(uuid.uuid4()),
        "iat": now,
        "auth_time": now,
        "exp": now + LIFETIME,
        "roles": ["user", ROLE],
    }
    return jwt.encode(claims, private_key(), algorithm="RS256", headers={"typ": "at+jwt"})


@functools.cache
def revoked() -> frozenset[str]:
    """Give 10,000 other tokens' ids, as a revocation list holds them."""
    return frozenset(str(uuid.uuid4()) for _ in range(10_000))
