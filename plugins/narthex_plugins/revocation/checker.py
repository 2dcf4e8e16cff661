"""The decision: is what this caller shows still good? Plain values in, a verdict out; time is an argument."""

from typing import Final, assert_never

from narthex.identity import Identity
from narthex.verdict import Deny
from narthex_plugins.revocation.entries import SKEW, Entries, Kind
from narthex_plugins.revocation.lease import Lease


def _refused(code: str, reason: str) -> Deny:
    """A refusal with the challenge of RFC 6750 §3."""
    challenge = f'Bearer error="invalid_token", error_description="{code}"'
    return Deny(401, code, reason, headers=((b"www-authenticate", challenge.encode()),))


TOKEN: Final = _refused("token_revoked", "its jti is on the list")
SESSION: Final = _refused("session_revoked", "its session is on the list")
SUBJECT: Final = _refused("subject_revoked", "it was issued before its subject was cut off")
ISSUER: Final = _refused("issued_before_cut", "it was issued before everything of its issuer was cut off")
TOO_OLD: Final = _refused("token_too_old", "it was issued longer ago, or lives longer, than `longest` says")
STALE: Final = Deny(503, "revocation_list_stale", "the list could not be looked at within its lease", retry_after=1)


class Checker:
    """Judges by the list in memory.

    Args:
        entries: the list.
        lease: how old it is.
        longest: seconds a token or session lives at most.
    """

    __slots__ = ("_entries", "_find", "_lease", "_reach")

    def __init__(self, entries: Entries, lease: Lease, longest: float) -> None:
        self._entries = entries
        self._find = entries.find
        self._lease = lease
        self._reach = longest + SKEW

    def current(self, boottime: float, now: float, mark: int) -> bool:
        """Whether the list may be gone by as it is; else it has to be looked at first.

        Args:
            boottime: `clock.boottime()`, read for this check; it counts sleep.
            now: `clock.now()`; where it was set back, what was forgotten may matter again.
            mark: the link's.
        """
        lease = self._lease  # `Lease.holds`, here: one call less for every request
        return lease.began <= boottime < lease.until and mark == lease.mark and now >= self._entries.horizon

    def judge(self, identity: Identity, now: float) -> Deny | None:
        """Refuse what was revoked, by a list that is current.

        Args:
            identity: `token_id` is the `jti` claim, compared literally together with the issuer.
            now: seconds since the epoch.

        Returns:
            None if nothing is known against it; else a Deny of status 401: "token_revoked", "session_revoked",
            "subject_revoked", "issued_before_cut", or "token_too_old" where the list does not go back so far.
        Cost: up to four look-ups.
        Source: RFC 7519 §4.1.7; RFC 7009 §2.
        """
        found = self._find(identity)
        if found is not None:
            return verdict(found)
        issued, expires = identity.issued_at, identity.expires_at
        if issued is None:  # all that is known of its age is that it is younger than its longest life
            return TOO_OLD if expires is not None and expires > now + self._reach else None
        return TOO_OLD if issued < now - self._reach else None


def verdict(found: Kind) -> Deny:
    """The refusal for an entry that covers the caller."""
    match found:
        case "token":
            return TOKEN
        case "session":
            return SESSION
        case "subject":
            return SUBJECT
        case "issuer":
            return ISSUER
    assert_never(found)
