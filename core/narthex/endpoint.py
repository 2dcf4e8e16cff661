"""Serving a plugin's endpoint, which is written as Starlette's are."""

from typing import cast

from starlette.requests import Request
from starlette.websockets import WebSocket

from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.errors import ContractError
from narthex.exchange import Exchange
from narthex.plan import Taken


async def serve_endpoint(taken: Taken, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
    """Call the endpoint with a Request or WebSocket over a copy of the scope that holds its path parameters.

    Raises:
        ContractError: the endpoint of an HTTP route returned something that is not a response.
    """
    own = {**scope, "path_params": dict(taken.params), "narthex.identity": exchange.identity}
    if exchange.kind == "websocket":
        await taken.route.endpoint(WebSocket(own, receive, send))
        return
    response: object = await taken.route.endpoint(Request(own, receive, send))
    if not callable(response):
        raise ContractError(f"the endpoint of {taken.path} returned {type(response).__name__}, not a response")
    await cast("ASGIApp", response)(own, receive, send)
