"""The plugins of the fuzzed houses: what each hook does is said by the case under way, not by the configuration."""

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Any, Final

from narthex import (
    AUTHENTICATED,
    PUBLIC,
    Allow,
    Answer,
    Deny,
    DependencyError,
    Exchange,
    House,
    Identity,
    Inside,
    Outside,
    Route,
    Settings,
    hookimpl,
)
from tests.fuzz import endpoints, model
from tests.fuzz.play import SECRET, Play, playing
from tests.fuzz.wrappers import wrapper

STAGES: Final = ("admit", "authenticate", "vet", "authorize", "witness", "respond", "observe")


class Weird(BaseException):
    """Not an Exception, as pytest's and gevent's are not."""


class Unprintable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError(SECRET)


class NoSettings(Settings):
    """Nothing to set."""


_JUNK_FIELDS: Any = [
    (b"x-good", b"1"),
    (b"bad name", b"1"),
    (b"x-split", b"a\r\nset-cookie: b"),
    ("x-str", "1"),
    (b"x",),
    None,
]
_NONE, _WHO, _YES = model.NOTHING, model.IDENTITY, model.ALLOW
_NO, _401, _ANS, _BAD = model.DENY, model.DENY_401, model.ANSWER, model.FAULT

# Name to what a hook returns, and what that means at a guard's stage.
_VALUES: Final[dict[str, tuple[Any, int]]] = {
    "none": (None, _NONE),
    "deny401": (Deny(401, "test_401", SECRET, SECRET), _401),
    "deny403": (Deny(403, "test_403", SECRET), _NO),
    "deny429": (Deny(429, "test_429", SECRET, retry_after=1.5), _NO),
    "deny503": (Deny(503, "test_503", headers=((b"retry-after", b"7"),), retry_after=math.inf), _NO),
    "deny nan": (Deny(418, "test_418", retry_after=math.nan), _NO),
    "deny bytes": (Deny(400, "test_400", headers=((b"x-split", b"a\r\nb: c"), (b"", b""), (b"x-ok", b"\xff"))), _NO),
    "deny junk": (Deny(400, "test_400", headers=_JUNK_FIELDS), _NO),
    "deny words": (Deny(422, "<b>\ud800\r\n" + "é" * 200, SECRET), _NO),
    "answer": (Answer(204, [(b"x-answer", b"yes")]), _ANS),
    "answer body": (Answer(200, [(b"content-length", b"2"), (b"x-split", b"a\r\nb: c")], b"ok"), _ANS),
    "answer 304": (Answer(304, (), b"never sent"), _ANS),
    "answer junk": (Answer(302, _JUNK_FIELDS), _ANS),
    "allow": (Allow(SECRET, SECRET), _YES),
    "alice": (Identity(subject="alice", roles=frozenset({"user"}), token_id="t", session_id="s"), _WHO),
    "admin": (Identity(subject="a", roles=frozenset({"admin"}), session_id="a\r\nb"), _WHO),
    "odd one": (Identity(subject="é,\r\nx: y\ud800", roles=frozenset({"a,b", "\ud800", ""})), _WHO),
    "expiring": (Identity(subject="bob", token_id="b", expires_at=1_700_003_000.0), _WHO),
    "expired": (Identity(subject="bob", token_id="b", expires_at=1.0), _WHO),
    "nonsense": (SECRET, _BAD),
    "falsy": (0, _BAD),
    "class": (Deny, _BAD),
    "header": ([(b"x-acted", b"yes")], _BAD),
    "headers": (((b"x-acted", b"yes"), (b"Set-Cookie", b"a=b")), _BAD),
    "bytes": ([(b"x-good", b"1"), (b"x-split", b"a\r\nb: c")], _BAD),
    "junk": (_JUNK_FIELDS, _BAD),
    "empty": ([], _BAD),
}
_AT_HOME: Final = {
    "admit": {_NONE, _NO, _401, _ANS},
    "authenticate": {_NONE, _WHO, _NO, _401, _ANS},
    "vet": {_NONE, _NO, _401, _ANS},
    "authorize": {_NONE, _YES, _NO, _401, _ANS},
    "witness": {_NONE},
    "respond": {_NONE},
    "observe": {_NONE},
}


