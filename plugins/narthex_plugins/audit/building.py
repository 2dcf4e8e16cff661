"""From what was taken down to records; in the background, where time is no matter of a request's.

Secrets are taken out here, before anything is written: what a caller puts into a path, a query or the wrong field of a
form must not rest in a log that nobody may change. What was typed as a name at a login that failed is left out: people
type passwords there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, cast

from narthex import Allow, Deny, Identity
from narthex.detectors import MASK, Redactor, Weight
from narthex.events import Event
from narthex.votes import NOT_ALLOWED, UNKNOWN
from narthex_plugins.audit.record import (
    DETAILS,
    INTENT,
    SAFE,
    Record,
    RecordError,
    make,
    mended,
    new_id,
    printable,
    timestamp,
)
from narthex_plugins.audit.recording import CUT, Heard, Note, Said, Seen

_LONGEST: Final = 2048
_METHOD: Final = 32
_DEPTH: Final = 3
_WORD, _WORDS = 200, 40
"""Characters of a role or permission, and how many of them: with the rest, less than details may have."""
_CONTEXT: Final = frozenset({"subject", "client", "session_id", "exchange_id", "reason"})
"""Fields of events that have a place of their own in a record."""
_MISTYPED: Final = "auth.login_failed"
_FAILED: Final = ("failed", "reused", "refused")


class Builder:
    """Makes records.

    Args:
        claims: names of the claims that are kept.
    """

    def __init__(self, claims: Collection[str] = ()) -> None:
        self._claims = tuple(claims)
        self._redactor = Redactor()
        self._clean = lru_cache(4096)(self._redacted)

    def record(self, note: Note) -> Record:
        """The record of what was taken down. Never raises: what cannot be written as it is, is written without."""
        make_it = self._of_request if isinstance(note, Seen) else self._of_event if isinstance(note, Heard) else _of_app
        try:
            return make_it(note)  # type: ignore[arg-type]  # each is asked for its own kind
        except RecordError as error:
            return _bare(note, error)

    def _of_request(self, seen: Seen) -> Record:
        """Most records are of requests, so this one is made without `make`, which checks what is known here."""
        event, verdict, method = seen.event, seen.verdict, printable(seen.method[:_METHOD]).upper()
        outcome, reason = _outcome(seen)
        details: dict[str, Any] = {"method": method}
        if seen.identity is not None:
            details |= self._who(seen.identity)
        if seen.status is not None and not seen.intent:
            details["status"] = seen.status
        if seen.query:
            details["query"] = self._clean(f"?{seen.query}"[:_LONGEST])[1:]
        if type(verdict) is Allow or type(verdict) is Deny:
            if type(verdict) is Deny:  # why it was allowed is in `rule`, and says nothing of what came of it
                reason = reason or verdict.reason
            details |= self._verdict(verdict, seen)
        if seen.error is not None:
            details["error"] = printable(seen.error.__qualname__)
        actor, session = _actor(seen.identity)
        action = "websocket" if method == "WEBSOCKET" else f"http.{method}"
        if event is not None:
            action = event.topic
            details["event"] = self._facts(event)
            actor = actor or getattr(event, "subject", None)
            session = session or getattr(event, "session_id", None)
        return Record(
            id=new_id(seen.at),
            time=timestamp(seen.at),
            action=mended("action", action),
            outcome=outcome,
            actor=None if actor is None else mended("actor", actor),
            session=None if session is None else mended("session", session),
            address=None if seen.address is None else mended("address", seen.address),
            resource=self._clean(seen.path[:_LONGEST]),
            reason=mended("reason", self._clean(reason)) if reason else "",
            request_id=self._id(seen.request_id),
            trace_id=seen.trace_id,
            details=details,
        )

    def _of_event(self, heard: Heard) -> Record:
        event = heard.event
        actor, session = _actor(heard.identity)
        by = getattr(event, "by", None)
        subject = getattr(event, "subject", None)
        return make(
            heard.at,
            event.topic,
            "failed" if event.topic.endswith(_FAILED) else "success",
            actor=actor or by or (subject if event.topic.startswith("auth.log") else None),
            session=session or getattr(event, "session_id", None),
            address=heard.address or getattr(event, "client", None),
            resource=_resource(event),
            reason=self._clean(str(getattr(event, "reason", "") or "")),
            request_id=self._id(heard.request_id or getattr(event, "exchange_id", None)),
            trace_id=heard.trace_id,
            details=self._facts(event),
        )

    def _who(self, identity: Identity) -> dict[str, Any]:
        """What rules would judge the caller by."""
        who: dict[str, Any] = {"roles": _words(identity.roles)}
        if identity.permissions:
            who["permissions"] = _words(identity.permissions)
        if identity.issuer:
            who["issuer"] = printable(identity.issuer[:_LONGEST])
        if identity.via:
            who["via"] = printable(identity.via)
        if self._claims:
            who["claims"] = {name: _plain(identity.claims[name]) for name in self._claims if name in identity.claims}
            who["claims_kept"] = sorted(self._claims)
        return who

    def _verdict(self, verdict: Allow | Deny, seen: Seen) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if verdict.rule:
            told["rule"] = self._clean(verdict.rule)
        if isinstance(verdict, Deny):
            told["code"] = verdict.code
            told["plugin"] = "core" if seen.step is None else seen.step.instance
        decision = _decision(verdict, seen)
        if decision:
            told["decision"] = decision
        return told

    def _facts(self, event: Event) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for one in fields(event):
            name, value = one.name, getattr(event, one.name)
            if name in _CONTEXT or value is None or (name == "name" and event.topic == _MISTYPED):
                continue
            if self._redactor.names.weight(name) > Weight.MAYBE:
                value = MASK
            facts[name] = self._clean(value[:_LONGEST]) if isinstance(value, str) else _plain(value)
        return facts

    def _id(self, given: str | None) -> str | None:
        """A caller may have sent a token as the request's id, by mistake; ids made at random are none."""
        if given is None or len(given) < 20 or len(given) in (32, 36):
            return given
        return self._clean(given)

    def _redacted(self, text: str) -> str:
        return printable(self._redactor.text(text))[:_LONGEST]


