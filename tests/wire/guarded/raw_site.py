"""No framework at all."""

import asyncio
import json

from narthex import require_auth
from narthex.asgi import Receive, Scope, Send
from tests.wire.guarded.facts import engineer, facts


@engineer
def plain() -> str:
    return "app"


@engineer
async def waiting() -> str:
    return "app"


@require_auth
async def auth() -> str:
    return "app"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await waiting()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "app"})
        await send({"type": "websocket.close"})
        return
    body = await answer(scope, scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body.encode()})


async def answer(scope: Scope, path: str) -> str:
    match path:
        case "/plain":
            return plain()
        case "/waiting":
            return await waiting()
        case "/auth":
            return await auth()
        case "/who-plain":
            return json.dumps(await asyncio.to_thread(facts, scope, scope["user"], scope["auth"]))
        case "/who":
            return json.dumps(facts(scope, scope["user"], scope["auth"]))
        case _:
            return "app"
