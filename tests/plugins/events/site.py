"""An app that publishes what it is asked to, and callers who are believed."""

import asyncio
import json
import os
from typing import Any
from urllib.parse import parse_qsl

from narthex import Exchange, House, Identity, Settings, hookimpl
from narthex_plugins import events


class Names(Settings):
    """Nothing to set."""


class Named:
    """Believe what the caller says: a subject, and permissions."""

    name = "named"
    Settings = Names

    def __init__(self, settings: Names, house: House) -> None:
        self.house = house

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | None:
        given = exchange.headers.get("authorization", "").removeprefix("Bearer ")
        subject, *permissions = given.split()[:10] or [""]
        roles = {"admin"} if subject == "root" else set[str]()
        return (
            Identity(subject=subject, roles=frozenset(roles), permissions=frozenset(permissions)) if subject else None
        )


async def app(scope: Any, receive: Any, send: Any) -> None:
    """`/publish?topic=orders.paid&n=3`: publishes so many, `{"n": 0}` and so on, and answers with their ids."""
    if scope["type"] != "http":
        return
    query = dict(parse_qsl(scope["query_string"].decode()))
    ids: list[str | None] = []
    if scope["path"] == "/publish":
        first, topic, key = int(query.get("from", 0)), query["topic"], query.get("key")
        numbers = range(first, first + int(query.get("n", 1)))
        ids = await asyncio.gather(*(events.publish(topic, {**query, "n": number}, key) for number in numbers))
    body = json.dumps({"pid": os.getpid(), "ids": ids}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


TOML = """
[narthex]
app = "tests.plugins.events.site:app"
store = "{store}"

[plugins.named]
use = "tests.plugins.events.site:Named"

[plugins.events]
retry = "100ms"
heartbeat = "1s"
streams_each = 5000
{more}

[[plugins.events.topics]]
topic = "public.>"
read = "public"

[[plugins.events.topics]]
topic = "orders.>"
read = "orders:read"
owner = "subject"
durable = true

[[plugins.events.topics]]
topic = "canvas.{{collection}}.*"
read = "canvas:{{collection}}:read"
publish = "canvas:{{collection}}:write"
"""
