"""What must hold once a case is over, whatever it was made of."""

import asyncio
import json
import re
from typing import Any, Final

from narthex import Deny
from narthex.asgi import Message, Scope
from tests.fuzz.play import SECRET, TAG, Play

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


def judge(play: Play, before: Scope) -> list[str]:
    """Everything the house did wrong; `before` is a copy of the caller's scope from before the case."""
    faults = play.faults
    _ending(play, faults)
    _observers(play, faults)
    _scope(play, before, faults)
    _fields(play, faults)
    _refusal(play, faults)
    if play.calm:
        _calm(play, faults)
    if len(play.live):
        faults.append("an exchange is still registered as live")
    if any(not task.done() for task in play.loop.created):
        faults.append(f"tasks left: {[task.get_name() for task in play.loop.created if not task.done()]}")
    faults += play.loop.faults
    return faults


def _ending(play: Play, faults: list[str]) -> None:
    """No exception leaves but the app's, the server's or a cancellation; and none of the app's is lost."""
    task = play.task
    if task is None or not task.done():
        return
    if task.cancelled():
        own = any(isinstance(error, asyncio.CancelledError) for error in play.raised)
        if not play.cancels and not own:
            faults.append("cancelled by nobody")
        return
    error = task.exception()
    if error is not None:
        allowed = play.may_leave is not None and isinstance(error, play.may_leave)
        if type(error).__name__ == "Gone" or not (allowed or any(error is one for one in play.raised)):
            faults.append(f"{type(error).__name__} left the house: {_words(error)}")
        return
    if play.cancels and not play.swallowed:
        faults.append("a cancellation was swallowed")
    ended = play.denied or play.gone_seen or play.closes or _expires(play)
    if play.left is not None and not play.wrapped and not ended:
        faults.append(f"the app's {type(play.left).__name__} was swallowed")


def _expires(play: Play) -> bool:
    identity = None if play.exchange is None else play.exchange.identity
    return identity is not None and identity.expires_at is not None


def _words(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except ValueError:
        return "?"


def _observers(play: Play, faults: list[str]) -> None:
    """Every observer saw the exchange exactly once."""
    for number, seat in enumerate(play.case.plan.seats):
        if "observe" in seat.hooks and play.observed.get(number, 0) != 1:
            faults.append(f"seat {number} observed {play.observed.get(number, 0)} times")
    exchange = play.exchange
    if exchange is None or play.model.early:
        return
    if play.observed and exchange.ended is None:
        faults.append("the exchange has no end")
    told = play.outer.status
    sure = play.case.server[0] == "kind" and play.lawful and not play.spawned
    if sure and told is not None and exchange.status not in {told, None}:
        faults.append(f"the exchange says {exchange.status}, the client was told {told}")


def _scope(play: Play, before: Scope, faults: list[str]) -> None:
    """The caller's scope is as it was, but for the keys that the app has set."""
    after = play.case.scope
    kept = {*before, *after} - play.set_keys
    changed = [key for key in kept if key not in after or key not in before or after[key] != before[key]]
    faults += [f"the caller's scope was changed at {key!r}" for key in changed]


def _fields(play: Play, faults: list[str]) -> None:
    """What the house adds to a response can be sent; the app's own fields stand as they were, in order."""
    for message in play.told:
        kind = message.get("type")
        if not isinstance(kind, str) or not kind.endswith((".start", ".accept")):
            continue
        fields: Any = message.get("headers", ())
        if TAG in message:
            own: Any = play.sent[message[TAG]].get("headers") or ()
            if not isinstance(fields, list | tuple) or not isinstance(own, list | tuple):
                continue
            if list(fields[: len(own)]) != list(own):
                faults.append(f"the app's headers {own} became {fields}")
            fields = fields[len(own) :]
        for name, value in fields:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or SECRET.encode() in value:
                faults.append(f"the house sends the header {name!r}: {value!r}")


def _refusal(play: Play, faults: list[str]) -> None:
    """An answer of the house's own is whole, says its length, and a refusal its code."""
    start = play.own_start
    if start is None or start["type"] == "websocket.close":
        return
    at = play.told.index(start)
    if play.outer.begun and not play.outer.over and _undisturbed(play):
        faults.append("the house's own answer has no end")
    if at + 1 >= len(play.told):
        return
    content = play.told[at + 1].get("body", b"")
    head = play.case.scope.get("method") == "HEAD"
    lengths = [int(value) for name, value in start["headers"] if name.lower() == b"content-length"]
    if len(lengths) > 1 or (lengths and lengths[0] != len(content) and not head):
        faults.append(f"content-length {lengths} for {len(content)} bytes")
    verdict = None if play.exchange is None else play.exchange.verdict
    if isinstance(verdict, Deny) and content and play.closes == 0 and _waits_for_answer(play):
        _problem(start, content, verdict, faults)


def _problem(start: Message, content: bytes, verdict: Deny, faults: list[str]) -> None:
    if start["status"] != verdict.status:
        faults.append(f"a Deny {verdict.status} was told as {start['status']}")
    if any(value.startswith(b"application/problem+json") for _, value in start["headers"]):
        try:
            said = json.loads(content)
        except ValueError:
            said = {}
        if said.get("code") != verdict.code or said.get("status") != verdict.status:
            faults.append(f"{verdict.code} was told as {content!r}")


def _undisturbed(play: Play) -> bool:
    return play.case.server[0] in {"kind", "strict"} and not play.cancels and not play.closes and not _expires(play)


def _calm(play: Play, faults: list[str]) -> None:
    """Nothing happened from outside, so what had to come of the case did."""
    reached = play.served > 0
    if not _undisturbed(play):
        return
    common = play.plain and not play.wrapped and not reached
    if common and play.model.verdict(final=True) is None:
        faults.append("the app was not reached, and nobody refused")
    # A start that is none, of an app that is not lawful, may have gone to the server before the guard was asked.
    refused = play.model.refusal is not None or (play.denied and not play.inner.begun and play.lawful)
    ordinary = play.left is None or isinstance(play.left, Exception)  # else nobody answers
    if refused and ordinary and not play.wrapped and _waits_for_answer(play) and not play.outer.over:
        faults.append(f"refused ({play.model.refusal or 'by a guard'}), and the client was not told")
    if play.lawful and reached and not play.denied and not play.wrapped and not play.model.unrecorded:
        _transparent(play, faults)


def _waits_for_answer(play: Play) -> bool:
    first = play.case.incoming[0]["type"] if play.case.incoming else ""
    return play.outer.kind == "http" or first == "websocket.connect"


def _transparent(play: Play, faults: list[str]) -> None:
    """All that the app has said went out, in order, and nothing else but an answer to its exception."""
    tags = [message[TAG] for message in play.told if TAG in message]
    if tags != list(range(len(play.sent))):
        faults.append(f"of the app's {len(play.sent)} messages {tags} went out")
    if play.own_start is not None and play.left is None:
        faults.append(f"the house said {play.own_start['type']} of its own")
