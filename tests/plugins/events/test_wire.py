"""Streams over the wire: two workers on one store, real clients."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from narthex_plugins.events.client import Event, EventStream, Gap, StreamRefused
from tests.wire.narthex_run import LIMIT, House

ROOT = "root"
BOB = "bob"


def within(work: Coroutine[Any, Any, None], limit: float = LIMIT) -> None:
    async def limited() -> None:
        async with asyncio.timeout(limit):
            await work

    asyncio.run(limited())


async def publish(house: House, topic: str, n: int = 1, **query: object) -> dict[str, Any]:
    """Have a worker publish; on a connection of its own, so that it may be either."""
    params: dict[str, Any] = {"topic": topic, "n": n, **query}
    async with httpx.AsyncClient(timeout=LIMIT) as client:
        answer = await client.get(f"{house.url}/publish", params=params)
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def stream(house: House, *topics: str, token: str | None = ROOT, **more: Any) -> AsyncIterator[EventStream]:
    """One that is connected."""
    async with EventStream(f"{house.url}/_narthex/events", topics, token=token, **more) as made:
        await made.connect()
        yield made


async def take(reader: EventStream, count: int) -> list[Any]:
    found = []
    async for one in reader:
        found.append(one)
        if len(found) == count:
            break
    return found


def test_what_one_process_publishes_is_received_in_all(house: House) -> None:
    async def follow() -> None:
        for topic in ("public.news", "orders.paid"):
            readers = [stream(house, topic) for _ in range(8)]
            open_now = [await one.__aenter__() for one in readers]
            pids = set[int]()
            sent = 0
            while len(pids) < 2:  # until both workers have published
                pids.add((await publish(house, topic, 1, **{"from": sent}))["pid"])
                sent += 1
            for one in open_now:
                assert sorted(event.data["n"] for event in await take(one, sent)) == list(range(sent))
            for reader in readers:
                await reader.__aexit__(None, None, None)

    within(follow())


def test_a_client_that_was_away_resumes_without_a_gap_or_a_double(house: House) -> None:
    async def follow() -> None:
        async with stream(house, "orders.resumed") as reader:
            await publish(house, "orders.resumed", 3)
            seen = await take(reader, 3)
        await publish(house, "orders.resumed", 900, **{"from": 3})  # more than a page
        async with stream(house, "orders.resumed", last_event_id=seen[1].id) as reader:
            await publish(house, "orders.resumed", 1, **{"from": 903})
            found = await take(reader, 902)
        assert [one.data["n"] for one in found] == list(range(2, 904))

    within(follow())


def test_a_client_that_was_cut_before_its_first_event_misses_nothing(house: House) -> None:
    async def follow() -> None:
        async with stream(house, "orders.early") as reader:
            left = reader.last_event_id
        assert left
        await publish(house, "orders.early", 2)
        async with stream(house, "orders.early", last_event_id=left) as reader:
            assert [one.data["n"] for one in await take(reader, 2)] == [0, 1]

    within(follow())


@pytest.mark.parametrize("left", ["1-ffffffff", "999999999-0", "17", "x y"])
def test_an_id_that_the_log_does_not_know_is_a_gap(house: House, left: str) -> None:
    async def follow() -> None:
        await publish(house, "orders.unknown")
        async with stream(house, "orders.unknown", last_event_id=left) as reader:
            assert await take(reader, 1) == [Gap(reason="unknown")]

    within(follow())


def test_each_reads_what_they_may_and_nothing_else(house: House) -> None:
    async def follow() -> None:
        async with (
            stream(house, token="eve orders:read") as eve,
            stream(house, "orders.>", "canvas.*.*", token="bob canvas:b:read") as bob,
            stream(house, token=None) as nobody,
        ):
            for subject in ("bob", "eve"):
                await publish(house, "orders.mine", subject=subject)
            for collection in ("a", "b"):
                await publish(house, f"canvas.{collection}.saved")
            await publish(house, "public.end")
            # What is kept and what is not may come in either order.
            assert {(one.topic, one.data.get("subject")) for one in await take(eve, 3)} == {
                ("orders.mine", "bob"),
                ("orders.mine", "eve"),
                ("public.end", None),
            }
            assert {one.topic for one in await take(bob, 2)} == {"orders.mine", "canvas.b.saved"}
            assert [one.topic for one in await take(nobody, 1)] == ["public.end"]

    within(follow())


@pytest.mark.parametrize(
    ("query", "token", "status", "code"),
    [
        ({"topic": "auth.login"}, "bob", 403, "permission_denied"),
        ({"topic": "canvas.a.saved"}, "bob canvas:b:read", 403, "permission_denied"),
        ({"topic": "auth.>"}, None, 401, "authentication_required"),
        ({"topic": "a..b"}, "root", 400, "request_invalid"),
        ({"topic": "{a}.b"}, "root", 400, "request_invalid"),
        ({"where": "x"}, "root", 400, "request_invalid"),
        ({"topic": ["a"] * 17}, "root", 400, "request_invalid"),
    ],
)
def test_who_may_not_read_is_refused(
    house: House, query: dict[str, Any], token: str | None, status: int, code: str
) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = httpx.get(f"{house.url}/_narthex/events", params=query, headers=headers, timeout=LIMIT)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    topics = query.get("topic", [])

    async def follow() -> None:
        async with EventStream(
            f"{house.url}/_narthex/events",
            [topics] if isinstance(topics, str) else topics,
            where=[query["where"]] if "where" in query else (),
            token=token,
        ) as reader:
            with pytest.raises(StreamRefused) as refused:
                await take(reader, 1)
            assert (refused.value.status, refused.value.code) == (status, code)

    within(follow())


def test_filters_and_keys_narrow_a_stream(house: House) -> None:
    async def follow() -> None:
        async with stream(house, "public.*", key="k1", where=["colour:red"]) as reader:
            for key, colour in (("k1", "blue"), ("k2", "red"), ("k1", "red")):
                await publish(house, "public.filtered", key=key, colour=colour)
            (found,) = await take(reader, 1)
            assert (found.key, found.data["colour"]) == ("k1", "red")

    within(follow())


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [
        ({"topic": "orders.posted", "data": {"n": 1}}, "root", 201),
        ({"topic": "public.posted", "data": 1, "key": "k"}, "bob events:publish", 202),
        ({"topic": "canvas.a.moved", "data": 1}, "bob canvas:a:write", 202),
        ({"topic": "canvas.a.moved", "data": 1}, "bob canvas:b:write", 403),
        ({"topic": "narthex.refused", "data": 1}, "root", 403),
        ({"topic": "a b", "data": 1}, "root", 400),
        ({"topic": "a"}, "root", 400),
        ({"topic": "a", "data": 1, "id": 7}, "root", 400),
        ({"topic": "a", "data": "x" * 65_600}, "root", 400),
        ({"topic": "a", "data": "x" * 99_000}, "root", 413),
        ([], "root", 400),
        ({"topic": "public.posted", "data": 1}, None, 401),
    ],
)
def test_publishing_over_http(house: House, body: object, token: str | None, status: int) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = httpx.post(f"{house.url}/_narthex/events", json=body, headers=headers, timeout=LIMIT)
    assert answer.status_code == status, answer.text
    assert bool(answer.json().get("id")) is (status == 201)


def test_a_websocket_gets_the_same(house: House) -> None:
    async def follow() -> None:
        url = f"{house.url.replace('http', 'ws')}/_narthex/events/ws"
        headers = {"authorization": f"Bearer {ROOT}"}
        async with connect(f"{url}?topic=orders.socket", additional_headers=headers) as socket:
            left = json.loads(await socket.recv())["open"]["id"]
            sent = await publish(house, "orders.socket", 20)
            found = await lines(socket.recv, 20)
            assert [one["id"] for one in found] == sent["ids"]
        async with connect(f"{url}?topic=orders.socket&last_event_id={left}", additional_headers=headers) as socket:
            assert [one["id"] for one in (await lines(socket.recv, 21))[1:]] == sent["ids"]
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{url}?topic=auth.>", additional_headers={"authorization": f"Bearer {BOB}"}):
                pass
        assert refused.value.response.status_code == 403

    within(follow())


async def lines(receive: Callable[[], Any], count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += [json.loads(line) for line in (await receive()).splitlines() if line]
    return found


def test_a_heartbeat_has_no_id(house: House) -> None:
    async def follow() -> None:
        async with (
            httpx.AsyncClient(timeout=LIMIT) as client,
            client.stream("GET", f"{house.url}/_narthex/events?topic=public.silent") as answer,
        ):
            text = ""
            async for more in answer.aiter_text():
                text += more
                if "\n:\n\n" in text:
                    break
        assert [text.count(one) for one in ("id: ", "retry: ")] == [1, 1]

    within(follow())


def test_head_answers_and_ends(house: House) -> None:
    answer = httpx.head(f"{house.url}/_narthex/events?topic=public.x", timeout=LIMIT)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_a_client_that_never_reads_holds_up_nobody(house: House) -> None:
    """What it is sent is more than its socket, the server's buffer and its queue hold together."""
    address = urlsplit(house.url)

    async def follow() -> None:
        with socket.create_connection((address.hostname, address.port)) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(b"GET /_narthex/events?topic=public.flood HTTP/1.1\r\nhost: x\r\n\r\n")
            async with stream(house, "public.flood", token=None) as reader:
                for turn in range(10):
                    await publish(house, "public.flood", 50, filling="x" * 4000, **{"from": turn * 50})
                    seen = [one.data["n"] for one in await take(reader, 50)]
                    assert seen == list(range(turn * 50, turn * 50 + 50))

    within(follow())


