"""The app's own lifespan, in the hands of the house: what it says late, wrongly or not at all."""

import asyncio
from typing import Any

import pytest

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.errors import StartError
from narthex.lifespan import AppLifespan, converse

SCOPE: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}


class App:
    """Says one thing at its start, waits, and writes down how it ended."""

    def __init__(self, word: str = "complete", *, raises: bool = False) -> None:
        self.ends: list[str] = []
        self._word = word
        self._raises = raises

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": f"lifespan.startup.{self._word}", "message": "no disk"})
        if self._raises:
            raise LookupError("after all was said")
        try:
            message = await receive()
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        self.ends.append(message["type"])
        await send({"type": "lifespan.shutdown.complete"})


async def nothing() -> None:
    return


def conversation(app: ASGIApp, *, look: Any = nothing, vanishes: bool = False) -> list[Message]:
    """What the server hears; it asks for a shutdown, or is gone after the start-up."""
    said: list[Message] = []
    asked = iter([{"type": "lifespan.startup"}] + [{"type": "lifespan.shutdown"}] * (not vanishes))

    async def receive() -> Message:
        try:
            return next(asked)
        except StopIteration:
            raise ConnectionError("the server is gone") from None

    async def send(message: Message) -> None:
        said.append(message)

    async def main() -> None:
        try:
            await converse(SCOPE, receive, send, app, nothing, nothing, look)
        except ConnectionError:
            said.append({"type": "gone"})
        said.extend({"type": "left over"} for task in asyncio.all_tasks() if task.get_name() == "app lifespan")

    asyncio.run(main())
    return said


def words(said: list[Message]) -> list[str]:
    return [message["type"].removeprefix("lifespan.") for message in said]


def test_an_app_that_could_not_start_gets_no_shutdown_and_is_not_left_over() -> None:
    app = App("failed")

    async def main() -> None:
        with pytest.raises(StartError, match="the app could not start: no disk"):
            await AppLifespan(app, SCOPE).startup()
        assert app.ends == ["cancelled"]

    asyncio.run(main())


def test_an_app_that_has_started_is_ended_where_the_house_will_not_serve_it() -> None:
    async def look() -> None:
        raise StartError("a guard is out of order")

    app = App()
    said = conversation(app, look=look)
    assert (words(said), said[0]["message"]) == (["startup.failed"], "a guard is out of order")
    assert app.ends == ["cancelled"]


def test_an_app_is_ended_where_the_server_vanishes() -> None:
    app = App()
    assert words(conversation(app, vanishes=True)) == ["startup.complete", "gone"]
    assert app.ends == ["cancelled"]


@pytest.mark.parametrize(("word", "lines"), [("failed", 0), ("complete", 1)])
def test_what_an_app_raises_is_logged_unless_it_has_said_why(
    word: str, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    conversation(App(word, raises=True))
    assert [record.levelname for record in caplog.records].count("ERROR") == lines


def test_what_does_not_belong_in_a_lifespan_is_refused_to_the_app() -> None:
    raised: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await send({"type": "http.response.start", "status": 200})
        except RuntimeError as error:
            raised.append(str(error))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    assert words(conversation(app)) == ["startup.complete", "shutdown.complete"]
    assert raised == ["http.response.start does not belong in a lifespan"]


def test_it_is_driven_anew_by_another_loop() -> None:
    app = App()
    own = AppLifespan(app, SCOPE)

    async def main() -> None:
        await own.startup()
        await asyncio.sleep(0)
        await own.shutdown()

    for _ in range(2):
        asyncio.run(main())
    assert app.ends == ["lifespan.shutdown"] * 2
