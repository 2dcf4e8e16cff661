"""What the endpoints and commands read and write."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from narthex.rehearsal import Asked, Rehearsal
from narthex.verdict import Allow, Answer, Deny, Verdict
from narthex_plugins.access.replay import Change
from narthex_plugins.access.settings import AccessSettings, is_grant, is_role


def claim_of(text: str) -> tuple[str, object]:
    """The claim that `name=value` states, its value JSON or a text.

    Raises:
        ValueError: it states none.
    """
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise ValueError("a claim is NAME=VALUE")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def grant_of(body: bytes) -> tuple[str, str]:
    """The role and the permission of a body.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        given: object = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", given) if isinstance(given, dict) else {}
    if set(fields) != {"role", "permission"} or not all(isinstance(value, str) for value in fields.values()):
        raise ValueError('write {"role": "engineer", "permission": "orders:*"}')
    return is_role(str(fields["role"])), is_grant(str(fields["permission"]))


def grants_document(settings: AccessSettings, stored: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """What each role may, by the file and by the store."""
    return {
        "file": {role: sorted(patterns) for role, patterns in settings.grants.items()},
        "store": {role: sorted(patterns) for role, patterns in stored.items()},
        "unlimited": sorted(settings.unlimited),
    }


def document(found: Rehearsal) -> dict[str, object]:
    """What would become of a request."""
    identity = found.identity
    return {
        "method": found.method,
        "path": found.target,
        "subject": None if identity is None else identity.subject,
        "roles": sorted(identity.roles) if identity else [],
        "open": found.plan.open,
        "known": found.known,
        "allowed": found.allowed,
        "by": found.by,
        "verdict": _verdict(found.verdict),
        "asked": [_asked(one) for one in found.asked],
    }


def _asked(one: Asked) -> dict[str, object]:
    step = one.step
    return {
        "stage": step.hook,
        "plugin": step.instance,
        "where": step.where,
        "verdict": _verdict(one.verdict),
        "note": one.note,
    }


def _verdict(given: Verdict | None) -> dict[str, object] | None:
    match given:
        case None:
            return None
        case Allow():
            return {"kind": "allow", "reason": given.reason, "rule": given.rule}
        case Deny():
            told = {"status": given.status, "code": given.code}
            return {"kind": "deny", **told, "reason": given.reason, "rule": given.rule}
        case Answer():
            return {"kind": "answer", "status": given.status}


def moment(text: str) -> float:
    """Seconds since the epoch of a time such as 2026-01-31 or 2026-01-31T12:00:00Z; UTC unless it says otherwise.

    Raises:
        ValueError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def change_document(change: Change) -> dict[str, object]:
    """A decision that other rules would have changed."""
    was, identity = change.was, change.was.identity
    return {
        "record": was.record,
        "time": _time(was.at),
        "method": was.method,
        "path": was.path,
        "subject": None if identity is None else identity.subject,
        "roles": sorted(identity.roles) if identity else [],
        "was": {"allowed": was.allowed, "code": was.code},
        "now": _verdict(change.now),
        "why": change.why,
    }


def change_line(change: Change) -> str:
    """The same on one line."""
    was, identity = change.was, change.was.identity
    who = "anonymous" if identity is None else f"{identity.subject} [{', '.join(sorted(identity.roles))}]"
    before = "allowed" if was.allowed else was.code
    after = "unknown" if change.now is None else "allowed" if isinstance(change.now, Allow) else change.now.code
    line = f"{_time(was.at)}  {who}  {was.method} {was.path}  {before} -> {after}: {change.why}"
    return "".join(one if one.isprintable() else "?" for one in line)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
