"""The compact form of a signed token, `header.payload.signature` (RFC 7515 §3.1, §7.1), read in one way only.

Nothing in a header is ever followed: `jku`, `x5u`, `jwk` and `x5c` say where a key may be found or are one, and a token
must not bring its own key (RFC 8725 §3.10). They are left alone, as RFC 7515 §4 asks of members that are not
understood. `crit` names members that must be understood, and none is, so its presence is a refusal (§4.1.11).
The JSON forms of a JWS and encrypted tokens (five parts) are refused.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from narthex_plugins.auth.refusals import TokenCode, TokenRefused
from narthex_plugins.auth.strict import decode_base64url, parse_object

MAX_SIZE = 16 * 1024
TEXT_LENGTH = 512  # characters of alg, kid and typ; no key has a longer name


@dataclass(frozen=True, slots=True)
class Header:
    """What of a token's header is looked at.

    Attributes:
        algorithm: `alg`: a claim of the token, to be compared with the key, never a choice.
        kid: names the key, or None.
        type: `typ` as a media type in lower case without "application/" (RFC 7515 §4.1.9), or "" where it is missing.
    """

    algorithm: str
    kid: str | None
    type: str


@dataclass(frozen=True, slots=True)
class Compact:
    """A token taken apart; nothing about it is verified.

    Attributes:
        signed: the bytes the signature is over: the encoded header, a dot, the encoded payload.
        payload: the decoded payload.
        signature: the decoded signature, never empty.
    """

    header: Header
    signed: bytes
    payload: bytes
    signature: bytes = field(repr=False)


def parse_compact(token: str | bytes, max_size: int = MAX_SIZE) -> Compact:
    """Take a token apart.

    Args:
        token: ASCII text; no white space around it.
        max_size: bytes; a longer token is refused before anything is decoded.

    Raises:
        TokenRefused: `token_too_large`, `token_malformed`, `token_encrypted`, `token_critical`.
    Cost: a few microseconds; headers seen before are remembered by their bytes (the last 256).
    """
    encoded = _ascii(token, max_size)
    parts = encoded.split(b".", 5)
    if len(parts) != 3:
        if len(parts) == 5:
            raise TokenRefused(TokenCode.ENCRYPTED, "five parts: an encrypted token (RFC 7516)")
        raise TokenRefused(TokenCode.MALFORMED, "not three parts")
    header = _header(parts[0])
    try:
        payload, signature = decode_base64url(parts[1]), decode_base64url(parts[2])
    except ValueError as error:
        raise TokenRefused(TokenCode.MALFORMED, f"payload or signature: {error}") from None
    if not signature:
        raise TokenRefused(TokenCode.SIGNATURE, "the signature is empty")
    return Compact(header, encoded[: len(parts[0]) + 1 + len(parts[1])], payload, signature)


def _ascii(token: str | bytes, max_size: int) -> bytes:
    if not isinstance(token, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TokenRefused(TokenCode.MALFORMED, "neither text nor bytes")
    if len(token) > max_size:
        raise TokenRefused(TokenCode.TOO_LARGE, f"{len(token)} characters; at most {max_size} are read")
    if isinstance(token, bytes):
        return token
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        raise TokenRefused(TokenCode.MALFORMED, "characters that are not ASCII") from None


@lru_cache(maxsize=256)  # refusals are exceptions and are not kept
def _header(encoded: bytes) -> Header:
    try:
        members = parse_object(decode_base64url(encoded))
    except ValueError as error:
        raise TokenRefused(TokenCode.MALFORMED, f"header: {error}") from None
    if "crit" in members:
        raise TokenRefused(TokenCode.CRITICAL, "crit names extensions, and none is understood")
    if members.get("b64", True) is not True:
        raise TokenRefused(TokenCode.CRITICAL, "b64 without crit (RFC 7797 §6)")
    algorithm = members.get("alg")
    if not isinstance(algorithm, str):
        raise TokenRefused(TokenCode.MALFORMED, "header: alg is missing or not text")
    kid, typ = members.get("kid", ""), members.get("typ", "")
    if not isinstance(kid, str) or not isinstance(typ, str):
        raise TokenRefused(TokenCode.MALFORMED, "header: kid or typ is not text")
    if max(len(algorithm), len(kid), len(typ)) > TEXT_LENGTH:
        raise TokenRefused(TokenCode.MALFORMED, "header: alg, kid or typ is too long")
    return Header(algorithm, kid if "kid" in members else None, media_type(typ))


def media_type(typ: str) -> str:
    """Return a `typ` as it is compared: in lower case, without "application/" where nothing but that is left out."""
    lowered = typ.lower() if typ.isascii() else typ  # outside ASCII, other letters lower to these
    short = lowered.removeprefix("application/")
    return lowered if "/" in short else short
