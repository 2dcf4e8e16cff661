"""What `narthex.testing` gives to authors of plugins."""

import asyncio

import pytest

from narthex import testing
from narthex.asgi import Receive, Scope, Send
from narthex.testing import Reply, request, websocket


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})
        await send({"type": "websocket.send", "bytes": b"not a text"})


async def order(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"order": 7}'})


def test_a_body_is_read_as_json() -> None:
    assert asyncio.run(request(order, "GET", "/")).json() == {"order": 7}
    with pytest.raises(ValueError, match="Expecting value"):
        Reply().json()


def test_the_texts_of_a_websocket_are_at_hand() -> None:
    assert asyncio.run(websocket(echo, "/", ["a", "b"])).texts == ["A", "B"]


def test_what_is_offered_is_all_there() -> None:
    assert [name for name in testing.__all__ if not hasattr(testing, name)] == []