def _made(make: Callable[[], object]) -> BaseException:
    """What a plugin gets that makes a verdict or an identity which cannot be."""
    try:
        made = make()
    except Exception as error:  # noqa: BLE001  any will do
        return error
    raise AssertionError(f"{made} could be made")


_HALF: Final[Any] = 403.5
_RAISES: Final[dict[str, Callable[[], BaseException]]] = {
    "raise": lambda: RuntimeError(SECRET),
    "dependency": lambda: DependencyError(SECRET, retry_after=2),
    "timeout": lambda: TimeoutError(SECRET),
    "cancel": lambda: asyncio.CancelledError(SECRET),
    "weird": lambda: Weird(SECRET),
    "group": lambda: ExceptionGroup(SECRET, [RuntimeError(SECRET)]),
    "stop": lambda: StopIteration(SECRET),
    "unprintable": Unprintable,
    "deny half": lambda: _made(lambda: Deny(_HALF, "test_half")),
    "deny nameless": lambda: _made(lambda: Deny(403, None)),  # type: ignore[arg-type]
    "answer text": lambda: _made(lambda: Answer(200, (), "text")),  # type: ignore[arg-type]
    "numbered": lambda: _made(lambda: Identity(subject=7)),  # type: ignore[arg-type]
    "never sure": lambda: _made(lambda: Identity(subject="bob", expires_at=math.nan)),
}
USUAL: Final = {"authenticate": "alice", "authorize": "allow", "respond": "header"}
ACTS: Final[dict[str, tuple[str, ...]]] = {
    "admit": ("deny401", "deny403", "deny429", "deny503", "deny nan", "deny bytes", "deny junk", "deny words",
              "answer", "answer body", "answer 304", "answer junk", "allow", "alice"),
    "authenticate": ("none", "none", "admin", "odd one", "expiring", "expired", "deny401",
                     "deny401", "deny403", "answer", "allow", "expiring"),
    "vet": ("deny401", "deny401", "deny429", "deny words", "answer", "answer body", "allow", "alice"),
    "authorize": ("none", "none", "deny403", "deny401", "answer", "answer 304", "alice"),
    "witness": ("allow", "deny403", "answer"),
    "respond": ("none", "headers", "headers", "bytes", "junk", "empty", "deny403", "alice"),
    "observe": ("deny403", "alice"),
}  # fmt: skip
FAULTS: Final = (*_RAISES, "nonsense", "falsy", "class", "awaitable", "read", "end", "hang", "slow", "late", "convert")


async def _late() -> None:
    """Be an awaitable where a value was due."""


class Actor:
    """Does at each stage what the case says."""

    name = "actor"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None:
        self.number = int(house.instance.removeprefix("seat-"))
        self.house = house

    def begin(self, stage: str, exchange: Exchange) -> tuple[Play, str]:
        """Note the call; say what to do."""
        play = playing.get()
        if play is None:
            raise AssertionError("a hook was called outside any case")
        if play.exchange is None:
            play.exchange = exchange
        elif play.exchange is not exchange:
            play.fault(f"{stage} got another exchange")
        play.model.asked.add((self.number, stage))
        if stage == "observe":
            play.observed[self.number] = play.observed.get(self.number, 0) + 1
        elif stage == "witness":
            play.witnessed.append(exchange.status)
        return play, play.case.acts.get((self.number, stage)) or USUAL.get(stage, "none")

    def perform(self, play: Play, stage: str, act: str, exchange: Exchange) -> Any:
        """Do it."""
        if act in _RAISES:
            self.say(play, stage, _BAD, exchange)
            error = _RAISES[act]()
            raise error
        if act == "awaitable":
            self.say(play, stage, _BAD, exchange)
            return _late()
        if act == "read":
            _read(exchange)
            act = USUAL.get(stage, "none")
        elif act == "end":
            play.close()
            act = USUAL.get(stage, "none")
        value, meaning = _VALUES.get(act) or _VALUES[USUAL.get(stage, "none")]
        self.say(play, stage, meaning if meaning in _AT_HOME[stage] else _BAD, exchange)
        return value

    def say(self, play: Play, stage: str, meaning: int, exchange: Exchange) -> None:
        """Tell the model."""
        if stage not in {"respond", "observe"}:
            play.model.said(self.number, stage, meaning, started=exchange.status is not None)


