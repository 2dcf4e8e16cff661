"""Why a token or a key is refused: the codes, which are stable, and the two exceptions that carry them.

A code says what was wrong in a word that may be shown to the caller and counted in a metric; the detail beside it is
for the operator's log and may quote the token's header, never its signature. docs/reference/tokens.md explains each.
"""

from enum import StrEnum
from typing import Self


class TokenCode(StrEnum):
    """What was wrong with a token."""

    TOO_LARGE = "token_too_large"
    MALFORMED = "token_malformed"
    ENCRYPTED = "token_encrypted"
    CRITICAL = "token_critical"
    ALGORITHM = "token_algorithm"
    KEY_UNKNOWN = "token_key_unknown"
    KEY_AMBIGUOUS = "token_key_ambiguous"
    SIGNATURE = "token_signature"
    TYPE = "token_type"
    CLAIM_MISSING = "token_claim_missing"
    CLAIM_INVALID = "token_claim_invalid"
    ISSUER = "token_issuer"
    AUDIENCE = "token_audience"
    EXPIRED = "token_expired"
    NOT_YET_VALID = "token_not_yet_valid"


class KeyCode(StrEnum):
    """What was wrong with a key, or a set of keys."""

    MALFORMED = "key_malformed"
    TYPE = "key_type"
    USE = "key_use"
    ALGORITHM = "key_algorithm"
    PRIVATE = "key_private"
    WEAK = "key_weak"
    SET_MALFORMED = "key_set_malformed"
    SET_MIXED = "key_set_mixed"


class TokenRefused(Exception):
    """A token was refused.

    Attributes:
        code: a stable word out of `TokenCode`; it is a str.
        detail: for the operator; may quote the token's header or claims, so it is not for the caller.
    """

    def __init__(self, code: TokenCode, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class KeyRefused(Exception):
    """A key, or a whole set of keys, was refused.

    Attributes:
        code: a stable word out of `KeyCode`; it is a str.
        detail: for the operator; names members of the key, never their values.
        kid: the key's own identifier, where it has one that can be read.
    """

    def __init__(self, code: KeyCode, detail: str = "", *, kid: str | None = None) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.kid = kid

    def of(self, kid: str | None) -> Self:
        """Return this refusal, naming the key it is about."""
        self.kid = kid
        return self

    def __str__(self) -> str:
        about = f" (kid {self.kid!r})" if self.kid is not None else ""
        return f"{self.code}: {self.detail}{about}" if self.detail else f"{self.code}{about}"
