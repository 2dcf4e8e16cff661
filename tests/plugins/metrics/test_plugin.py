import asyncio
import gzip
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from narthex import Deny, Exchange, Identity, Narthex, Settings, current_exchange, hookimpl
from narthex.errors import ConfigError
from narthex.testing import ASKING, Client, Hello, Reply, as_identity, config, request
from narthex_plugins.metrics import counter
from narthex_plugins.metrics.sheet import read_sheet
from tests.plugins.logging.drive import hello, running
from tests.plugins.metrics.reading import read_open, read_plain

OPEN = [("accept", "application/openmetrics-text; version=1.0.0")]
Figures = dict[tuple[str, ...], float]


class NoSettings(Settings):
    pass


class Tracer:
    """Says in which trace an exchange is, and refuses /secret."""

    name = "tracer"
    Settings = NoSettings

    def __init__(self, settings: object, house: object) -> None: ...

    @hookimpl
    def admit(self, exchange: Exchange) -> Deny | None:
        exchange.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        return Deny(403, "secret") if exchange.route_path == "/secret" else None


TRACER = {"use": f"{__name__}:Tracer"}


def table(directory: Path, **more: Any) -> dict[str, Any]:
    return {"directory": str(directory), "sample": 1, **more}


def figures(reply: Reply) -> Figures:
    assert reply.status == 200, reply.body
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in read_plain(reply.body.decode())
        for sample in family.samples
    }


def scraped(client: Client, path: str = "/api/metrics") -> Figures:
    return figures(client.get(path))


def requests(told: Figures) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in told.items() if key[0] == "narthex_http_requests_total"}


