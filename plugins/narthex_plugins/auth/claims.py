"""What a token's claims have to be: RFC 7519 §4.1, RFC 9068 §2.2 and §4, OWASP ASVS 5.0 V9.2.

Types are checked for every registered claim that is present, asked for or not: a claim of the wrong type is a sign of a
token made by something else, and code behind this line may rely on what it reads.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from narthex_plugins.auth.compact import MAX_SIZE
from narthex_plugins.auth.refusals import TokenCode, TokenRefused
from narthex_plugins.auth.strict import is_list, parse_object

TEXT_LENGTH = 255  # characters; OpenID Connect Core §2 sets it for sub
_LATEST = 253402300799  # the last second of the year 9999, the latest that datetime can say
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TEXTS = ("sub", "jti", "client_id", "azp", "sid", "scope", "acr")
_DATES = ("exp", "nbf", "iat", "auth_time")


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a verifier expects of a token. `exp`, `iss` and the audience are always checked.

    Attributes:
        issuer: `iss`, compared character for character.
        audiences: one of these has to be in `aud`; where empty, a token that names any audience is refused.
        algorithms: the names permitted, a subset of RS256, RS384, RS512, PS256, ..., ES256, ..., EdDSA, ...
        leeway: seconds by which clocks may differ; 0 or more.
        max_size: bytes of the longest token that is looked at.
        types: `typ` values, in lower case without "application/"; "" stands for a token without `typ`.
        required: claims that have to be there, beside `iss`, `exp` and the audience.
        says: claims that have to be one of these texts.
    """

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str] = frozenset({"RS256", "ES256", "EdDSA"})
    leeway: float = 0.0
    max_size: int = MAX_SIZE
    types: frozenset[str] = frozenset({"at+jwt"})
    required: frozenset[str] = frozenset({"sub", "iat", "jti"})
    says: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])


def verify_claims(payload: bytes, expected: Expectations, now: float) -> Mapping[str, object]:
    """Check the claims of a token whose signature holds, and return them.

    Args:
        payload: the signed bytes; a JSON object.
        expected: what the claims have to say.
        now: seconds since 1970, UTC.

    Raises:
        TokenRefused: `token_malformed`, `token_claim_missing`, `token_claim_invalid`, `token_issuer`,
            `token_audience`, `token_expired` (from the very second of `exp`, plus leeway), `token_not_yet_valid`
            (before `nbf`, or issued in the future).
    """
    claims = claims_of(payload)
    for name in expected.required:
        if name not in claims:
            raise TokenRefused(TokenCode.CLAIM_MISSING, name)
    for name in _TEXTS:
        if name in claims:
            _check_text(name, claims[name])
    for name, wanted in expected.says.items():
        if name not in claims:
            raise TokenRefused(TokenCode.CLAIM_MISSING, name)
        if not isinstance(value := claims[name], str) or value not in wanted:
            raise TokenRefused(TokenCode.CLAIM_INVALID, f"{name} is not {' or '.join(wanted)}")
    _check_issuer(claims, expected.issuer)
    _check_audience(claims, expected.audiences)
    _check_times(claims, expected.leeway, now)
    return claims


def claims_of(payload: bytes) -> dict[str, object]:
    """Read a payload as claims, checking nothing but that it is an object with one meaning.

    Raises:
        TokenRefused: `token_malformed`.
    """
    try:
        return parse_object(payload)
    except ValueError as error:
        raise TokenRefused(TokenCode.MALFORMED, f"payload: {error}") from None


def _check_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TokenRefused(TokenCode.CLAIM_INVALID, f"{name} is not text")
    # A scope lists what is granted and may be long; the others are names. The token's size bounds both.
    if not value or (len(value) > TEXT_LENGTH and name != "scope") or _CONTROL.search(value):
        raise TokenRefused(TokenCode.CLAIM_INVALID, f"{name} is empty, too long, or holds control characters")
    if name == "jti" and not value.isascii():
        raise TokenRefused(TokenCode.CLAIM_INVALID, "jti is not ASCII")
    return value


def _check_issuer(claims: Mapping[str, object], issuer: str) -> None:
    if "iss" not in claims:
        raise TokenRefused(TokenCode.CLAIM_MISSING, "iss")
    if not isinstance(claims["iss"], str):
        raise TokenRefused(TokenCode.CLAIM_INVALID, "iss is not text")
    if claims["iss"] != issuer:
        raise TokenRefused(TokenCode.ISSUER, f"issued by {claims['iss'][:TEXT_LENGTH]!r}")


def _check_audience(claims: Mapping[str, object], audiences: frozenset[str]) -> None:
    if "aud" not in claims:
        if audiences:
            raise TokenRefused(TokenCode.CLAIM_MISSING, "aud")
        return
    value = claims["aud"]
    meant = value if is_list(value) else [value]
    if not meant or not all(isinstance(one, str) for one in meant):
        raise TokenRefused(TokenCode.CLAIM_INVALID, "aud is neither text nor a list of text")
    if audiences.isdisjoint(meant):
        raise TokenRefused(TokenCode.AUDIENCE, "for another audience")


def _check_times(claims: Mapping[str, object], leeway: float, now: float) -> None:
    if "exp" not in claims:
        raise TokenRefused(TokenCode.CLAIM_MISSING, "exp")
    times = {name: _date(name, claims[name]) for name in _DATES if name in claims}
    if now >= times["exp"] + leeway:
        raise TokenRefused(TokenCode.EXPIRED, f"at {times['exp']}")
    for name in ("nbf", "iat", "auth_time"):
        if times.get(name, 0) > now + leeway:
            raise TokenRefused(TokenCode.NOT_YET_VALID, f"{name} is {times[name]}")


def _date(name: str, value: object) -> float:
    """Return a NumericDate (RFC 7519 §2): a JSON number of seconds, whole or not, within the years 1970 to 9999."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:  # false for NaN too
        raise TokenRefused(TokenCode.CLAIM_INVALID, f"{name} is not a NumericDate")
    return value
