"""Checksums that issuers put into what they issue: a token that was made up fails them."""

import hashlib
import json
import re
import zlib
from base64 import urlsafe_b64decode
from typing import Any, Final

from narthex.detectors.kinds.plausible import is_published

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_DOUBLED: Final = 4  # bytes of the double SHA-256 at the end of base58check


def base62(number: int) -> str:
    """Six digits of base 62, as GitHub and npm write a CRC32."""
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def ends_in_crc32(token: str) -> bool:
    """GitHub and npm: behind the prefix 30 characters, and their CRC32 in six digits of base 62.

    Source: GitHub's engineering blog, "Behind GitHub's new authentication token formats".
    """
    body = token.rpartition("_")[2]
    return base62(zlib.crc32(body[:-6].encode())) == body[-6:]


def grafana_crc32(token: str) -> bool:
    """Grafana: all before the last underscore, its CRC32 in eight hex digits, lowest byte first."""
    body, _, told = token.rpartition("_")
    return zlib.crc32(body.encode()).to_bytes(4, "little").hex() == told


def bech32(text: str) -> bool:
    """Bitcoin's BIP 173: the prefix, a 1, and data whose last six characters are the checksum."""
    text = text.lower()
    prefix, _, data = text.rpartition("1")
    if not prefix or any(character not in _BECH32 for character in data):
        return False
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + [_BECH32.index(c) for c in data]
    return polymod(values) == 1


def polymod(values: list[int]) -> int:
    """The remainder that BIP 173 defines."""
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit in range(5):
            checksum ^= _GENERATOR[bit] if top >> bit & 1 else 0
    return checksum


def base58check(text: str) -> bool:
    """Bitcoin's base58check: the last four bytes are the beginning of the double SHA-256 of the others."""
    number = 0
    for character in text:
        place = _BASE58.find(character)
        if place < 0:
            return False
        number = number * 58 + place
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    digest = hashlib.sha256(hashlib.sha256(data[:-_DOUBLED]).digest()).digest()
    return len(data) > _DOUBLED and digest[:_DOUBLED] == data[-_DOUBLED:]


def segment(part: str) -> Any:
    """The JSON within a part of a JWT; None where there is none."""
    try:
        return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None


def is_jwt(token: str) -> bool:
    """RFC 7519: header and claims are JSON objects, the header names an algorithm, and it is not "none"."""
    parts = token.split(".")
    header: dict[str, object] | None = segment(parts[0])
    if is_published(parts[-1]):
        return False
    if not isinstance(header, dict) or len(parts) not in (3, 5) or not parts[2]:
        return False
    if len(parts) == 5:
        return "alg" in header and "enc" in header
    return str(header.get("alg", "none")).lower() != "none" and isinstance(segment(parts[1]), dict)


def has_snowflake(token: str) -> bool:
    """Discord: the first part is the base64 of a decimal number, the bot's id."""
    try:
        number = urlsafe_b64decode(token.partition(".")[0] + "==").decode("ascii")
    except ValueError:
        return False
    return re.fullmatch(r"[0-9]{17,20}", number) is not None


def opens_as_json(token: str) -> bool:
    """Behind the prefix, the base64 of JSON."""
    body = re.sub(r"^[a-z]+_", "", token).partition("_")[0]
    return b"{" in urlsafe_b64decode(body[:16].replace("+", "-").replace("/", "_"))[:2]
