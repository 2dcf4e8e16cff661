"""Both engines make the same spans; what is said of the one holds for the other."""

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.instrumentation import _semconv
from opentelemetry.instrumentation.utils import suppress_instrumentation

from narthex import Deny, Exchange, Identity, Narthex, current_exchange, require_role
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.errors import ConfigError, StartError
from narthex.hooks import Outside
from narthex.testing import config, drive, http_scope, request, websocket
from tests.apps import Hello, app_of, body, http, start
from tests.guests import offer
from tests.plugins.tracing.traced import ENGINES, Kept, spans_of, told

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CONVENTIONS = {"old": "", "stable": "http", "both": "http/dup"}


@require_role("engineer")
def for_engineers() -> None:
    """Refuse everybody here."""


@pytest.fixture(params=CONVENTIONS)
def convention(request: pytest.FixtureRequest) -> Iterator[str]:
    """One after the other; the library reads the variable once a process."""
    once = _semconv._OpenTelemetrySemanticConventionStability
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", CONVENTIONS[request.param])
        once._initialized = False
        yield request.param
    once._initialized = False


def orders() -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{number}")
    async def order(number: int) -> dict[str, int]:
        span = trace.get_current_span()
        span.set_attribute("order.number", number)
        span.set_attribute("order.none", None)
        return {"number": number}

    @app.get("/sync/{number}")
    def in_a_thread(number: int) -> dict[str, int]:
        trace.get_current_span().set_attribute("order.number", number)
        return {"number": number}

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("the order was lost")

    @app.get("/engineers")
    async def engineers() -> None:
        for_engineers()

    return app


async def traffic(house: Narthex) -> None:
    """Whatever a client may send."""
    agent = ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")
    for method, target, fields in (
        ("GET", "/orders/7?a=b&x=%20y", [("host", "shop.example:8443"), agent]),
        ("GET", "/orders/7", [("host", "a"), ("host", "b"), ("traceparent", PARENT), ("tracestate", "v=1")]),
        ("GET", "/orders/7", [("traceparent", PARENT[:-1] + "0")]),
        ("GET", "/orders/7", [("traceparent", "00-junk"), ("baggage", "k=v")]),
        ("HEAD", "/orders/7", []),
        ("GET", "/sync/9", []),
        ("GET", "/fail", []),
        ("GET", "/engineers", []),
        ("GET", "/nowhere?sig=abc&AWSAccessKeyId=x", [("host", "user:pass@shop")]),
        ("BREW", "/orders/1", []),
        ("GET", "/a%20b ", []),
        ("GET", "/%3Fsig=abc", []),
    ):
        await request(house, method, target, fields)


def both(patch: pytest.MonkeyPatch, app: Any, send: Any, **more: Any) -> list[dict[str, Any]]:
    """What the spans of both engines say, once it is clear that they say the same."""
    otel, lean = ([told(span) for span in spans_of(patch, engine, app, send, **more)] for engine in ENGINES)
    assert otel == lean
    assert otel
    return otel


