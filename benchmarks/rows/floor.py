"""What any middleware must cost: the app bare, and the least that can be put in front of it."""

from benchmarks.asgi import ASGIApp, Message, Receive, Scope, Send
from benchmarks.candidates import BARE, candidate
from benchmarks.traffic import bare

GROUP = "Floor"
WRAPS_SEND = "pass-through, wraps send"


class PassThrough:
    """Hand everything on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class WrapsSend:
    """Hand everything on, and see each message of the response: what a middleware needs to know a status."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def wrapped(message: Message) -> None:
            await send(message)

        await self.app(scope, receive, wrapped)


@candidate(BARE, group=GROUP, wire=True)
def bare_app() -> ASGIApp:
    return bare


@candidate("pass-through", group=GROUP)
def pass_through() -> ASGIApp:
    return PassThrough(bare)


@candidate(WRAPS_SEND, group=GROUP, wire=True)
def wraps_send() -> ASGIApp:
    return WrapsSend(bare)
