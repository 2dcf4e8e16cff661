"""Access tokens: what ours say (RFC 9068), and who that makes the caller."""

import secrets
from collections.abc import Collection, Mapping
from typing import Final, cast

from narthex.identity import Identity
from narthex.services import Session
from narthex_plugins.auth.signing import SigningKey, sign
from narthex_plugins.auth.users import User

CLIENT: Final = "narthex"
"""`client_id` of our tokens, which RFC 9068 §2.2 requires: they are given to whoever logs in at our own endpoint."""
_TOLD: Final = frozenset(
    ("iss", "sub", "jti", "sid", "iat", "exp", "nbf", "auth_time", "amr", "roles", "permissions", "aud")
)


def access_token(
    user: User, session: Session, key: SigningKey, issuer: str, audience: str, now: float, lifetime: float
) -> tuple[str, int]:
    """Make a token for a session.

    Returns:
        The token, and the seconds it lives: never past the session's end.
    """
    issued = int(now)
    expires = min(issued + int(lifetime), int(session.expires))
    claims = {
        "iss": issuer,
        "sub": user.subject,
        "aud": audience,
        "exp": expires,
        "iat": issued,
        "jti": secrets.token_urlsafe(16),
        "client_id": CLIENT,
        "sid": session.id,
        "auth_time": int(session.created),
        "amr": list(session.methods),
        "roles": sorted(user.roles),
        "permissions": sorted(user.permissions),
    }
    return sign(claims, key), expires - issued


def identity_of_token(claims: Mapping[str, object], via: str) -> Identity:
    """Who the caller is by the claims of a verified token of ours."""
    return Identity(
        subject=str(claims["sub"]),
        issuer=str(claims["iss"]),
        roles=words(claims.get("roles")),
        permissions=words(claims.get("permissions")),
        token_id=_text(claims.get("jti")),
        session_id=_text(claims.get("sid")),
        issued_at=_number(claims.get("iat")),
        expires_at=_number(claims.get("exp")),
        auth_time=_number(claims.get("auth_time")),
        methods=tuple(sorted(words(claims.get("amr")))),
        via=via,
        claims={name: value for name, value in claims.items() if name not in _TOLD},
    )


def identity_of_session(user: User, session: Session, issuer: str, via: str) -> Identity:
    """Who the caller is by a session's cookie; roles and permissions as the user has them now."""
    return Identity(
        subject=user.subject,
        issuer=issuer,
        roles=user.roles,
        permissions=user.permissions,
        session_id=session.id,
        issued_at=session.created,
        expires_at=session.expires,
        auth_time=session.created,
        methods=session.methods,
        via=via,
    )


def words(value: object) -> frozenset[str]:
    """A claim that is a list of words; whatever else it is, is none."""
    if not isinstance(value, list | tuple):
        return frozenset()
    return frozenset(one for one in cast("Collection[object]", value) if isinstance(one, str))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None