def test_the_same_spans_over_http(convention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = both(monkeypatch, orders(), traffic, sample=1.0)
    # A caller that does not sample is followed: eleven of twelve.
    assert len(spans) == 11
    first = spans[0]
    assert first["name"] == "GET /orders/{number}"
    assert first["attributes"]["order.number"] == 7
    assert first["attributes"]["http.route"] == "/orders/{number}"
    assert first["schema"] == f"https://opentelemetry.io/schemas/{'1.11.0' if convention == 'old' else '1.21.0'}"
    assert ("http.request.method" in first["attributes"]) is (convention != "old")
    assert ("http.method" in first["attributes"]) is (convention != "stable")
    assert spans[1]["parent"] == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    assert spans[1]["remote"]


def test_an_app_that_answers_500_and_then_raises_has_its_exception_on_the_span(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(house: Narthex) -> None:
        await request(house, "GET", "/fail")

    (span,) = both(monkeypatch, orders(), send)
    assert span["status"] == (trace.StatusCode.ERROR, "RuntimeError: the order was lost")
    assert span["events"][0][1]["exception.message"] == "the order was lost"
    assert span["attributes"]["http.status_code"] == 500
    assert span["attributes"]["http.route"] == "/fail"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_span_ends_with_the_last_of_the_body_and_not_with_what_the_app_does_after_it(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[int] = []

    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"all"))
        answered.append(time.time_ns())
        await asyncio.sleep(0.01)

    async def send(house: Narthex) -> None:
        await request(house, "GET", "/x")

    (span,) = spans_of(monkeypatch, engine, app_of(app), send)
    assert span.end_time is not None
    assert span.end_time <= answered[0]


def test_an_app_that_only_raises_has_its_route_on_the_span(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(receive: Receive, send: Send) -> None:
        raise KeyError("order")

    async def send(house: Narthex) -> None:
        await request(house, "GET", "/x")

    (span,) = both(monkeypatch, app_of(app), send)
    assert span["status"][0] is trace.StatusCode.ERROR
    assert [name for name, _ in span["events"]] == ["exception"]


def test_refusals_have_a_span_that_says_by_whom_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(house: Narthex) -> None:
        await request(house, "GET", "/orders/7")
        await websocket(house, "/ws")

    closed = {"closed": offer(admit=lambda exchange: Deny(403, "closed", "it is night"))}
    spans = both(monkeypatch, orders(), send, more=config(**closed)["plugins"])
    assert [span["attributes"]["narthex.refusal.code"] for span in spans] == ["closed", "closed"]
    assert [span["attributes"]["narthex.refusal.plugin"] for span in spans] == ["closed", "closed"]
    assert spans[0]["attributes"]["http.status_code"] == 403
    assert spans[0]["name"] == "GET /orders/7"
    assert "night" not in repr(spans)


def test_the_refusal_of_a_guard_in_the_app_is_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(house: Narthex) -> None:
        await request(house, "GET", "/engineers")

    async def raw(receive: Receive, send: Send) -> None:
        for_engineers()

    for app in (orders(), app_of(raw)):
        (span,) = both(monkeypatch, app, send)
        assert span["attributes"]["http.status_code"] == 401
        assert span["attributes"]["narthex.refusal.code"] == "authentication_required"
        assert not span["events"]
        assert span["status"][0] is trace.StatusCode.UNSET


def test_the_same_spans_of_websockets(convention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        raise RuntimeError("the line is cut")

    async def refusing(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1000})

    async def send(house: Narthex) -> None:
        await websocket(house, "/ws", ["one", "two"])

    for app, status in ((Hello(), trace.StatusCode.UNSET), (app_of(broken), trace.StatusCode.ERROR)):
        (span,) = both(monkeypatch, app, send)
        assert span["status"][0] is status
        assert span["kind"] is trace.SpanKind.SERVER
    (span,) = both(monkeypatch, app_of(refusing), send)
    assert convention in CONVENTIONS


def test_an_outer_span_is_the_parent_and_ours_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = trace.NonRecordingSpan(trace.SpanContext(5, 7, is_remote=False, trace_flags=trace.TraceFlags(1)))

    async def send(house: Narthex) -> None:
        token = contexts.attach(trace.set_span_in_context(outer))
        await request(house, "GET", "/orders/7", [("traceparent", PARENT)])
        contexts.detach(token)

    (span,) = both(monkeypatch, orders(), send)
    assert (span["kind"], span["parent"]) == (trace.SpanKind.INTERNAL, (5, 7))


def test_the_scope_of_a_wrapper_before_it_is_the_one_that_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrapped(app: ASGIApp) -> ASGIApp:
        async def put(scope: Scope, receive: Receive, send: Send) -> None:
            fields = [(b"traceparent", PARENT.encode()), (b"host", b"inner.example"), (b"user-agent", b"wrapper")]
            await app({**scope, "headers": fields, "path": "/orders/8"}, receive, send)

        return put

    async def send(house: Narthex) -> None:
        await request(house, "GET", "/orders/7", [("host", "outer.example")])

    before = config(first=offer(wrap=lambda: Outside(wrapped)))["plugins"]
    (span,) = both(monkeypatch, orders(), send, before=before)
    assert span["parent"] == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    assert span["attributes"]["http.url"] == "http://inner.example/orders/8"
    assert span["attributes"]["http.user_agent"] == "wrapper"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_app_knows_of_a_trace_that_is_not_kept(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[trace.SpanContext] = []

    async def app(receive: Receive, send: Send) -> None:
        seen.append(trace.get_current_span().get_span_context())
        await send(start())
        await send(body())

    async def send(house: Narthex) -> None:
        await request(house, "GET", "/", [("traceparent", PARENT[:-1] + "0")])
        assert not contexts.get_current()

    assert spans_of(monkeypatch, engine, app_of(app), send) == []
    assert [(one.trace_id, one.trace_flags & 1) for one in seen] == [(0x0AF7651916CD43DD8448EB211C80319C, 0)]


def test_where_instrumentation_is_suppressed_there_is_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(house: Narthex) -> None:
        with suppress_instrumentation():
            assert (await request(house, "GET", "/orders/7")).status == 200

    assert [spans_of(monkeypatch, engine, orders(), send) for engine in ENGINES] == [[], []]


def test_captured_header_fields_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
    monkeypatch.setenv(f"{names}SERVER_REQUEST", "accept.*,x-secret,authorization")
    monkeypatch.setenv(f"{names}SERVER_RESPONSE", "content-type")
    monkeypatch.setenv(f"{names}SANITIZE_FIELDS", ".*secret")

    async def send(house: Narthex) -> None:
        fields = [("accept", "text/html"), ("x-secret", "s"), ("authorization", "Bearer abcdefghijklmnop0123456789")]
        await request(house, "GET", "/orders/7", fields)

    (span,) = both(monkeypatch, orders(), send)
    seen = span["attributes"]
    assert list(seen["http.request.header.accept"]) == ["text/html"]
    assert list(seen["http.response.header.content_type"]) == ["application/json"]
    assert list(seen["http.request.header.x_secret"]) == ["[redacted]"]
    assert "abcdefghijklmnop" not in repr(span)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_exchange_bears_the_trace_id_of_its_span(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    async def app(receive: Receive, send: Send) -> None:
        exchange = current_exchange()
        assert exchange is not None
        context = trace.get_current_span().get_span_context()
        assert exchange.trace_id == f"{context.trace_id:032x}"
        await send(start())
        await send(body())

    async def send(house: Narthex) -> None:
        await request(house, "GET", "/", [("traceparent", PARENT)])

    def observe(exchange: Exchange) -> None:
        seen.append(exchange.trace_id)

    spans_of(monkeypatch, engine, app_of(app), send, more=config(eye=offer(observe=observe))["plugins"])
    assert seen == ["0af7651916cd43dd8448eb211c80319c"]


@pytest.mark.parametrize("engine", ENGINES)
def test_quiet_paths_have_no_span(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(house: Narthex) -> None:
        await request(house, "GET", "/orders/7")

    assert spans_of(monkeypatch, engine, orders(), send, narthex={"quiet": ["/orders/**"]}) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_subject_is_named_where_that_is_asked_for(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = config(who=offer(authenticate=lambda exchange: Identity(subject="alice")))["plugins"]

    async def send(house: Narthex) -> None:
        await request(house, "GET", "/orders/7")

    for subject in (True, False):
        (span,) = spans_of(monkeypatch, engine, orders(), send, more=known, subject=subject)
        assert (span.attributes or {}).get("user.id") == ("alice" if subject else None)


def test_messages_have_spans_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(house: Narthex) -> None:
        await request(house, "GET", "/orders/7")

    spans = spans_of(monkeypatch, "otel", orders(), send, messages=["send"])
    assert [span.name for span in spans][-1] == "GET /orders/{number}"
    assert len(spans) == 3
    assert all("send" in span.name for span in spans[:-1])


TEXT = st.binary(max_size=12)
FIELD = st.tuples(
    st.sampled_from([b"host", b"user-agent", b"traceparent", b"tracestate", b"baggage", b"content-length", b"x"]),
    st.one_of(TEXT, st.sampled_from([PARENT.encode(), b"\\u12", b"\xff\\x", b"testing", b"[::1", b"a@b"])),
)
SCOPES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["http", "websocket"]),
        "method": st.sampled_from(["GET", "get", "BREW", "QUERY", " "]),
        "path": st.text(max_size=8).map("/".__add__),
        "query_string": TEXT,
        "headers": st.lists(FIELD, max_size=4),
        "server": st.sampled_from([None, ("a", 80), ("a", 443), ("/run/x.sock", None)]),
        "client": st.sampled_from([None, ("10.0.0.1", 5), ("", 0)]),
    }
)


def test_any_scope_has_the_same_span_and_reaches_the_app_as_it_is() -> None:
    seen: list[Scope] = []

    async def app(given: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(given))
        await receive()
        if given["path"].endswith("0"):
            raise RuntimeError("no")
        await send(start() if given["type"] == "http" else {"type": "websocket.accept"})
        await send(body() if given["type"] == "http" else {"type": "websocket.close", "code": 1000})

    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        kept = [Kept(runner, patch, engine, http(app)) for engine in ENGINES]

        @settings(max_examples=150, deadline=None)
        @given(drawn=SCOPES)
        def same(drawn: dict[str, Any]) -> None:
            scope: Scope = {**http_scope("GET", "/"), **drawn}
            if scope["type"] == "websocket":
                scope = {**scope, "scheme": "ws", "subprotocols": []}
                del scope["method"]
            seen.clear()
            first = "http.request" if scope["type"] == "http" else "websocket.connect"
            for one in kept:
                reply = runner.run(drive(one.house, dict(scope), [{"type": first}]))
                assert (reply.error is not None) is scope["path"].endswith("0")
            assert seen == [scope, scope]
            otel, lean = ([told(span) for span in one.spans()] for one in kept)
            assert otel == lean
            assert len(otel) == 1

        same()
        for one in kept:
            runner.run(one.house._life.close())


def test_an_exporter_that_is_not_installed_stops_the_start() -> None:
    house = Narthex(orders(), {"plugins": {"tracing": {"exporter": "zipkin"}}})
    with pytest.raises(StartError, match="no exporter 'zipkin' is installed"):
        asyncio.run(house._life.start())


def test_messages_need_the_engine_that_can() -> None:
    with pytest.raises(ConfigError, match='`messages` needs `engine = "otel"`'):
        Narthex(orders(), {"plugins": {"tracing": {"messages": ["send"]}}})


def test_a_house_that_has_not_started_its_engine_serves_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Message] = []

    async def hear(message: Message) -> None:
        said.append(message)

    async def send(house: Narthex) -> None:
        await request(house, "GET", "/orders/1")
        await house._life.close()
        await house(http_scope("GET", "/orders/2"), asyncio.Event().wait, hear)  # type: ignore[arg-type]

    for engine in ENGINES:
        assert len(spans_of(monkeypatch, engine, orders(), send)) >= 1
    assert os.environ.get("OTEL_SDK_DISABLED") is None
