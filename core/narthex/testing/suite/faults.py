"""Checks of what happens when something breaks: a guard that cannot judge refuses, an observer changes nothing."""

import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any, Final

from narthex.exchange import Exchange
from narthex.hooks import STAGES, hookimpl
from narthex.identity import Identity
from narthex.testing.fakes import Hello, an_exchange
from narthex.testing.suite.subject import PATH, Finding, Injected, Subject, SuiteClock, guards_of, needs_a_welcome
from narthex.verdict import Allow

_seats: Final = itertools.count(1)
_DETAIL: Final = "the-detail-of-the-suite"
_TODO: Final = "let exceptions leave the hook: core refuses, counts and logs; catch only what you can answer for"


def a_guard_that_cannot_judge_refuses(subject: Subject) -> None:
    """Where the exchange or the clock cannot be read, no hook says that the request may pass."""
    clock = SuiteClock(subject.clock)
    with subject.client(clock=clock) as client:
        plugin = subject.plugin(client.house)
        for hook in guards_of(plugin):
            unread = _Unreadable()
            given = client.run(_asked(getattr(plugin, hook), unread))
            _must_not_pass(hook, given, unread.hits, "the exchange")
            someone = subject.identity or Identity(subject="somebody")
            exchange = an_exchange("GET", PATH, subject.headers, identity=someone)
            clock.broken, clock.hits = True, 0
            try:
                given = client.run(_asked(getattr(plugin, hook), exchange))
            finally:
                clock.broken = False
            _must_not_pass(hook, given, clock.hits, "the clock")


@needs_a_welcome
def an_exception_in_a_hook_fails_closed_or_changes_nothing(subject: Subject) -> None:
    """With each of its hooks in turn made to raise: a guard refuses without a detail, an observer is not noticed."""
    for hook in (hook for hook in STAGES if hasattr(subject.made_by, hook)):
        app = Hello()
        with subject.client(app, subject.config({"use": _broken(subject.made_by, hook)})) as client:
            reply = client.get(PATH)
        refuses = hook not in {"respond", "observe"}
        if app.reached is refuses or (reply.body == b"hello") is refuses:
            raise Finding(
                f"{hook} raised, and the request was {'let through' if app.reached else 'refused'}: {reply.status}",
                _TODO,
            )
        if _DETAIL.encode() in reply.body:
            raise Finding(f"{hook} raised, and the client read the exception's text", _TODO)


class _Unreadable(Exchange):
    """An exchange of which nothing can be read; what was tried is counted."""

    __slots__ = ("hits",)

    def __init__(self) -> None:
        self.hits = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "hits" or name.startswith("__"):
            return object.__getattribute__(self, name)
        self.hits += 1
        raise Injected(f"the suite hides exchange.{name}")


async def _asked(hook: Callable[..., Any], exchange: Exchange) -> object:
    """What the hook answers; `Injected` where it lets an exception go on."""
    try:
        given = hook(exchange) if inspect.signature(hook).parameters else hook()
        return await given if inspect.isawaitable(given) else given
    except Exception as error:  # noqa: BLE001  whatever it makes of ours
        return error


def _must_not_pass(hook: str, given: object, hits: int, what: str) -> None:
    passes = isinstance(given, (Allow, Identity)) or (given is None and hook != "authenticate")
    if hits and passes:
        raise Finding(f"{what} could not be read, and {hook} said {type(given).__name__} all the same", _TODO)


def _broken(made_by: type[Any], hook: str) -> str:
    """The name of a class that is the plugin's but for one hook, which raises."""

    def fails(self: object, exchange: Exchange) -> None:
        raise LookupError(_DETAIL)

    seat = f"Broken{next(_seats)}"
    broken = type(made_by.__name__, (made_by,), {hook: hookimpl(fails), "__module__": made_by.__module__})
    setattr(sys.modules[__name__], seat, broken)
    return f"{__name__}:{seat}"
