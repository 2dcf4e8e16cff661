"""Keys that verify: a JSON Web Key (RFC 7517, 7518 §6, 8037) is checked once, when it is loaded, and then trusted.

The key decides the algorithm (RFC 8725 §3.1): what comes out of here is bound to one algorithm for good, so a token can
only name it, not choose it. A key without `alg` whose type serves several of the permitted algorithms becomes several
keys, one for each.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from narthex_plugins.auth.algorithms import ALGORITHMS, Algorithm
from narthex_plugins.auth.compact import TEXT_LENGTH
from narthex_plugins.auth.refusals import KeyCode, KeyRefused
from narthex_plugins.auth.strict import decode_base64url, is_list, parse_object
from narthex_plugins.auth.weakness import edwards_weakness, rsa_weakness

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
# Not registered, but in wide use since early libraries named the algorithm after the curve; the curve decides anyway.
_MISNAMED = {"ES521": "ES512"}
_OPERATIONS = frozenset({"sign", "verify"})
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
PUBLIC_TYPES = frozenset({"RSA", "EC", "OKP"})


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key that verifies signatures of one algorithm. Made by this module's functions only, so it has been checked.

    Attributes:
        kid: the key's identifier, compared byte for byte; None where the issuer gave none.
        algorithm: a name of RFC 7518 and its successors, such as "RS256".
        key: cryptography's public key object, or the bytes of a shared secret.
    """

    kid: str | None
    algorithm: str
    key: object = field(repr=False)


def load_jwk(jwk: Mapping[str, object] | str | bytes, algorithms: Collection[str]) -> VerifyingKey:
    """Check a key and bind it to its algorithm.

    Args:
        jwk: the members of one JWK, or its JSON text, which is then parsed strictly (a name twice is refused).
        algorithms: the names the caller permits.

    Raises:
        KeyRefused: malformed, for another use, private, weak, or of no permitted algorithm; also where the key has no
            `alg` and several permitted algorithms fit it (`load_jwks` and `each_algorithm` take such a key).
    Cost: a millisecond or less; load once, keep the result.
    """
    keys = each_algorithm(jwk, algorithms)
    first, *others = keys
    if others:
        names = ", ".join(key.algorithm for key in keys)
        raise KeyRefused(KeyCode.ALGORITHM, f"has no alg, and could be any of {names}", kid=first.kid)
    return first


def each_algorithm(jwk: Mapping[str, object] | str | bytes, algorithms: Collection[str]) -> tuple[VerifyingKey, ...]:
    """Check a key and bind it to each permitted algorithm it serves: the one in its `alg`, or all that fit its type.

    Raises:
        KeyRefused: as `load_jwk`; never returns nothing.
    """
    members = members_of(jwk)
    kid = _kid(members)
    try:
        return tuple(VerifyingKey(kid, name, key) for name, key in _bound(members, algorithms))
    except KeyRefused as refused:
        raise refused.of(kid) from None


