"""The app of the fuzzed houses: it does what the case's script says, one step after the other."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from narthex import Refused, current_exchange, require_auth, require_permission, require_role
from narthex.asgi import Receive, Scope, Send
from tests.fuzz.case import Op
from tests.fuzz.play import SECRET, Play, playing
from tests.fuzz.plugins import Unprintable, Weird


class AppError(Exception):
    """Raised by the app."""


@require_auth
def _known() -> None: ...


@require_role("user")
def _user() -> None: ...


@require_role("admin")
def _admin() -> None: ...


@require_permission("orders:write")
def _permitted() -> None: ...


_GUARDS: Final[dict[str, Callable[[], None]]] = {
    "auth": _known,
    "quietly auth": _known,
    "role user": _user,
    "role admin": _admin,
    "quietly admin": _admin,
    "permission": _permitted,
}
_ERRORS: Final[dict[str, Callable[[], BaseException]]] = {
    "app": lambda: AppError(SECRET),
    "os": lambda: OSError(SECRET),
    "timeout": lambda: TimeoutError(SECRET),
    "group": lambda: ExceptionGroup(SECRET, [AppError(SECRET)]),
    "weird": lambda: Weird(SECRET),
    "cancelled": lambda: asyncio.CancelledError(SECRET),
    "unprintable": Unprintable,
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one exchange of a case; know no lifespan."""
    play = playing.get()
    if play is None or scope["type"] == "lifespan":
        raise NotImplementedError("no lifespan")
    play.enter("the app", scope)
    try:
        await _perform(play, play.case.app, scope, receive, send)
    except BaseException as error:
        play.left = play.mine(error)
        raise
    finally:
        play.over = True


async def _perform(play: Play, ops: list[Op], scope: Scope, receive: Receive, send: Send) -> None:
    for op in ops:
        try:
            await _step(play, op, scope, receive, send)
        except asyncio.CancelledError as error:
            if play.case.on_cancel == "raise" or (op[0] == "raise" and op[1] == "cancelled"):
                raise
            play.swallowed = True
            if play.case.on_cancel == "convert":
                raise play.mine(AppError(SECRET)) from error
        except Exception as error:
            if play.case.on_error == "raise":
                raise
            if play.case.on_error == "stop":
                return
            if play.case.on_error == "convert":
                raise play.mine(AppError(SECRET)) from error


async def _step(play: Play, op: Op, scope: Scope, receive: Receive, send: Send) -> None:
    what, more = op
    if what == "send":
        await play.tick()
        await play.say(more, send)
    elif what == "receive":
        await receive()
    elif what == "drain":
        while (await receive()).get("more_body"):
            pass
    elif what == "until gone":
        while not (await receive())["type"].endswith("disconnect"):
            await play.tick()
    elif what == "raise":
        raise play.mine(_ERRORS[more]())
    elif what == "guard":
        _guard(play, more)
    elif what == "set":
        key, value = (f"fuzz.{more}", object()) if more == "own" else (more, f"/{more}/of/the/app")
        scope[key] = value
        play.set_keys.add(key)
    else:
        await _wait(play, op, scope, receive, send)


async def _wait(play: Play, op: Op, scope: Scope, receive: Receive, send: Send) -> None:
    what, more = op
    if what == "sleep":
        await asyncio.sleep(more)
    elif what == "hang":
        await asyncio.Event().wait()
    elif what == "close":
        play.close()
        await play.tick()
    elif what == "spawn":
        play.calm, play.spawned = False, True
        asyncio.get_running_loop().create_task(_aside(play, more, scope, receive, send), name="app's own")
    elif what == "iterate":
        play.iterate = True


async def _aside(play: Play, ops: list[Op], scope: Scope, receive: Receive, send: Send) -> None:
    """A task of the app that goes on by itself."""
    try:
        await _perform(play, ops, scope, receive, send)
    except BaseException as error:  # noqa: BLE001  nobody waits for it
        play.mine(error)


def _guard(play: Play, name: str) -> None:
    exchange = current_exchange()
    begun = play.inner.begun
    try:
        _GUARDS[name]()
    except Refused as error:
        play.mine(error)
        play.denied = True
        play.denied_late = play.denied_late or begun
        if exchange is None or exchange.verdict is None:
            play.fault("a guard refused and left no verdict")
        if not name.startswith("quietly"):
            raise
    else:
        needs = {"auth": "", "quietly auth": "", "role user": "user", "permission": "admin"}.get(name, "admin")
        roles: Any = exchange.identity.roles if exchange is not None and exchange.identity is not None else None
        if roles is None or (needs and needs not in roles and "admin" not in roles):
            play.fault(f"the guard {name} let {roles} pass")
