"""The list in memory: what was revoked and may still be shown by somebody.

Four kinds of entry answer four questions about an identity: was this token revoked, was its session, was it issued
before its subject was cut off, was it issued before everything of its issuer was. The first two are names; the other
two are cuts, a point in time before which nothing is good. Times are whole seconds since the epoch, rounded so that an
entry covers a second too much and never one too little: `iat` and `exp` are whole seconds as well.

An entry goes when the last token it covers has expired. A clock can be set back, though, and then that token is good
again; so the list remembers up to when it has forgotten, and before that time it is not to be asked (`horizon`).

Memory: a name of 22 characters and its time take 143 bytes with a million entries; see benchmarks/revocations.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor
from typing import Final, Literal

from narthex.identity import Identity

Kind = Literal["token", "session", "subject", "issuer"]
KINDS: Final[tuple[Kind, ...]] = ("token", "session", "subject", "issuer")
EVERY: Final = "*"
"""In place of an issuer: all of them. Only for kind "issuer"."""

SKEW: Final = 300
"""Seconds after `exp` for which a token may still be taken: the largest leeway of the plugin auth."""
SLACK: Final = 300
"""Seconds for which an entry stays after that, so that a clock set back by less needs no new list."""
_BUCKET: Final = 60
_AT_ONCE: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One entry of the log. Times are seconds since the epoch.

    Attributes:
        version: its place in the log.
        kind: what `name` is; "issuer" has no name.
        name: `jti`, session id or subject, compared literally.
        issuer: whose; EVERY for all, with kind "issuer".
        cut: of a subject or issuer: what was issued before is refused; None for a name.
        expires: of a token; None for the others.
        at, by, reason: when, by whom (None: unknown) and why.
    """

    version: int
    kind: Kind
    name: str
    issuer: str
    cut: float | None
    expires: float | None
    at: float
    by: str | None
    reason: str


class Times:
    """Names and their times, the greatest of each; found by name, dropped by time.

    Attributes:
        times: the names themselves, for looking up.
    """

    __slots__ = ("_due", "_keep", "times")

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self.times: dict[str, int] = {}
        self._due: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return len(self.times)

    def add(self, name: str, time: int) -> None:
        """Remember until `keep` seconds after `time`."""
        if time <= self.times.get(name, -1):
            return
        self.times[name] = time
        self._due.setdefault(-(-(time + self._keep) // _BUCKET), []).append(name)

    def drop(self, until: int, most: int) -> int:
        """Forget up to `most` names whose time is over at `until`; how many were looked at."""
        looked = 0
        for bucket in sorted(one for one in self._due if one * _BUCKET <= until):
            names = self._due[bucket]
            while names and looked < most:
                name = names.pop()
                looked += 1
                time = self.times.get(name)
                if time is not None and time + self._keep <= until:  # else it was revoked again, for longer
                    del self.times[name]
            if names:
                break
            del self._due[bucket]
        if not self.times:
            self.times, self._due = {}, {}  # a dict that was emptied keeps its size
        return looked


class Entries:
    """All entries, by kind and issuer.

    Args:
        longest: seconds a token or session lives at most.

    Attributes:
        horizon: seconds since the epoch; by a clock that shows less, something may be missing here.
    """

    def __init__(self, longest: float) -> None:
        self._longest = ceil(longest)
        self.clear()

    def clear(self, now: float = float("inf")) -> None:
        """Begin anew; what is not needed at `now` will not be given."""
        self._tokens: dict[str, Times] = {}
        self._sessions: dict[str, Times] = {}
        self._subjects: dict[str, Times] = {}
        self._cuts: dict[str, int] = {}
        self.horizon = float("-inf") if now == float("inf") else float(floor(now) - SLACK)

    def __len__(self) -> int:
        tables = (*self._tokens.values(), *self._sessions.values(), *self._subjects.values())
        return sum(map(len, tables)) + len(self._cuts)

    def add(self, rows: Iterable[Revocation]) -> None:
        """Take up what was revoked. Cost: about 1 µs each."""
        for one in rows:
            match one.kind:
                case "token":
                    until = one.at + self._longest if one.expires is None else one.expires
                    self._of(self._tokens, one.issuer, 0).add(one.name, ceil(until))
                case "session":
                    self._of(self._sessions, one.issuer, self._longest).add(one.name, ceil(one.at))
                case "subject":
                    cut = ceil(one.at if one.cut is None else one.cut)
                    self._of(self._subjects, one.issuer, self._longest).add(one.name, cut)
                case "issuer":
                    cut = ceil(one.at if one.cut is None else one.cut)
                    self._cuts[one.issuer] = max(cut, self._cuts.get(one.issuer, cut))

    def drop(self, now: float) -> bool:
        """Forget what covers nothing any more, some thousand at most; whether there may be more."""
        until = floor(now) - SKEW - SLACK
        looked = 0
        for table in (self._tokens, self._sessions, self._subjects):
            for issuer in list(table):
                looked += table[issuer].drop(until, _AT_ONCE - looked)
                if not table[issuer]:
                    del table[issuer]
        if looked:
            self.horizon = max(self.horizon, float(until + SKEW))
        return looked >= _AT_ONCE

    def find(self, identity: Identity) -> Kind | None:
        """Which entry covers an identity, if any. Cost: up to four look-ups, whatever the number of entries.

        An identity that does not say when it was issued was issued before any cut.
        """
        issuer = identity.issuer
        tokens = self._tokens.get(issuer)
        if tokens is not None and identity.token_id in tokens.times:
            return "token"
        sessions = self._sessions.get(issuer)
        if sessions is not None and identity.session_id in sessions.times:
            return "session"
        subjects = self._subjects.get(issuer)
        if subjects is not None:
            cut = subjects.times.get(identity.subject)
            if cut is not None and (identity.issued_at is None or identity.issued_at < cut):
                return "subject"
        if self._cuts:
            cut = max(self._cuts.get(issuer, 0), self._cuts.get(EVERY, 0))
            if cut and (identity.issued_at is None or identity.issued_at < cut):
                return "issuer"
        return None

    @staticmethod
    def _of(table: dict[str, Times], issuer: str, keep: int) -> Times:
        found = table.get(issuer)
        if found is None:
            found = table[issuer] = Times(keep)
        return found