def members_of(source: Mapping[str, object] | str | bytes) -> Mapping[str, object]:
    """Return the members of a JSON object given as itself or as text.

    Raises:
        KeyRefused: the text is not strict JSON, or not an object.
    """
    if isinstance(source, Mapping):
        return source
    if not isinstance(source, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise KeyRefused(KeyCode.MALFORMED, "neither an object nor text")
    try:
        return parse_object(source.encode() if isinstance(source, str) else source)
    except ValueError as error:
        raise KeyRefused(KeyCode.MALFORMED, f"not a JSON object with one meaning: {error}") from None


def _kid(members: Mapping[str, object]) -> str | None:
    kid = members.get("kid")
    if "kid" not in members:
        return None
    if not isinstance(kid, str) or len(kid) > TEXT_LENGTH:
        raise KeyRefused(KeyCode.MALFORMED, f"kid has to be text of at most {TEXT_LENGTH} characters")
    return kid


def _bound(members: Mapping[str, object], algorithms: Collection[str]) -> list[tuple[str, object]]:
    _check_purpose(members)
    fitting = _fitting(members, algorithms)
    match members["kty"]:
        case "RSA":
            key: object = _rsa(members)
        case "EC":
            key = _ec(members)
        case "OKP":
            key = _okp(members)
        case _:
            return [(row.name, secret) for row, secret in _secret(members, fitting)]
    return [(row.name, key) for row in fitting]


def _check_purpose(members: Mapping[str, object]) -> None:
    """Refuse a key that is for something other than verifying, or that holds its private half (RFC 7517 §4.2, §4.3)."""
    if not isinstance(members.get("kty"), str):
        raise KeyRefused(KeyCode.MALFORMED, "kty is missing or not text")
    if members["kty"] in PUBLIC_TYPES and not _PRIVATE_MEMBERS.isdisjoint(members):
        raise KeyRefused(KeyCode.PRIVATE, "holds private members; verification takes the public half only")
    if "use" in members and members["use"] != "sig":
        raise KeyRefused(KeyCode.USE, "use is not sig")
    if "key_ops" in members:
        operations = members["key_ops"]
        if not is_list(operations) or not all(isinstance(name, str) for name in operations):
            raise KeyRefused(KeyCode.MALFORMED, "key_ops has to be a list of text")
        if len(set(operations)) != len(operations):
            raise KeyRefused(KeyCode.MALFORMED, "key_ops holds a name twice")
        if "verify" not in operations or not _OPERATIONS.issuperset(operations):
            raise KeyRefused(KeyCode.USE, "key_ops lacks verify, or holds operations that are not of signatures")


def _fitting(members: Mapping[str, object], algorithms: Collection[str]) -> list[Algorithm]:
    if isinstance(algorithms, str):
        raise TypeError("algorithms is a collection of names, not one name")
    kty, crv = members["kty"], members.get("crv")
    if not isinstance(crv, str | None):
        raise KeyRefused(KeyCode.MALFORMED, "crv is not text")
    rows = [row for row in ALGORITHMS.values() if row.key_type == kty and (not row.curves or crv in row.curves)]
    if not rows:
        raise KeyRefused(KeyCode.TYPE, "of a type or on a curve that signs nothing here")
    if "alg" in members:
        alg = members["alg"]
        if not isinstance(alg, str):
            raise KeyRefused(KeyCode.MALFORMED, "alg is not text")
        rows = [row for row in rows if row.name == _MISNAMED.get(alg, alg)]
        if not rows:
            raise KeyRefused(KeyCode.ALGORITHM, "alg is unknown, or does not belong to a key of this type and curve")
    permitted = [row for row in rows if row.name in algorithms]
    if not permitted:
        names = ", ".join(row.name for row in rows)
        raise KeyRefused(KeyCode.ALGORITHM, f"serves {names}, none of which is permitted")
    return permitted


def _octets(members: Mapping[str, object], name: str) -> bytes:
    text = members.get(name)
    if not isinstance(text, str):
        raise KeyRefused(KeyCode.MALFORMED, f"{name} is missing or not text")
    try:
        return decode_base64url(text.encode("ascii"))
    except ValueError as error:
        raise KeyRefused(KeyCode.MALFORMED, f"{name}: {error}") from None


def _unsigned(members: Mapping[str, object], name: str) -> int:
    octets = _octets(members, name)
    if not octets or octets[0] == 0:  # RFC 7518 §2: Base64urlUInt has no leading zero octets
        raise KeyRefused(KeyCode.MALFORMED, f"{name} is empty or has leading zero octets")
    return int.from_bytes(octets, "big")


def _rsa(members: Mapping[str, object]) -> rsa.RSAPublicKey:
    modulus, exponent = _unsigned(members, "n"), _unsigned(members, "e")
    weakness = rsa_weakness(modulus, exponent)
    if weakness is not None:
        raise KeyRefused(KeyCode.WEAK, weakness)
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise KeyRefused(KeyCode.MALFORMED, "n and e are no RSA key") from None


def _ec(members: Mapping[str, object]) -> ec.EllipticCurvePublicKey:
    curve = _CURVES[str(members["crv"])]
    x, y = _octets(members, "x"), _octets(members, "y")
    if len(x) != len(y) or len(x) != (curve.key_size + 7) // 8:  # RFC 7518 §6.2.1.2: the full size of a coordinate
        raise KeyRefused(KeyCode.MALFORMED, "x or y is not of the curve's size")
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()
    except ValueError:
        raise KeyRefused(KeyCode.MALFORMED, "the point is not on the curve") from None


def _okp(members: Mapping[str, object]) -> ed25519.Ed25519PublicKey | ed448.Ed448PublicKey:
    curve, x = str(members["crv"]), _octets(members, "x")
    if len(x) != (32 if curve == "Ed25519" else 57):  # RFC 8032 §5.1.5, §5.2.5
        raise KeyRefused(KeyCode.MALFORMED, "x is not of the curve's size")
    weakness = edwards_weakness(curve, x)
    if weakness is not None:
        raise KeyRefused(KeyCode.WEAK, weakness)
    try:
        maker = ed25519.Ed25519PublicKey if curve == "Ed25519" else ed448.Ed448PublicKey
        return maker.from_public_bytes(x)
    except ValueError:
        raise KeyRefused(KeyCode.MALFORMED, "x is no point of the curve") from None


def _secret(members: Mapping[str, object], rows: list[Algorithm]) -> list[tuple[Algorithm, bytes]]:
    secret = _octets(members, "k")
    long_enough = [(row, secret) for row in rows if len(secret) >= row.secret_bytes]
    if not long_enough:
        raise KeyRefused(KeyCode.WEAK, "a shared secret shorter than the hash (RFC 7518 §3.2)")
    return long_enough
