"""An app that raises in its lifespan, before it has said anything."""

from tests.wire.differential.sites.raw import app as raw
from tests.wire.differential.vantage import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "lifespan":
        await raw(scope, receive, send)
        return
    await receive()
    raise LookupError("raised in the start-up")
