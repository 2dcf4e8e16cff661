"""An app that says in its lifespan that it cannot start."""

from tests.wire.differential.sites.raw import app as raw
from tests.wire.differential.vantage import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "lifespan":
        await raw(scope, receive, send)
        return
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the pool is empty"})
