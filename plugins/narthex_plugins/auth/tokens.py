"""Signed tokens: verify one, make one.

Verification goes from the cheap to the dear and from the outside in: size, form, header, algorithm, key, signature,
and only then a look at the claims. Each step trusts nothing that a later one has still to establish. No step does I/O,
reads a clock, or follows an address that the token brings.

Sources: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best practice), RFC 9068 (access tokens), OWASP ASVS 5.0 V9.
"""

from collections.abc import Collection, Mapping

from narthex_plugins.auth.algorithms import ALGORITHMS
from narthex_plugins.auth.claims import Expectations, claims_of, verify_claims
from narthex_plugins.auth.compact import MAX_SIZE, Compact, Header, parse_compact
from narthex_plugins.auth.jwk import VerifyingKey, each_algorithm, load_jwk, members_of
from narthex_plugins.auth.keyset import KeySet, load_jwks
from narthex_plugins.auth.refusals import KeyCode, KeyRefused, TokenCode, TokenRefused
from narthex_plugins.auth.signing import SigningKey, load_signing_key, new_signing_key, sign

__all__ = [
    "Expectations",
    "Header",
    "KeyCode",
    "KeyRefused",
    "KeySet",
    "SigningKey",
    "TokenCode",
    "TokenRefused",
    "VerifyingKey",
    "load_jwk",
    "load_jwks",
    "load_signing_key",
    "new_signing_key",
    "peek",
    "sign",
    "verify",
    "verify_claims",
    "verify_compact",
    "verify_jws",
]


def verify_jws(
    token: str | bytes,
    jwk_or_jwks: Mapping[str, object] | str | bytes,
    algorithms: Collection[str],
) -> bytes:
    """Verify a compact JWS with a key or a set of keys that is checked first, and return the payload.

    Args:
        token: the compact form; at most 16 KiB.
        jwk_or_jwks: the members of a JWK or of a JWK Set (told by its member `keys`), or the JSON text of one.
        algorithms: the names permitted. The key says which of them it serves; the token only has to agree.

    Raises:
        KeyRefused: the key is malformed, meant for something else, private, or weak.
        TokenRefused: everything else that is wrong.
    Cost: the key is loaded on each call (a millisecond or less); `load_jwks` once and `verify` where it matters.
    Source: RFC 7515 §5.2, RFC 8725 §3.
    """
    members = members_of(jwk_or_jwks)
    keys = load_jwks(members, algorithms) if "keys" in members else KeySet(each_algorithm(members, algorithms))
    return verify_compact(token, keys, algorithms).payload


def verify_compact(token: str | bytes, keys: KeySet, algorithms: Collection[str], max_size: int = MAX_SIZE) -> Compact:
    """Verify the signature of a compact JWS with loaded keys; its payload may be anything.

    Raises:
        TokenRefused: `token_too_large`, `token_malformed`, `token_encrypted`, `token_critical`, `token_algorithm`,
            `token_key_unknown`, `token_key_ambiguous`, `token_signature`.
    """
    compact = parse_compact(token, max_size)
    algorithm = compact.header.algorithm
    row = ALGORITHMS.get(algorithm)
    if row is None or algorithm not in algorithms:
        raise TokenRefused(TokenCode.ALGORITHM, f"alg {algorithm!r} is not permitted")
    key = keys.find(compact.header.kid, algorithm)
    if not row.primitive.verify(compact.signed, key.key, compact.signature):
        raise TokenRefused(TokenCode.SIGNATURE, f"does not hold for kid {key.kid!r}")
    return compact


def verify(token: str | bytes, keys: KeySet, expected: Expectations, now: float) -> Mapping[str, object]:
    """Verify a token, all of it, and return its claims.

    Args:
        token: the compact form.
        keys: the issuer's keys, loaded by `load_jwks` or made of `SigningKey.verifying`.
        expected: what the token has to say.
        now: seconds since 1970, UTC.

    Raises:
        TokenRefused: with a code for each thing that can be wrong; docs/reference/tokens.md lists them.
    Cost: RS256 some 40 µs, nearly all of it the signature; no I/O.
    """
    compact = verify_compact(token, keys, expected.algorithms, expected.max_size)
    if compact.header.type not in expected.types:
        raise TokenRefused(TokenCode.TYPE, f"typ {compact.header.type!r}")
    return verify_claims(compact.payload, expected, now)


def peek(token: str | bytes, max_size: int = MAX_SIZE) -> tuple[Header, Mapping[str, object]]:
    """Read a token's header and claims without verifying anything: only to choose who shall verify it.

    Raises:
        TokenRefused: it cannot be read.
    """
    compact = parse_compact(token, max_size)
    return compact.header, claims_of(compact.payload)
