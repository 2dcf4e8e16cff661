"""Strict base64url and strict JSON: one reading of every text, or none.

Where two parsers read one text differently, an attacker writes what the first accepts and the second obeys. So
base64url is taken only in its one canonical form (RFC 7515 §2: no padding, no line breaks, no stray bits) and JSON only
where every reader agrees (RFC 8725 §2.6, RFC 8259 §4): UTF-8, no name twice, no NaN, no number beyond a double, no lone
surrogate, bounded depth. Everything here raises ValueError.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import NoReturn, TypeGuard

DEPTH = 32  # of arrays and objects in one another; a token is a flat thing


def decode_base64url(text: bytes) -> bytes:
    """Decode the canonical base64url form of some bytes, and refuse every other spelling of them.

    Raises:
        ValueError: padding, white space, characters outside the alphabet, an impossible length, or bits left over.
    """
    try:
        decoded = urlsafe_b64decode(text + b"==")
    except Base64Error:
        raise ValueError("not base64url") from None
    # The decoder skips what it does not know; encoding again shows whether anything was skipped or left over.
    if encode_base64url(decoded) != text:
        raise ValueError("not the canonical base64url form")
    return decoded


def encode_base64url(data: bytes) -> bytes:
    """Encode bytes as base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def parse_object(data: bytes) -> dict[str, object]:
    """Read a JSON object that has one meaning.

    Raises:
        ValueError: not UTF-8, not JSON, not an object, a name twice in one object, NaN or Infinity, a number that no
            double can hold, a lone surrogate, deeper than `DEPTH`.
    """
    text = data.decode("utf-8")  # json.loads would guess UTF-16 and UTF-32 from the bytes
    try:
        parsed: object = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not is_object(parsed):
        raise ValueError("not a JSON object")
    if text.count("{") + text.count("[") > DEPTH:
        _check_depth(parsed, DEPTH)
    if "\\u" in text:
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # a lone surrogate cannot be encoded
    return parsed


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Say whether a value out of JSON is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Say whether a value out of JSON is an array."""
    return isinstance(value, list)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError("a number is out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_depth(value: object, left: int) -> None:
    if not is_object(value) and not is_list(value):
        return
    if left == 0:
        raise ValueError("nested too deep")
    for inner in value.values() if is_object(value) else value:
        _check_depth(inner, left - 1)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
