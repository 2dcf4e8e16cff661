"""What a review of the core's security has found stays mended."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from narthex import Deny, Exchange, Identity, Narthex, Outside, current_identity, require_auth
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.chain import _LONGEST_KEPT
from narthex.events import EventBus, HookFailed
from narthex.services import Permissions
from narthex.tasks import Tasks
from narthex.testing import config, http_scope, request, websocket_scope
from tests.apps import Hello, body, start
from tests.guests import eye, offer


def known(name: str = "alice", **more: Any) -> dict[str, object]:
    return offer(authenticate=lambda exchange: Identity(subject=name, **more))


@require_auth
def guarded() -> None: ...


async def sent_by(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    await app(scope, receive, send)
    await asyncio.sleep(0.05)
    return sent


def test_a_plan_for_a_long_path_is_not_kept() -> None:
    house = Narthex(Hello(), {"narthex": {"open": ["/x"]}})
    for length in (_LONGEST_KEPT - 1, _LONGEST_KEPT, 60_000):
        asyncio.run(request(house, "GET", "/" + "a" * length))
    assert [len(path) for path in house.chain._cache["http"]] == [_LONGEST_KEPT]


def test_what_a_revoked_client_says_while_the_app_waits_does_not_reach_it() -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append((await receive())["type"])

    async def play() -> None:
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        inbox.put_nowait({"type": "websocket.connect"})
        house = Narthex(app, config(p=known()))
        walk = asyncio.create_task(sent_by(house, websocket_scope("/ws"), inbox.get))
        while not any(one.identity and one.status for one in house._estate.live):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        house._estate.live.close(subject="alice")
        await asyncio.sleep(0.05)
        inbox.put_nowait({"type": "websocket.receive", "text": "transfer"})
        await walk

    asyncio.run(play())
    assert heard == ["websocket.disconnect"]


def test_an_app_that_caught_its_refusal_and_only_sends_is_stopped() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        with suppress(Exception):
            guarded()
        while True:
            await send(body(b"x", more=True))

    reply = asyncio.run(request(Narthex(app), "GET", "/"))
    assert reply.error is None
    assert not reply.complete
    assert reply.body == b""


def test_a_late_answer_of_the_app_does_not_follow_its_refusal() -> None:
    async def slow(exchange: Exchange) -> list[tuple[bytes, bytes]]:
        await asyncio.sleep(0.01)
        return []

    late: list[asyncio.Task[None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer() -> None:
            await send(start())
            await send(body(b"the app's own"))

        try:
            guarded()
        except Exception:  # noqa: BLE001  what such an app does
            late.append(asyncio.create_task(answer()))

    async def receive() -> Message:
        return {"type": "http.request"}

    sent = asyncio.run(sent_by(Narthex(app, config(p=offer(respond=slow))), http_scope("GET", "/"), receive))
    assert [message.get("status") for message in sent] == [401, None]
    assert b"own" not in sent[-1]["body"]


def test_what_a_failed_start_has_spawned_runs_once_after_the_next() -> None:
    runs: list[int] = []
    fails = iter([True, True, False])

    async def poll() -> None:
        runs.append(1)

    def begin() -> None:
        table_class.house.spawn(poll)
        if next(fails):
            raise RuntimeError("not yet")

    table = offer(start=begin)
    table_class: Any = vars(__import__("tests.guests", fromlist=["x"]))[str(table["use"]).partition(":")[2]]

    async def play() -> None:
        house = Narthex(Hello(), config(p=table))
        for _ in range(3):
            house._life._failed_at = -1e9
            await request(house, "GET", "/")
        while not runs:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)

    asyncio.run(play())
    assert runs == [1]


def test_an_async_subscriber_that_leaves_takes_its_task_along() -> None:
    async def hear(event: HookFailed) -> None: ...

    async def play() -> int:
        tasks = Tasks()
        bus = EventBus(tasks)
        tasks.start()
        before = len(asyncio.all_tasks())
        for _ in range(20):
            bus.subscribe(HookFailed, hear)()
        await asyncio.sleep(0.01)
        left = len(asyncio.all_tasks()) - before
        await tasks.stop()
        return left

    assert asyncio.run(play()) == 0


def test_background_work_does_not_go_on_as_whoever_caused_it() -> None:
    seen: list[Identity | None] = []

    async def work() -> None:
        seen.append(current_identity())

    def vet(exchange: Exchange) -> Deny | None:
        house = vars(__import__("tests.guests", fromlist=["x"]))[str(table["use"]).partition(":")[2]].house
        house.spawn(work)
        return None

    table = offer(authenticate=lambda exchange: Identity(subject="root"), vet=vet)

    async def play() -> None:
        await request(Narthex(Hello(), config(p=table)), "GET", "/")
        while not seen:
            await asyncio.sleep(0.001)

    asyncio.run(play())
    assert seen == [None]


def test_what_an_outside_wrapper_makes_of_the_path_is_judged() -> None:
    def rewriting(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"].removeprefix("/v2")
            await app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

        return wrapped

    tables = config(w=offer(wrap=lambda: Outside(rewriting)), r={"use": "tests.guests:Rule", "path": "/admin/**"})
    assert asyncio.run(request(Narthex(Hello(), tables), "GET", "/v2/admin")).status == 401
    assert asyncio.run(request(Narthex(Hello(), tables), "GET", "/v2/else")).status == 200


def test_a_late_probe_does_not_start_a_house_that_was_shut_down() -> None:
    starts: list[int] = []
    tables = config(p=offer(start=lambda: starts.append(1)), health={})

    async def play() -> int | None:
        house = Narthex(Hello(), tables)
        lifespan: asyncio.Queue[Message] = asyncio.Queue()
        for kind in ("lifespan.startup", "lifespan.shutdown"):
            lifespan.put_nowait({"type": kind})

        async def send(message: Message) -> None: ...

        await house({"type": "lifespan", "asgi": {}}, lifespan.get, send)
        await request(house, "GET", "/healthz")
        return (await request(house, "GET", "/")).status

    assert asyncio.run(play()) == 503
    assert starts == [1]


def test_an_access_service_that_is_empty_is_still_the_one_that_answers() -> None:
    class Nobody(list[str]):
        def has_role(self, identity: Identity, role: str) -> bool:
            return False

        def has_permission(self, identity: Identity, permission: str) -> bool:
            return False

    house = Narthex(Hello())
    house._walk.built.tenancy.services.complete = False
    house._walk.built.tenancy.services.provide(Permissions, Nobody(), "access")
    house._walk.built.tenancy.services.complete = True
    assert not house._walk.built.tenancy.permissions().has_role(
        Identity(subject="a", roles=frozenset({"admin"})), "admin"
    )


def test_a_probe_meets_no_guard() -> None:
    tables = config(night=offer(vet=lambda exchange: Deny(403, "closed")), health={})
    house = Narthex(Hello(), tables)
    assert asyncio.run(request(house, "GET", "/healthz")).status == 200
    assert asyncio.run(request(house, "GET", "/")).status == 403


def test_the_name_of_an_app_is_not_the_app() -> None:
    with pytest.raises(TypeError, match="narthex run"):
        Narthex("main:app")  # type: ignore[arg-type]


def test_the_bytes_of_a_guards_refusal_are_counted() -> None:
    seen: list[Exchange] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(Exception):
            guarded()
        await send(start())

    reply = asyncio.run(request(Narthex(app, config(o=eye(seen))), "GET", "/"))
    assert seen[0].bytes_out == len(reply.body) > 0
