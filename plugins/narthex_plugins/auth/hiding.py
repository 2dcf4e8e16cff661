"""The app does not see how its caller is known: the session cookie and the token among the subprotocols are taken out.

An app that never holds the credential cannot log it, forward it or have it stolen from it. The field `Authorization`
is left as it is: apps that verify tokens themselves go on working.
"""

from collections.abc import Awaitable
from typing import Any

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.context import exchange_var
from narthex.dress import hand_back
from narthex_plugins.auth.credentials import SUBPROTOCOL, Reader, without_token, without_token_field


class Hidden:
    """An app in front of which the credential is taken away.

    Costs next to nothing where the caller came by a token in the header, which has been found to stand alone, and two
    look-ups where there is neither a cookie nor a subprotocol.
    """

    def __init__(self, app: ASGIApp, reader: Reader) -> None:
        self._app = app
        self._reader = reader
        self._may_have_cookie = reader.may_have_cookie
        self._alone = reader.header

    def call(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        """Call the app, with a scope of its own where something has to go; without a coroutine of ours where not."""
        exchange = exchange_var.get()
        identity = None if exchange is None else exchange.identity
        if identity is not None and identity.via is self._alone:
            return self._app(scope, receive, send)
        cookie = exchange is None or self._may_have_cookie(exchange)
        websocket = scope["type"] == "websocket"
        if not cookie and not websocket:
            return self._app(scope, receive, send)
        token = websocket and any(one.startswith(SUBPROTOCOL) for one in scope.get("subprotocols") or ())
        if not cookie and not token:
            return self._app(scope, receive, send)
        return self._without(scope, receive, send, cookie=cookie, token=token)

    async def _without(self, scope: Scope, receive: Receive, send: Send, *, cookie: bool, token: bool) -> Any:
        exchange = exchange_var.get()
        own = dict(scope)
        if cookie:
            own["headers"] = self._reader.without_cookie(scope["headers"])
        if token:
            own["subprotocols"] = without_token(scope["subprotocols"])
            own["headers"] = without_token_field(own["headers"])
            send = _not_echoing(send)
        if exchange is not None:
            exchange.app_scope = own
        worn = dict(own)
        try:
            return await self._app(own, receive, send)
        finally:
            hand_back(own, worn, scope)


def _not_echoing(send: Send) -> Send:
    """Never choose the token as the subprotocol, should an app look for it somewhere else and try."""

    async def pass_on(message: Message) -> None:
        if message["type"] == "websocket.accept" and str(message.get("subprotocol") or "").startswith(SUBPROTOCOL):
            message = {**message, "subprotocol": None}
        await send(message)

    return pass_on
