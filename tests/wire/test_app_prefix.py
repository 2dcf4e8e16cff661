import asyncio

from fastapi import FastAPI

from narthex import Narthex
from narthex.asgi import Message, Scope
from tests.wire.apps.marks import ADMIN


async def status_of(app: Narthex, path: str) -> int:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    async def receive() -> Message:
        if sent:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b""}

    scope: Scope = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path}
    scope.update(raw_path=path.encode(), query_string=b"", headers=[(b"host", b"h")], root_path="")
    await asyncio.wait_for(app(scope, receive, send), 5)
    return int(sent[0]["status"])


def test_a_prefix_of_the_apps_own_leads_round_no_rule() -> None:
    app = FastAPI()
    app.root_path = "/api"  # as FastAPI(root_path="/api") does, which is deprecated and still works
    app.get("/admin")(lambda: ADMIN)
    deny = {"use": "tests.wire.plugins:DenyPath", "path": "/admin/**"}
    house = Narthex(app, {"narthex": {}, "plugins": {"deny-path": deny}})
    assert asyncio.run(status_of(house, "/api/admin")) == 403


def test_a_prefix_of_the_apps_own_may_occur_again_in_the_path() -> None:
    app = FastAPI()
    app.root_path = "/api"
    app.get("/users/api")(lambda: ADMIN)
    deny = {"use": "tests.wire.plugins:DenyPath", "path": "/admin/**"}
    house = Narthex(app, {"narthex": {}, "plugins": {"deny-path": deny}})
    assert asyncio.run(status_of(house, "/users/api")) == 200