def _read(exchange: Exchange) -> None:
    """Look at everything there is."""
    _ = (exchange.id, exchange.method, exchange.path, exchange.route_path, exchange.query, exchange.client)
    _ = (exchange.scheme, exchange.host, exchange.framework, exchange.permissions, repr(exchange))
    _ = [(name, exchange.headers.getlist(name)) for name in exchange.headers]
    exchange.state["fuzz"] = 1
    exchange.trace_id = "0" * 32


def _plain(stage: str) -> Callable[..., Any]:
    def hook(self: Actor, exchange: Exchange) -> Any:
        play, act = self.begin(stage, exchange)
        return self.perform(play, stage, act, exchange)

    return hook


def _waiting(stage: str) -> Callable[..., Any]:
    async def hook(self: Actor, exchange: Exchange) -> Any:
        play, act = self.begin(stage, exchange)
        await play.tick()
        if act not in {"hang", "slow", "late", "convert"}:
            return self.perform(play, stage, act, exchange)
        if act == "slow":
            await asyncio.sleep(0.002)  # within every seat's limit
            return self.perform(play, stage, USUAL.get(stage, "none"), exchange)
        self.say(play, stage, _BAD, exchange)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if act == "hang":
                raise
            play.swallowed = True
            if act == "convert":
                raise RuntimeError(SECRET) from None
        return _VALUES[USUAL.get(stage, "none")][0]

    return hook


def _wrap(kind: str) -> Callable[..., Any]:
    side = Inside if kind == "wrap inside" else Outside
    return lambda self: side(lambda app: wrapper(app, self.number, kind))


def _routes(self: Actor) -> list[Route]:
    return [
        Route(path="/public", endpoint=endpoints.plain("public"), access=PUBLIC),
        Route(path="/known", endpoint=endpoints.plain("known"), access=AUTHENTICATED, methods=("GET", "POST")),
        Route(path="/of/{who}", endpoint=endpoints.plain("permitted"), access="of:{who}:read"),
        Route(path="/number/{n:int}", endpoint=endpoints.plain("known"), access=AUTHENTICATED),
        Route(path="/broken", endpoint=endpoints.broken, access=AUTHENTICATED),
        Route(path="/nothing", endpoint=endpoints.nothing, access=PUBLIC),
        Route(path="/streams", endpoint=endpoints.streams, access=AUTHENTICATED),
        Route(path="/socket", endpoint=endpoints.socket, access=AUTHENTICATED, kind="websocket"),
        Route(path="/early", endpoint=endpoints.plain("public"), access=PUBLIC, at_root=True, early=True),
    ]


def _actor(hooks: tuple[str, ...], *, waits: bool) -> type[Actor]:
    body: dict[str, Any] = {}
    for hook in hooks:
        if hook.startswith("wrap "):
            body["wrap"] = hookimpl(_wrap(hook))
        elif hook == "routes":
            body["routes"] = hookimpl(_routes)
        else:
            body[hook] = hookimpl((_waiting if waits else _plain)(hook))
    return type("Actor", (Actor,), body)


# Every set of hooks that a seat of a house may have, plain and async.
SETS: Final[tuple[tuple[str, ...], ...]] = (
    *((stage,) for stage in STAGES),
    ("wrap inside",), ("wrap outside",), ("routes",),
    ("admit", "observe"), ("authenticate", "vet"), ("authenticate", "respond", "observe"), ("authorize", "witness"),
    ("vet", "respond"), ("witness", "observe"), ("wrap outside", "observe"), STAGES,
)  # fmt: skip
_count = itertools.count()
USES: Final[dict[tuple[tuple[str, ...], bool], str]] = {}
for _hooks in SETS:
    for _waits in (False, True):
        _name = f"Actor{next(_count)}"
        globals()[_name] = _actor(_hooks, waits=_waits)
        USES[_hooks, _waits] = f"{__name__}:{_name}"
