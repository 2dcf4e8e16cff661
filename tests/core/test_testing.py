"""What `narthex.testing` gives to authors of plugins."""

import asyncio
from pathlib import Path

import pytest

from narthex import AUTHENTICATED, Exchange, Identity, Narthex, Route, current_identity, testing
from narthex.asgi import Receive, Scope, Send
from narthex.errors import ConfigError, StartError
from narthex.metrics import Metrics
from narthex.testing import (
    ASKING,
    Client,
    Counted,
    FixedClock,
    Hello,
    Reply,
    a_plugin,
    an_exchange,
    as_identity,
    config,
    memory_store,
    request,
    websocket,
)
from narthex_contrib.guestbook.tables import tables
from tests.apps import body, calls, start
from tests.guests import PlainGuard, offer


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})
        await send({"type": "websocket.send", "bytes": b"not a text"})


async def order(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"order": 7}'})


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    given = await receive()
    await send(start(200, *scope["headers"]))
    await send(body(given["body"]))


def test_a_body_is_read_as_json() -> None:
    assert asyncio.run(request(order, "GET", "/")).json() == {"order": 7}
    with pytest.raises(ValueError, match="Expecting value"):
        Reply().json()


def test_the_texts_of_a_websocket_are_at_hand() -> None:
    assert asyncio.run(websocket(echo, "/", ["a", "b"])).texts == ["A", "B"]


def test_what_is_offered_is_all_there() -> None:
    assert [name for name in testing.__all__ if not hasattr(testing, name)] == []


def test_a_client_keeps_one_house_running() -> None:
    steps: list[str] = []
    table = offer(start=lambda: steps.append("start"), stop=lambda: steps.append("stop"))
    with Client(config=config(seen=table)) as client:
        assert [client.get("/").body, client.post("/", json={}).status] == [b"hello", 200]
        assert client.websocket("/", ["a"]).texts == ["a"]
        assert steps == ["start"]
    assert steps == ["start", "stop"]


def test_a_client_sends_what_it_was_told_to() -> None:
    with Client(Narthex(mirror), headers=[("x-always", "1")]) as client:
        reply = client.post("/", [("x-once", "2")], json={"a": 1})
    assert reply.body == b'{"a": 1}'
    assert [reply.headers[name] for name in ("x-always", "x-once", "content-type")] == ["1", "2", "application/json"]


def test_a_client_whose_house_cannot_start_says_why() -> None:
    def fails() -> None:
        raise RuntimeError("no such door")

    with pytest.raises(StartError, match="no such door"), Client(config=config(p=offer(start=fails))):
        pass


def test_a_client_outside_its_block_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="with Client"):
        Client().get("/")


def test_background_tasks_go_on_while_a_client_waits() -> None:
    done: list[int] = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append(1)

    def begins(exchange: Exchange) -> None:
        client.house.guests[0].plugin.house.spawn(work)  # type: ignore[attr-defined]  # `offer` keeps it there

    with Client(config=config(p=offer(observe=begins))) as client:
        client.get("/")
        client.wait_until(lambda: done)
    assert done == [1]


def test_a_test_says_who_asks() -> None:
    with Client(calls(lambda: seen.append(current_identity())), config(who=ASKING)) as client:
        seen: list[Identity | None] = []
        with as_identity("alice", roles=["admin"], token_id="t1") as alice:
            client.get("/")
            with as_identity(Identity(subject="bob")):
                client.get("/")
        client.get("/")
    assert [identity and identity.subject for identity in seen] == ["alice", "bob", None]
    assert (alice.roles, alice.token_id) == (frozenset({"admin"}), "t1")


def test_it_is_believed_by_a_plugins_endpoints() -> None:
    async def answer(_: object) -> Hello:
        return Hello()

    table = offer(routes=lambda: [Route(path="/mine", endpoint=answer, access=AUTHENTICATED)])
    with Client(config=config(who=ASKING, p=table)) as client:
        assert client.get("/_narthex/mine").status == 401
        with as_identity("alice"):
            assert client.get("/_narthex/mine").status == 200


def test_a_house_that_would_not_notice_who_asks_is_not_driven() -> None:
    with Client() as client, as_identity("alice"), pytest.raises(LookupError, match="who=ASKING"):
        client.get("/")
    with pytest.raises(TypeError, match="as it is"), as_identity(Identity(subject="alice"), roles=["admin"]):
        pass


def test_a_hook_is_called_by_hand_with_fakes() -> None:
    guard = a_plugin(PlainGuard, {"mood": "deny"}, clock=FixedClock())
    assert guard.vet(an_exchange("GET", "/orders")).code == "test_denied"
    with pytest.raises(ConfigError, match="mood"):
        a_plugin(PlainGuard, {"mood": "odd"})


def test_an_exchange_is_made_of_what_a_test_says() -> None:
    exchange = an_exchange("WEBSOCKET", "/chat?a=1", [("x-a", "b")], identity=Identity(subject="alice"), client=None)
    assert (exchange.method, exchange.route_path, exchange.query, exchange.headers["x-a"], exchange.client) == (
        *("WEBSOCKET", "/chat", "a=1", "b"),
        None,
    )


def test_a_store_in_memory_has_the_tables_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> int:
        async with memory_store(tables) as store:
            count = await store.read(lambda connection: connection.exec_driver_sql("SELECT * FROM guestbook_visits"))
            return len(count.all())

    assert asyncio.run(main()) == 0
    with Client(config=config({}, guestbook={})) as client:
        assert client.get("/_narthex/guestbook").json() == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_plugin_counts_is_added_up() -> None:
    metrics, counted = Metrics(), Counted()
    metrics.attach(counted)
    metrics.counter("made_total", "Made.", ("kind",)).inc("a", by=2)
    metrics.gauge("open", "Open.").set(3)
    metrics.histogram("seconds", "Took.").observe(0.5)
    assert (counted["made_total", "a"], counted["open"], counted["seconds"], counted["none"]) == (2, 3, [0.5], 0)
