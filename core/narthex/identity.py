"""Who is asking, as an identifier found it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from types import MappingProxyType

_NO_CLAIMS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An authenticated caller. Frozen, so that one verified value can be shared by many requests.

    Attributes:
        subject: who, unique within `issuer` (RFC 7519 §4.1.2).
        issuer: who says so (RFC 7519 §4.1.1), or "".
        roles: role names, compared literally; their order is the access plugin's business.
        permissions: `resource:action` words.
        token_id: `jti` (RFC 7519 §4.1.7), or None where there is no token.
        session_id: the session the token belongs to, or None.
        issued_at: `iat`, seconds since the epoch, or None.
        expires_at: `exp`, seconds since the epoch, or None; a long-lived exchange ends then.
        auth_time: when the person last proved who they are, seconds since the epoch, or None.
        methods: `amr` words (RFC 8176), e.g. "pwd", "otp".
        via: how the credential came: "header", "cookie", "websocket", or an identifier's own word.
        claims: everything else the issuer said, read-only.
    """

    subject: str
    issuer: str = ""
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    token_id: str | None = None
    session_id: str | None = None
    issued_at: float | None = None
    expires_at: float | None = None
    auth_time: float | None = None
    methods: tuple[str, ...] = ()
    via: str = ""
    claims: Mapping[str, object] = field(default_factory=lambda: _NO_CLAIMS, hash=False)

    def __post_init__(self) -> None:
        """Take any iterable of words, so that an identifier may pass the list it decoded."""
        set_field = object.__setattr__
        if not self.subject:
            raise ValueError("an Identity needs a subject; an anonymous caller is None")
        if not _is_text(self.subject):
            raise TypeError("Identity.subject is a str")
        if self.expires_at is not None and isnan(self.expires_at):
            raise ValueError("Identity.expires_at is no time")  # JSON knows NaN, and a timer for it never comes
        for name in ("roles", "permissions"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise TypeError(f"Identity.{name} is a set of words, not one str")
            if type(value) is not frozenset:
                set_field(self, name, frozenset(value))
            if not all(map(_is_text, getattr(self, name))):
                raise TypeError(f"Identity.{name} is a set of words")
        if type(self.methods) is not tuple:
            set_field(self, "methods", tuple(self.methods))
        if type(self.claims) is not MappingProxyType:
            set_field(self, "claims", MappingProxyType(dict(self.claims)))


def _is_text(given: object) -> bool:
    """Annotations bind nobody at run time."""
    return isinstance(given, str)
