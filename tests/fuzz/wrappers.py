"""Wrappers, as plugins fold them round the app or round the walk; what each does is said by the case."""

import asyncio
from typing import Any

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from tests.fuzz.play import SECRET, TAG, Play, playing

ACTS = ("copy", "field", "answer", "raise", "raise after", "swallow", "path", "task", "again", "wrap receive")


class WrapperError(Exception):
    """Raised by a wrapper."""


def wrapper(app: ASGIApp, number: int, kind: str) -> ASGIApp:
    """Wrap the app."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        play = playing.get()
        act = "none" if play is None else play.case.acts.get((number, kind), "none")
        if play is None or act == "none":
            await app(scope, receive, send)
        else:
            await play.tick()
            await _perform(play, act, app, scope, receive, send, outside=kind == "wrap outside")

    return wrapped


async def _perform(
    play: Play, act: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, outside: bool
) -> None:
    play.wrapped = True
    if act == "copy" or (act == "path" and outside):
        scope = dict(scope)
        if act == "path":
            scope["path"] = "/open/x"
            play.model.follow("/open/x", scope.get("root_path"))
            play.plain = False
        await app(scope, receive, send)
    elif act == "field":
        await app(scope, receive, _with_field(play, send))
    elif act == "answer":
        await play.say({"type": "http.response.start", "status": 200, "headers": []}, send)
        await play.say({"type": "http.response.body", "body": b"wrapped"}, send)
    elif act == "swallow":
        try:
            await app(scope, receive, send)
        except Exception:  # noqa: BLE001  as some do
            await play.tick()
    elif act == "task":
        await asyncio.get_running_loop().create_task(_run(app, scope, receive, send))
    elif act == "wrap receive":

        async def get() -> Message:
            await play.tick()
            return await receive()

        await app(scope, get, send)
    else:
        await _raising(play, act, app, scope, receive, send)


async def _raising(play: Play, act: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    if act != "raise":
        await app(scope, receive, send)
    if act == "again":
        play.lawful = False
        await app(scope, receive, send)
    elif act.startswith("raise"):
        error = play.mine(WrapperError(SECRET))
        play.left = error
        raise error


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _with_field(play: Play, send: Send) -> Send:
    async def with_field(message: Message) -> None:
        fields: Any = message.get("headers")
        if message.get("type", "").endswith((".start", ".accept")) and isinstance(fields, list):
            message = {**message, "headers": [*fields, (b"x-wrapped", b"yes")]}
            if TAG in message:
                play.sent[message[TAG]] = dict(message)
        await play.tick()
        await send(message)

    return with_field