@lru_cache(1024)
def _words(words: frozenset[str]) -> list[str]:
    """Roles or permissions, in order; those of a token that has a thousand are cut."""
    return [printable(word[:_WORD]) for word in sorted(words)[:_WORDS]]


def _outcome(seen: Seen) -> tuple[str, str]:
    """What came of it, and why where the verdict does not say."""
    if seen.intent:
        return INTENT, ""
    if seen.cut:
        return "failed", CUT
    if isinstance(seen.verdict, Deny):
        return "refused", ""
    if seen.status is None:
        return "failed", "no answer was begun" if seen.error is None else ""
    return "success" if seen.status < 400 and seen.error is None else "failed", ""


def _decision(verdict: Allow | Deny, seen: Seen) -> str:
    """What the policies said; "" where they were not asked, or could not say."""
    if not seen.ruled:
        return ""
    if isinstance(verdict, Allow):
        return "allow"
    if verdict is NOT_ALLOWED or verdict is UNKNOWN:
        return "deny"
    by_policy = seen.step is not None and seen.step.hook == "authorize" and verdict.status < 500
    return "deny" if by_policy else ""


def _actor(identity: Identity | None) -> tuple[str | None, str | None]:
    return (None, None) if identity is None else (identity.subject, identity.session_id)


def _resource(event: Event) -> str | None:
    """What it happened to."""
    for name in ("token_id", "session_id", "subject", "kid", "name", "plugin", "key"):
        value = getattr(event, name, None)
        if isinstance(value, str) and value:
            return value
    return None


def _of_app(said: Said) -> Record:
    actor, session = _actor(said.identity)
    words = said.words
    return make(
        said.at,
        words.action,
        words.outcome,
        actor=words.actor or actor,
        session=session,
        address=said.address,
        resource=words.resource,
        reason=words.reason,
        request_id=said.request_id,
        trace_id=said.trace_id,
        before=words.before,
        after=words.after,
        details=words.details,
    )


def _bare(note: Note, error: RecordError) -> Record:
    """The record without its details: they cannot be written, and the record must be."""
    identity = note.identity
    action = note.event.topic if isinstance(note, Heard) else note.words.action if isinstance(note, Said) else "http"
    outcome = (
        _outcome(note)[0] if isinstance(note, Seen) else note.words.outcome if isinstance(note, Said) else "success"
    )
    actor, session = _actor(identity)
    return make(
        note.at,
        action,
        outcome,
        actor=actor,
        session=session,
        address=note.address,
        request_id=note.request_id,
        trace_id=note.trace_id,
        details={"left_out": str(error)[: DETAILS // 8]},
    )


def _plain(value: object, depth: int = 0) -> Any:
    """A value as JSON can say it, whatever it is."""
    match value:
        case None | bool():
            found: Any = value
        case str():
            found = printable(value[:_LONGEST])
        case int():
            found = value if -SAFE <= value <= SAFE else str(value)
        case float():
            found = int(value) if value.is_integer() and abs(value) < SAFE else repr(value)
        case Mapping() if depth < _DEPTH:
            table = cast("Mapping[object, object]", value)
            found = {printable(str(key)): _plain(one, depth + 1) for key, one in list(table.items())[:_WORDS]}
        case list() | tuple() if depth < _DEPTH:
            found = [_plain(one, depth + 1) for one in cast("Sequence[object]", value)[:_WORDS]]
        case set() | frozenset() if depth < _DEPTH:
            found = sorted((_plain(one, depth + 1) for one in cast("Collection[object]", value)), key=str)[:_WORDS]
        case _:
            found = printable(str(value)[:_LONGEST])
    return found
