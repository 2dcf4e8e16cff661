"""One case while it runs: the server on one side, the app on the other, and what each of them saw.

What the house must never do is judged where it happens; what it must have done in the end is judged by `oracle`.
Every message of the app carries a tag, so that what the house says by itself is told apart from it.
"""

import asyncio
from contextvars import ContextVar
from typing import Any, Final

from narthex import Exchange, current_exchange
from narthex.asgi import Message, Receive, Scope, Send
from tests.fuzz.case import Case
from tests.fuzz.loop import JumpingLoop
from tests.fuzz.model import Model
from tests.fuzz.protocol import Judge

SECRET: Final = "the-secret-detail"  # in every exception, reason and rule; must never reach a client
TAG: Final = "fuzz.tag"


_OPENINGS: Final = (".start", ".accept", ".close")
_REASONS: Final = ("revoked", "révoqué " * 20, "\ud800")


class ServerError(Exception):
    """Raised by the server, into the app."""


class Play:
    """A case under way.

    Attributes:
        faults: what the house has done wrong so far.
        raised: every exception that may leave the house: the app's, a wrapper's, the server's.
        model: what the plugins said, and what follows from it.
        inner: judges what the app sends; `lawful` while it has been legal.
        outer: judges what reaches the server.
        told: messages that reached the server.
    """

    def __init__(self, case: Case, loop: JumpingLoop) -> None:
        scope = case.scope
        extensions = scope.get("extensions") or {}
        self.case = case
        self.loop = loop
        self.task: asyncio.Task[None] | None = None
        self.faults: list[str] = []
        self.raised: list[BaseException] = []
        self.model = Model(case)
        self.inner = Judge(scope["type"], extensions)
        self.outer = Judge(scope["type"], extensions)
        self.lawful = True
        self.exchange: Exchange | None = None
        self.told: list[Message] = []
        self.sent: dict[int, Message] = {}
        self.own_start: Message | None = None
        self.observed: dict[int, int] = {}
        self.witnessed: list[int | None] = []
        self.set_keys: set[str] = set()
        self.served = 0
        self.left: BaseException | None = None  # what left the app
        self.may_leave: type[BaseException] | None = None
        self.denied = False  # a guard refused inside the app
        self.denied_late = False
        self.gone_seen = False
        self.swallowed = False
        self.cancels = 0
        self.closes = 0
        self.idles = 0
        self.ticks = 0
        self.sending = 0
        self.calm = case.server[0] in {"kind", "strict"} and not case.events
        self.plain = case.plain
        self.iterate = False
        self.wrapped = False
        self.spawned = False
        self.over = False  # the app has returned; nobody hears what a task of it still says
        self.connected = False
        self._next = 0
        self._gone = False
        self._news: asyncio.Future[None] | None = None
        self.live: Any = None  # the house's register of exchanges under way
        self.clock: Any = None

    def fault(self, words: str) -> None:
        """Note a violation."""
        self.faults.append(words)

    # -- what happens from outside

    async def tick(self) -> None:
        """Be an await at which something may happen."""
        self.ticks += 1
        event = self.case.events.get(self.ticks)
        if event is not None:
            self.happen(event)
        if event is not None or self.case.pace >> (self.ticks & 31) & 1:
            await asyncio.sleep(0)

    def happen(self, event: str) -> None:
        """Let it happen now."""
        if event == "cancel":
            self.cancel()
        elif event == "disconnect":
            self.disconnect()
        elif event == "close":
            self.close()
        elif event == "jump":
            self.loop.jump(5000.0)
        else:
            self.clock.skew -= 1000.0

    def cancel(self) -> None:
        """Cancel the task that the server runs, as a server on its way down does."""
        if self.task is not None and not self.task.done():
            self.cancels += 1
            self.task.cancel()

    def close(self) -> None:
        """End what belongs to the subject, as a revocation does."""
        self.calm = False
        identity = None if self.exchange is None else self.exchange.identity
        if identity is not None:
            self.closes += self.live.close(subject=identity.subject, reason=_REASONS[self.ticks % 3])

    def disconnect(self) -> None:
        """Let the client go."""
        self._gone = True
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def idle(self) -> bool:
        """Nothing moves any more: the client goes, then the server, then it is over."""
        self.idles += 1
        if self.idles == 1:
            self.disconnect()
            return True
        alive = [task for task in self.loop.created if not task.done()]
        if not alive or self.idles > 40:
            return False
        if self.task in alive:
            self.cancel()
        else:
            for task in alive:
                if task.get_name() == "app's own":
                    task.cancel()
        return True

    # -- the server

    async def receive(self) -> Message:
        """The server's next message."""
        await self.tick()
        kind, at = self.case.server
        if kind == "receive breaks" and self.ticks >= at:
            raise self.mine(ServerError(SECRET))
        if self._next < len(self.case.incoming) and not self._gone:
            self._next += 1
            message = dict(self.case.incoming[self._next - 1])
            self.connected = self.connected or message["type"] == "websocket.connect"
            return message
        while not self._gone:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if self.outer.kind == "http":
            return {"type": "http.disconnect"}
        return {"type": "websocket.disconnect", "code": 1006, "reason": ""}

    async def send(self, message: Message) -> None:
        """Take a message, and judge it."""
        fields = message.get("headers")
        if fields is not None and not isinstance(fields, list | tuple | str) and hasattr(fields, "__iter__"):
            message = {**message, "headers": list(fields)}
        self.told.append(message)
        begun = self.outer.begun
        wrong = self.outer.step(message)
        if TAG not in message:
            self._own(message, wrong, begun=begun)
        elif wrong is None:
            self._apps(message, begun)
        elif self.lawful:
            self.fault(f"{wrong}, though the app was lawful")
        kind, at = self.case.server
        await self.tick()
        if wrong is not None and kind == "strict":
            raise self.mine(ServerError(f"{wrong} {SECRET}"))
        if kind == "send breaks" and len(self.told) >= at:
            raise self.mine(ServerError(SECRET))
        if kind == "gone" and self._gone:
            raise self.mine(OSError(SECRET))
        if kind == "stalls" and len(self.told) == at:
            await asyncio.get_running_loop().create_future()

    def _own(self, message: Message, wrong: str | None, *, begun: bool) -> None:
        kind = message["type"]
        if wrong is not None:
            self.fault(f"the house's own {wrong}")
        if kind.startswith("websocket.") and not (self.connected or begun or self.sent):
            self.fault(f"the house's own {kind} before connect")
        if kind.endswith(".start") or (kind == "websocket.close" and self.own_start is None):
            self.own_start = message
        if SECRET in repr(message):
            self.fault(f"exception text in the house's own {kind}")

    def _apps(self, message: Message, begun: bool) -> None:
        kind = message["type"]
        if self.model.refusal is not None:
            self.fault(f"the app's {kind} went out after {self.model.refusal}")
        confused = kind == "websocket.close" and not self.lawful
        if self.denied and not self.denied_late and not self.over and not confused:
            self.fault(f"the app's {kind} went out after its guard refused")
        if self.denied_late and not self.over and begun and kind != "websocket.close":
            self.fault(f"the app's {kind} went out after its guard refused, the answer having begun")
        given = self.sent[message[TAG]]
        if kind.endswith((".start", ".accept")):
            self._start_goes_out(message)
            return
        if message is not given and message != given:
            self.fault(f"the app's {kind} was changed on its way out")

    def _start_goes_out(self, message: Message) -> None:
        """The first start that the client sees has been witnessed, and bears the plugins' fields."""
        kind = message["type"]
        if self.model.unrecorded:
            self.fault(f"the app's {kind} went out though a witness failed")
        before = [told["type"] for told in self.told[:-1] if "type" in told]
        if self.over or any(one.endswith(_OPENINGS) for one in before):
            return  # the app has tried to begin before
        acts = self.case.acts
        stages = [(number, hook) for number, seat in enumerate(self.case.plan.seats) for hook in seat.hooks]
        early = self.model.early
        if not early and any(hook == "witness" for _, hook in stages) and not any(self.witnessed):
            self.fault(f"the app's {kind} went out before a witness had kept its outcome")
        due = sum(hook == "respond" and (number, hook) not in acts for number, hook in stages)
        fields: Any = message.get("headers") or ()
        if [tuple(field) for field in fields].count((b"x-acted", b"yes")) < due:
            self.fault(f"the app's {kind} went out without the fields of a plugin")

    def mine(self, error: BaseException) -> Any:
        """Remember an exception that may leave the house."""
        self.raised.append(error)
        return error

    # -- the app's side of the border

    async def say(self, template: Message, send: Send) -> None:
        """Send a message of the app or of a wrapper, tagged, and judge it on its way in."""
        if self.inner.step(template) is not None or self.sending:
            self.lawful = False
        tag = len(self.sent)
        message = {**template, TAG: tag} if template else template
        self.sent[tag] = dict(message)
        fields = template.get("headers")
        if self.iterate and isinstance(fields, list):
            message["headers"] = iter(fields)
        self.sending += 1
        lawful = self.lawful
        try:
            await send(message)
        except BaseException as error:
            self.lawful = False  # whether it was sent is not known
            if type(error).__name__ == "Gone":
                self.gone_seen = True
            elif isinstance(error, Exception) and lawful and error not in self.raised:
                self.fault(f"send raised {error!r} into a lawful app")
            self.mine(error)
            raise
        finally:
            self.sending -= 1

    def enter(self, what: str, scope: Scope) -> None:
        """Note that the app, or an endpoint, was reached."""
        self.served += 1
        refusal = self.model.verdict(final=True)
        if refusal is not None:
            self.fault(f"{what} was reached after {refusal}")
        unasked = self.model.unasked(endpoint=what != "the app")
        if unasked:
            self.fault(f"{what} was reached before {unasked} were asked")
        exchange = current_exchange()
        if exchange is None or (self.exchange is not None and exchange is not self.exchange):
            self.fault(f"{what} runs without its exchange")
        self.exchange = exchange
        self.over = False


playing: ContextVar[Play | None] = ContextVar("fuzz.playing", default=None)


def now_playing() -> Play:
    """The case that this code runs for."""
    play = playing.get()
    if play is None:
        raise AssertionError("no case is under way")
    return play


Served = tuple[Scope, Receive, Send]