def shop() -> Starlette:
    async def order(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("one")

    async def fail(_request: Request) -> PlainTextResponse:
        raise KeyError("price")

    return Starlette(routes=[Route("/orders/{id}", order), Route("/fail", fail)])


def test_requests_are_counted_by_the_route_of_the_app(tmp_path: Path) -> None:
    with Client(shop(), config(metrics=table(tmp_path))) as client:
        for path in ("/orders/1", "/orders/2", "/nowhere", "/fail"):
            client.get(path)
        told = scraped(client)
    assert requests(told) == {
        ("GET", "/orders/{id}", "200"): 2,
        ("GET", "unmatched", "404"): 1,
        ("GET", "/fail", "500"): 1,
    }
    assert told["narthex_http_exceptions_total", "KeyError", "GET", "/fail"] == 1
    assert told["narthex_http_response_bytes_total", "GET", "/orders/{id}", "200"] == 6


def test_what_core_and_plugins_count_is_shown(tmp_path: Path) -> None:
    tracer = {**TRACER, "mode": "enforce"}
    shadow = {**TRACER, "mode": "shadow"}
    with Client(config=config(metrics=table(tmp_path), tracer=tracer, shadow=shadow)) as client:
        client.get("/secret")
        told = scraped(client)
    assert told["narthex_refusals_total", "secret", "tracer"] == 1
    assert told["narthex_hook_duration_seconds_count", "admit", "tracer"] >= 1
    assert told["narthex_processes",] == 1
    assert told["narthex_exchanges_in_flight", "http"] == 0
    assert told["narthex_process_cpu_seconds_total",] > 0


def test_shadow_denials_are_counted(tmp_path: Path) -> None:
    with Client(config=config(metrics=table(tmp_path), shadow={**TRACER, "mode": "shadow"})) as client:
        assert client.get("/secret").status == 200
        assert scraped(client)["narthex_shadow_denials_total", "secret", "shadow"] == 1


def test_the_store_tells_what_waits_and_what_was_lost(tmp_path: Path) -> None:
    with Client(config=config({}, metrics=table(tmp_path), guestbook={})) as client:
        told = scraped(client)
    assert told["narthex_queue_length", "store"] >= 0
    assert told["narthex_store_dropped_total",] == 0


def test_what_plugins_said_at_the_last_probe_is_shown(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    apart = table(tmp_path / "taken", together="parent")  # which it warns of
    with Client(config=config(metrics=apart, logging={"output": "/dev/null"}, health={})) as client:
        client.get("/readyz")
        told = scraped(client)
    assert [told["narthex_health_status", name] for name in ("metrics", "logging")] == [1, 0]


def test_the_app_counts_too(tmp_path: Path) -> None:
    sold = counter("test_plugin_sold_total", "Sold.", ["kind"])
    sold.inc("map")  # before anybody counts
    with Client(config=config(metrics=table(tmp_path))) as client:
        sold.inc("map", by=2)
        told = scraped(client)
    assert told["test_plugin_sold_total", "map"] == 2


def test_two_houses_both_have_what_the_app_counts(tmp_path: Path) -> None:
    sold = counter("test_plugin_sold_total", "Sold.", ["kind"])
    with (
        Client(config=config(metrics=table(tmp_path))) as one,
        Client(config=config(metrics=table(tmp_path))) as other,
    ):
        one.get("/")
        sold.inc("globe")
        told = scraped(one), scraped(other)
    assert [each["test_plugin_sold_total", "globe"] for each in told] == [1, 1]
    assert [sum(requests(each).values()) for each in told] == [1, 0]


def test_the_trace_of_a_request_is_its_exemplar(tmp_path: Path) -> None:
    with Client(config=config(metrics=table(tmp_path), tracer=TRACER)) as client:
        client.get("/")
        reply = client.get("/api/metrics", headers=OPEN)
    assert reply.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    exemplars = [
        sample.exemplar.labels
        for family in read_open(reply.body.decode())
        for sample in family.samples
        if sample.exemplar
    ]
    assert exemplars == [{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}]


def test_it_is_public_unless_a_permission_is_named(tmp_path: Path) -> None:
    with Client(config=config(metrics=table(tmp_path))) as client:
        assert client.get("/api/metrics").status == 200
    with Client(config=config(metrics=table(tmp_path, permission="metrics:read"))) as client:
        assert client.get("/api/metrics").status == 401


def test_head_and_compression_are_answered(tmp_path: Path) -> None:
    with Client(config=config(metrics=table(tmp_path))) as client:
        head = client.request("HEAD", "/api/metrics")
        zipped = client.get("/api/metrics", headers=[("accept-encoding", "gzip")])
    assert head.status == 200  # the body is the server's to leave out
    assert zipped.headers["content-encoding"] == "gzip"
    assert b"narthex_processes" in gzip.decompress(zipped.body)


def test_it_is_never_kept_by_a_cache(tmp_path: Path) -> None:
    with Client(config=config(metrics=table(tmp_path))) as client:
        assert client.get("/api/metrics").headers["cache-control"] == "no-store"


def test_quiet_scrapes_are_not_counted_and_others_are(tmp_path: Path) -> None:
    for quiet, counted in (([], 1), (["/api/metrics"], 0)):
        with Client(config=config({"quiet": quiet}, metrics=table(tmp_path))) as client:
            scraped(client)
            assert sum(requests(scraped(client)).values()) == counted


def test_many_scrapes_at_once_cost_no_more_than_two_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from narthex_plugins.metrics import scrape

    made = []

    def page(*args: Any, **more: Any) -> bytes:
        made.append(args)
        return b""

    monkeypatch.setattr(scrape, "page", page)

    async def all_at_once() -> None:
        house = Narthex(hello, config(metrics=table(tmp_path)))
        async with running(house):
            await asyncio.gather(*(request(house, "GET", "/api/metrics") for _ in range(50)))

    asyncio.run(all_at_once())
    assert 1 <= len(made) <= 2


def test_who_hangs_up_takes_the_page_from_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from narthex_plugins.metrics import scrape

    began, go = threading.Event(), threading.Event()
    on_behalf_of: list[Exchange | None] = []

    def page(*args: Any, **more: Any) -> bytes:
        on_behalf_of.append(current_exchange())
        began.set()
        assert go.wait(60)
        return b"figures"

    monkeypatch.setattr(scrape, "page", page)

    async def one_leaves() -> bytes:
        house = Narthex(hello, config(metrics=table(tmp_path)))
        async with running(house):
            asking = [asyncio.create_task(request(house, "GET", "/api/metrics"))]
            await asyncio.to_thread(began.wait, 60)
            # These two come while a page is being made, and are both to have the next.
            asking += [asyncio.create_task(request(house, "GET", "/api/metrics")) for _ in range(2)]
            for _ in range(20):
                await asyncio.sleep(0)
            asking[1].cancel()
            await asyncio.sleep(0)
            go.set()
            return (await asking[2]).body

    assert asyncio.run(one_leaves()) == b"figures"
    assert on_behalf_of == [None, None]


def test_a_reload_loses_nothing_that_was_counted(tmp_path: Path) -> None:
    sold = counter("test_plugin_sold_total", "Sold.", ["kind"])
    with Client(config=config(metrics=table(tmp_path))) as client:
        for number in range(5):
            client.get("/")
            sold.inc("atlas")
            client.run(client.house.reload(config(metrics=table(tmp_path, series=100 + number))))
        client.run(asyncio.sleep(0.1))  # the old ones retire
        told = scraped(client)
    assert requests(told) == {("GET", "unmatched", "200"): 5}
    assert told["test_plugin_sold_total", "atlas"] == 5
    assert told["narthex_processes",] == 1


def test_a_reload_that_fails_leaves_it_counting(tmp_path: Path) -> None:
    with Client(config=config(metrics=table(tmp_path))) as client:
        with pytest.raises(ConfigError):
            client.run(client.house.reload(config(metrics=table(tmp_path, series=0))))
        client.run(client.house.prepare(config(metrics=table(tmp_path, series=7))))
        client.run(client.house.abandon())
        client.get("/secret")
        sold = counter("test_plugin_sold_total", "Sold.", ["kind"])
        sold.inc("after")
        told = scraped(client)
    assert told["test_plugin_sold_total", "after"] == 1
    assert sum(requests(told).values()) == 1


def test_two_instances_count_the_same(tmp_path: Path) -> None:
    second = {**table(tmp_path, path="/second"), "use": "metrics"}
    with Client(config=config(metrics=table(tmp_path), tracer=TRACER, second=second)) as client:
        client.get("/secret")
        told = scraped(client), scraped(client, "/second")
    assert [each["narthex_refusals_total", "secret", "tracer"] for each in told] == [1, 1]
    assert [requests(each)["GET", "unmatched", "403"] for each in told] == [1, 1]


def test_what_is_watched_is_there_for_other_workers_though_nobody_scrapes_this_one(tmp_path: Path) -> None:
    with Client(hello, config(metrics=table(tmp_path))) as client:
        plugin: Any = client.house.guests[0].plugin
        plugin._house.metrics.gauge("test_plugin_depth", "Watched.").watch(lambda: 7.0)
        deadline, rows = time.monotonic() + 60, dict[str, list[float]]()
        while rows.get("test_plugin_depth") != [7.0]:
            assert time.monotonic() < deadline
            client.run(asyncio.sleep(0.1))
            for names in tmp_path.rglob("*.names"):
                rows = {row.family.name: list(row.values) for row in read_sheet(names, dead=False)}


def test_what_is_watched_is_left_to_the_others_as_it_was_at_last(tmp_path: Path) -> None:
    seen = [1.0]
    with Client(hello, config(metrics=table(tmp_path, together="parent"))) as client:
        plugin: Any = client.house.guests[0].plugin
        plugin._house.metrics.counter("test_plugin_watched_total", "Watched.").watch(lambda: seen[0])
        client.get("/api/metrics")
        seen[0] = 7.0
    (names,) = tmp_path.rglob("*.names")
    rows = {row.family.name: row.values for row in read_sheet(names, dead=True)}
    assert rows["test_plugin_watched_total"] == [7.0]


def test_nothing_is_left_when_it_stops(tmp_path: Path) -> None:
    with Client(config=config(metrics=table(tmp_path))) as client:
        client.get("/")
        assert len(list((tmp_path / f"narthex-{os.geteuid()}").iterdir())) == 1
    assert list((tmp_path / f"narthex-{os.geteuid()}").iterdir()) == []


def test_no_file_is_made_before_start(tmp_path: Path) -> None:
    Narthex(Hello(), config(metrics=table(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_it_counts_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("")
    with Client(config=config(metrics=table(tmp_path / "taken"))) as client:
        client.get("/")
        assert sum(requests(scraped(client)).values()) == 1
    assert caplog.records == []  # it is alone, so nothing is missing


def test_a_worker_that_cannot_be_put_together_with_the_others_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("")
    apart = table(tmp_path / "taken", together="parent")
    with Client(config=config(metrics=apart, health={"details": True})) as client:
        told = client.get("/readyz")
    assert (told.status, told.json()["checks"]["metrics"][0]["status"]) == (200, "warn")
    assert [one.levelno for one in caplog.records if one.name.endswith(".metrics")] == [logging.WARNING]


@pytest.mark.parametrize(
    "wrong", [{"buckets": ["1s", "100ms"]}, {"buckets": []}, {"path": "/{x}"}, {"permission": "x"}, {"together": "x"}]
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Narthex(Hello(), config(metrics={**table(tmp_path), **wrong}))


def test_off_means_that_nothing_is_imported() -> None:
    code = """
import asyncio, sys
from narthex import Narthex
from narthex.testing import Hello, request
asyncio.run(request(Narthex(Hello(), {"plugins": {"health": {}}}), "GET", "/"))
assert not {name for name in sys.modules if "prometheus" in name or "metrics." in name}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_apps_own_registry_is_left_alone(tmp_path: Path) -> None:
    from prometheus_client import REGISTRY, generate_latest

    before = generate_latest(REGISTRY).count(b"# TYPE")
    with Client(config=config(metrics=table(tmp_path))) as client:
        client.get("/")
        assert b"python_gc" not in client.get("/api/metrics").body
    assert generate_latest(REGISTRY).count(b"# TYPE") == before
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_a_permission_lets_its_holder_in(tmp_path: Path) -> None:
    reader = Identity(subject="prometheus", permissions=frozenset({"metrics:read"}))
    with Client(config=config(who=ASKING, metrics=table(tmp_path, permission="metrics:read"))) as client:
        with as_identity(reader):
            assert client.get("/api/metrics").status == 200
        with as_identity(Identity(subject="bob")):
            assert client.get("/api/metrics").status == 403
