"""The plugin in a house, driven over ASGI: what it tells, what is dropped, how streams end, what becomes of the log."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select, update

from narthex import Identity, Narthex
from narthex.errors import DependencyError
from narthex.events import AlertFired, Event, ExchangeRefused
from narthex.testing import Client, Hello, config, request
from narthex_plugins import events
from narthex_plugins.auth.events import AccountCreated, LoginFailed
from narthex_plugins.events.asking import interest
from narthex_plugins.events.event import make
from narthex_plugins.events.plugin import Events
from narthex_plugins.events.rules import Need
from narthex_plugins.events.subscriber import Subscriber, refused
from narthex_plugins.events.tables import kept
from tests.core.store.conftest import store_url

__all__ = ["store_url"]
TOPICS = [{"topic": "kept.>", "read": "public", "durable": True}, {"topic": ">", "read": "public"}]


def house(store: str = "memory", **more: Any) -> Client:
    return Client(Narthex(Hello(), config({"store": store}, events={"topics": TOPICS, **more})))


def plugin(client: Client) -> Events:
    found = client.house.guests[0].plugin
    assert isinstance(found, Events)
    return found


class Stream:
    """One stream, whose client reads as it is told to."""

    def __init__(self) -> None:
        self.text = ""
        self.open = asyncio.Event()
        self.open.set()
        self.gone = asyncio.Event()
        self.ended = False
        self.writes = 0

    async def send(self, message: Any) -> None:
        await self.open.wait()
        self.writes += 1
        self.text += message.get("body", b"").decode()
        self.ended = message["type"] == "http.response.body" and not message.get("more_body")

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def blocks(self, name: str) -> list[Any]:
        """What stood behind `data:` of each event, or gap."""
        lines = [line[6:] for line in self.text.splitlines() if line.startswith("data: ")]
        return [one for line in lines if (name in (one := json.loads(line)))]

    async def until(self, words: str) -> None:
        async with asyncio.timeout(60):
            while words not in self.text:
                await asyncio.sleep(0.002)


@asynccontextmanager
async def stream(client: Client, query: str = "", left: str = "") -> AsyncIterator[Stream]:
    one = Stream()
    headers = [(b"last-event-id", left.encode())] if left else []
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/_narthex/events", "headers": headers}
    scope |= {"query_string": query.encode(), "http_version": "1.1", "scheme": "http"}
    scope |= {"asgi": {"version": "3.0", "spec_version": "2.3"}, "client": ("127.0.0.1", 1)}
    task = asyncio.create_task(client.house(scope, one.receive, one.send))
    try:
        await one.until("\nid: ")
        yield one
    finally:
        one.open.set()
        one.gone.set()
        async with asyncio.timeout(60):
            await task


def test_without_the_plugin_publishing_does_nothing() -> None:
    assert asyncio.run(events.publish("a.b", {})) is None
    events.post("a.b", {})
    assert events.publish_blocking("a.b", {}) is None


def test_what_waits_leaves_in_one_write_and_in_order() -> None:
    async def follow() -> None:
        async with stream(client) as one:
            before = one.writes
            for number in range(20):
                events.post("now.n", {"n": number})
            await one.until('"n":19')
            assert [each["data"]["n"] for each in one.blocks("topic")] == list(range(20))
            assert one.writes == before + 1

    with house(house=False) as client:
        client.run(follow())


def test_a_client_that_reads_too_slowly_is_told_what_it_missed_and_holds_up_nobody() -> None:
    async def follow() -> None:
        async with stream(client) as slow, stream(client) as quick:
            slow.open.clear()
            for number in range(400):
                await events.publish("now.n", {"n": number, "filling": "x" * 200})
                await asyncio.sleep(0)
            await quick.until('"n":399')
            (held,) = [one for one in plugin(client)._hub if one.busy]
            assert held.size <= 8192
            slow.open.set()
            await slow.until('"n":399')
            (gap,) = slow.blocks("gap")
            got = [each["data"]["n"] for each in slow.blocks("topic")]
            assert gap["gap"]["reason"] == "dropped"
            assert gap["gap"]["count"] + len(got) == 400
            assert got == sorted(got)
            assert quick.blocks("gap") == []
            assert len(quick.blocks("topic")) == 400

    with house(house=False, queue="8KiB") as client:
        client.run(follow())


def test_a_client_that_reads_too_slowly_is_cut_off_and_resumes() -> None:
    async def follow() -> None:
        async with stream(client) as slow:
            slow.open.clear()
            ids = [await events.publish("kept.n", {"n": number, "filling": "x" * 200}) for number in range(100)]
            slow.open.set()
            async with asyncio.timeout(60):
                while not slow.ended:
                    await asyncio.sleep(0.002)
            seen = [each["id"] for each in slow.blocks("id")]
        left = seen[-1] if seen else slow.text.partition("id: ")[2].split()[0]
        async with stream(client, left=left) as again:
            await again.until('"n":99')
            assert [*seen, *(each["id"] for each in again.blocks("id"))] == ids

    with house(house=False, queue="8KiB", slow="disconnect") as client:
        client.run(follow())


def test_what_was_swept_away_is_a_gap(store_url: str) -> None:
    async def follow() -> None:
        ids = [str(await events.publish("kept.n", {"n": number})) for number in range(5)]
        rows = plugin(client)._follower._rows
        store = plugin(client)._house.store
        old = kept.c.version <= 3
        await store.write(lambda connection: connection.execute(update(kept).where(old).values(at=0.0)))
        assert await store.write(lambda connection: rows.sweep(connection, time.time(), 60.0)) == 3
        left = await store.read(lambda connection: list(connection.execute(select(kept.c.version)).scalars()))
        assert sorted(left) == [4, 5]
        async with stream(client, left=ids[0]) as one:
            await one.until('"n":4')
            assert one.blocks("gap") == [{"gap": {"reason": "retention"}}]
            assert [each["id"] for each in one.blocks("id")] == ids[3:]
        async with stream(client, left=ids[2]) as one:  # all that it missed is there
            await one.until('"n":4')
            assert one.blocks("gap") == []

    with house(store_url, house=False) as client:
        client.run(follow())


def test_the_house_tells_without_what_is_secret() -> None:
    told: list[Event] = [
        LoginFailed(instance="auth", name="hunter2", client="10.0.0.1"),
        AlertFired(
            key="k", name="Slow", severity="page", summary="slow", value=1.0, above=0.5, runbook="docs/slow.md"
        ),
        ExchangeRefused(
            exchange_id="r1", method="GET", path="/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVk", client=None,
            subject=None, status=401, code="c", reason="token=abcdefgh12345678", rule="", plugin="p", where="",
        ),
    ]  # fmt: skip

    async def follow() -> None:
        async with stream(client) as one:
            for event in told:
                plugin(client)._house.events.publish(event)
            await one.until("narthex.refused")
            failed, alert, refused = one.blocks("topic")
            assert "hunter2" not in one.text
            assert "eyJzdWIi" not in one.text
            assert "abcdefgh12345678" not in one.text
            assert failed["data"] == {"instance": "auth", "client": "10.0.0.1", "wait": 0.0}
            assert (alert["topic"], alert["key"], alert["data"]["name"]) == ("narthex.alert.fired", "k", "Slow")
            assert (refused["request"], refused["data"]["status"]) == ("r1", 401)

    with house() as client:
        client.run(follow())


def test_what_every_process_tells_of_is_kept_once(store_url: str) -> None:
    fact = AccountCreated(instance="auth", version=1, at=1.0, subject="s", name="alice", roles=("user",))
    topics = [{"topic": ">", "read": "public", "durable": True}]

    async def follow() -> None:
        bus = plugin(client)._house.events
        async with stream(client, "topic=auth.>") as one:
            for _ in range(3):
                bus.publish(fact)
            await events.publish("auth.end", {})
            await one.until("auth.end")
            assert [each["topic"] for each in one.blocks("topic")] == ["auth.account.created", "auth.end"]

    with Client(Narthex(Hello(), config({"store": store_url}, events={"topics": topics}))) as client:
        client.run(follow())


def test_a_flood_of_refusals_is_no_flood_of_events() -> None:
    refused = ExchangeRefused(
        exchange_id="r", method="GET", path="/", client=None, subject=None, status=401, code="c", reason="", rule="",
        plugin="p", where="",
    )  # fmt: skip

    async def follow() -> None:
        async with stream(client, "topic=narthex.refused&topic=now.>") as one:
            for _ in range(500):
                plugin(client)._house.events.publish(refused)
            await events.publish("now.end", {})
            await one.until("now.end")
            assert len(one.blocks("topic")) < 100

    with house(house_rate=5) as client:
        client.run(follow())


def test_too_many_streams_are_refused() -> None:
    async def follow() -> None:
        for _ in range(2):  # what has left makes room
            async with stream(client), stream(client):
                answer = await request(client.house, "GET", "/_narthex/events", client=("127.0.0.1", 1))
                assert (answer.status, answer.json()["code"]) == (429, "streams_full")

    with house(house=False, streams_each=2) as client:
        client.run(follow())
        assert len(plugin(client)._hub) == 0


def test_a_permission_that_was_taken_away_counts_after_a_moment() -> None:
    class Holder:
        given: bool | None = True

        def has_permission(self, identity: Any, permission: str) -> bool:
            if self.given is None:
                raise DependencyError("nobody knows")
            return self.given

    async def follow() -> None:
        holder: Any = Holder()

        async def send(message: Any) -> None: ...

        one = Subscriber("sse", interest([], None, []), Identity(subject="bob"), lambda: holder, send, "bob")
        event = make("a.b", {"owner": "bob"}, None, 0.0, None, 1000)
        need = Need("a:read", (), "", durable=False)
        assert not refused(one, need, event)
        holder.given = False
        assert not refused(one, need, event)
        one.recheck()
        assert refused(one, need, event)
        assert not refused(one, Need("a:read", ("owner",), "", durable=False), event)
        holder.given = None
        one.recheck()
        assert refused(one, need, event)
        assert one.reason
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)

    asyncio.run(follow())


@pytest.fixture
def serving() -> Iterator[Client]:
    with house(house=False) as made:
        yield made


def test_stopping_ends_streams_so_that_clients_come_back(serving: Client) -> None:
    async def follow() -> None:
        async with stream(serving) as one:
            await plugin(serving).stop()
            assert one.ended
            assert one.text.startswith("retry: ")

    serving.run(follow())


@pytest.mark.parametrize("durable", [False, True])
def test_publishing_from_a_thread_reaches_streams(serving: Client, durable: bool) -> None:
    topic = "kept.thread" if durable else "now.thread"

    async def follow() -> None:
        async with stream(serving) as one:
            given = await asyncio.to_thread(events.publish_blocking, topic, {"n": 1})
            assert bool(given) is durable
            await asyncio.to_thread(events.post, topic, {"n": 2})
            await one.until('"n":2')
            assert [each["data"]["n"] for each in one.blocks("topic")] == [1, 2]

    serving.run(follow())