def test_random_cuts_leave_no_gap_and_no_double(house: House) -> None:
    within(cut(house, 30, 6))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_random_cuts_leave_no_gap_and_no_double(house: House) -> None:
    within(cut(house, 1000, 50), 840)


async def cut(house: House, cuts: int, readers: int) -> None:
    """Readers that are cut off at random bytes, again and again, while both workers publish to a durable topic."""
    topic, dice = f"orders.cut{cuts}", random.Random(7)
    stop, left_off, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    sent: list[str] = []
    away = 0

    async def talk() -> None:
        while not stop.is_set():
            sent.extend((await publish(house, topic, dice.randint(1, 5)))["ids"])
            await asyncio.sleep(dice.random() * 0.04)

    async def read(times: int) -> list[str]:
        nonlocal away
        found: list[str] = []
        left = begin
        for _ in range(times):
            found_now, left = await piece(house, topic, left, dice.randint(0, 3000))
            found += found_now
        away += 1
        if away == readers:
            left_off.set()
        async with EventStream(f"{house.url}/_narthex/events", [topic], token=ROOT, last_event_id=left) as reader:
            await ended.wait()
            while not found or found[-1] != sent[-1]:
                (one,) = await take(reader, 1)
                assert isinstance(one, Event), one
                found.append(str(one.id))
        return found

    _, begin = await piece(house, topic, "", 30)
    async with asyncio.TaskGroup() as group:
        talking = [group.create_task(talk()) for _ in range(2)]
        reading = [group.create_task(read(cuts // readers)) for _ in range(readers)]
        await left_off.wait()
        stop.set()
        await asyncio.gather(*talking)
        sent.sort(key=version)
        ended.set()
    for task in reading:
        assert task.result() == sent


def version(id_: str) -> int:
    return int(id_.partition("-")[0])


async def piece(house: House, topic: str, left: str, size: int) -> tuple[list[str], str]:
    """Read so many bytes, then hang up in the middle of whatever comes; the ids of whole events, and the last id."""
    address = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    resume = f"last-event-id: {left}\r\n" if left else ""
    fields = f"host: x\r\nauthorization: Bearer {ROOT}\r\n{resume}"
    writer.write(f"GET /_narthex/events?topic={topic} HTTP/1.1\r\n{fields}\r\n".encode())
    data = await reader.readuntil(b"\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 200 "), data
    body, raw = b"", 0
    while raw < size or b"\n\n" not in body:
        chunk = await reader.readuntil(b"\r\n")
        length = int(chunk, 16)
        some = await reader.readexactly(length + 2)
        cut_at = length if raw + length < size or b"\n\n" not in body + some[:length] else max(0, size - raw)
        raw += length
        body += some[: max(cut_at, (some[:length].find(b"\n\n") + 2) if b"\n\n" not in body else 0)]
    writer.transport.abort()
    ids, last = [], left
    for block in body.split(b"\n\n")[:-1]:
        assert not block.startswith(b"event: gap"), block
        for line in block.split(b"\n"):
            if line.startswith(b"id: "):
                last = line[4:].decode()
                if b"data: " in block:
                    ids.append(last)
    return ids, last
