"""The signature algorithms: what key each takes (RFC 7518 §3.1, RFC 8037, RFC 8812, RFC 9864).

An algorithm belongs to one type of key and, for curves, to one curve. `none` is not in the table, so no token and no
setting can name it. The arithmetic is PyJWT's and cryptography's.
"""

from dataclasses import dataclass

from jwt.algorithms import Algorithm as Primitive
from jwt.algorithms import get_default_algorithms


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One row of the table.

    Attributes:
        key_type: the JWK's `kty`.
        curves: the JWK's `crv` may be one of these; empty where the type has no curves.
        secret_bytes: the least length of a shared secret: that of the hash (RFC 7518 §3.2); 0 for public keys.
        primitive: signs and verifies bytes.
    """

    name: str
    key_type: str
    curves: frozenset[str]
    secret_bytes: int
    primitive: Primitive


def _table() -> dict[str, Algorithm]:
    primitives = get_default_algorithms()
    rows = [
        Algorithm(f"{family}{bits}", kty, frozenset(), least, primitives[f"{family}{bits}"])
        for family, kty in (("RS", "RSA"), ("PS", "RSA"), ("HS", "oct"))
        for bits in (256, 384, 512)
        for least in (bits // 8 if kty == "oct" else 0,)
    ]
    for name, crv in (("ES256", "P-256"), ("ES384", "P-384"), ("ES512", "P-521"), ("ES256K", "secp256k1")):
        rows.append(Algorithm(name, "EC", frozenset({crv}), 0, primitives[name]))
    for name, curves in (("EdDSA", {"Ed25519", "Ed448"}), ("Ed25519", {"Ed25519"}), ("Ed448", {"Ed448"})):
        rows.append(Algorithm(name, "OKP", frozenset(curves), 0, primitives["EdDSA"]))
    return {row.name: row for row in rows}


ALGORITHMS = _table()
