"""The walk of one request, DESIGN §3, seen from outside; and what the app and the caller find in the scope."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from narthex import (
    PUBLIC,
    Allow,
    Answer,
    Deny,
    DependencyError,
    Exchange,
    Identity,
    Inside,
    Narthex,
    Outside,
    Route,
    current_exchange,
    current_identity,
)
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.context import exchange_var
from narthex.testing import Reply, config, drive, http_scope, request, websocket
from tests.apps import Hello, app_of, body, calls, start
from tests.guests import eye, offer

ALICE = Identity(subject="alice", roles=frozenset({"user"}))


def get(house: ASGIApp, target: str = "/", **headers: str) -> Reply:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return asyncio.run(request(house, "GET", target, pairs))


# -- the stages


def test_the_stages_are_asked_in_the_order_of_the_design() -> None:
    asked: list[str] = []

    def hook(stage: str, given: Any = None) -> Any:
        def said(exchange: Exchange) -> Any:
            asked.append(stage)
            return given

        return said

    stages = {"observe": None, "respond": None, "witness": None, "vet": None, "admit": None}
    table = offer(
        authorize=hook("authorize", Allow()), authenticate=hook("authenticate"), **{n: hook(n) for n in stages}
    )
    get(Narthex(calls(lambda: asked.append("app")), config(all=table)))
    before = ["admit", "authenticate", "vet", "authorize", "witness"]
    assert asked == [*before, "app", "witness", "respond", "observe"]


def test_the_first_identifier_that_answers_wins() -> None:
    asked: list[str] = []

    def identifier(name: str, given: Identity | None) -> dict[str, object]:
        def authenticate(exchange: Exchange) -> Identity | None:
            asked.append(name)
            return given

        return offer(authenticate=authenticate)

    seen: list[Exchange] = []
    get(
        Narthex(
            Hello(),
            config(
                a=identifier("first", None), b=identifier("second", ALICE), c=identifier("third", ALICE), eye=eye(seen)
            ),
        )
    )
    assert (asked, seen[0].identity) == (["first", "second"], ALICE)


def test_any_deny_of_a_policy_wins_over_an_earlier_allow() -> None:
    tables = config(yes=offer(authorize=lambda exchange: Allow()), no=offer(authorize=lambda exchange: Deny(403, "no")))
    assert get(Narthex(Hello(), tables)).status == 403


def test_where_a_policy_stands_no_allow_at_all_is_a_refusal() -> None:
    silent = offer(authorize=lambda exchange: None)
    known = offer(authenticate=lambda exchange: ALICE)
    nobody = offer(authenticate=lambda exchange: None)
    assert get(Narthex(Hello(), config(p=silent))).status == 403
    assert get(Narthex(Hello(), config(p=silent, a=known))).status == 403
    assert get(Narthex(Hello(), config(p=silent, a=nobody))).status == 401


def test_an_allow_is_the_exchanges_verdict_with_who_gave_it() -> None:
    seen: list[Exchange] = []
    get(Narthex(Hello(), config(p=offer(authorize=lambda exchange: Allow("fine", "rule 3")), eye=eye(seen))))
    assert seen[0].verdict == Allow("fine", "rule 3")
    assert seen[0].decided_by is not None
    assert seen[0].decided_by.instance == "p"


def test_an_answer_is_sent_in_place_of_the_app_and_is_no_refusal() -> None:
    app = Hello()
    preflight = offer(admit=lambda exchange: Answer(307, [(b"location", b"/there")], b"go"))
    reply = get(Narthex(app, config(a=preflight)))
    assert (reply.status, reply.headers["location"], reply.body, app.reached) == (307, "/there", b"go", False)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("secret detail"), 500, "guard_failed"),
        (TimeoutError("secret detail"), 503, "guard_timed_out"),
        (DependencyError("secret detail", retry_after=3), 503, "dependency_unavailable"),
        (asyncio.CancelledError("secret detail"), 500, "guard_failed"),
    ],
)
@pytest.mark.parametrize("stage", ["admit", "authenticate", "vet", "authorize"])
def test_a_guard_that_fails_refuses(stage: str, error: BaseException, status: int, code: str) -> None:
    def hook(exchange: Exchange) -> None:
        raise error

    app = Hello()
    reply = get(Narthex(app, config(g=offer(**{stage: hook}))))
    assert (reply.status, app.reached, code.encode() in reply.body, b"secret" in reply.body) == (
        status,
        False,
        True,
        False,
    )


def test_a_guard_that_hangs_is_given_up_after_its_time() -> None:
    async def vet(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    reply = get(Narthex(Hello(), config(g=offer({"timeout": 0.01}, vet=vet))))
    assert (reply.status, b"guard_timed_out" in reply.body) == (503, True)


def test_shadow_counts_and_logs_what_would_be_refused_and_lets_it_pass(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "narthex.shadow")
    reply = get(
        Narthex(Hello(), config(g=offer({"mode": "shadow"}, vet=lambda exchange: Deny(403, "closed", "night"))))
    )
    assert reply.status == 200
    assert "g would have refused GET '/': closed night" in caplog.text


# -- open and quiet paths


def opened(**tables: dict[str, object]) -> Narthex:
    return Narthex(Hello(), {"narthex": {"open": ["/open"]}, **config(**tables)})


@pytest.mark.parametrize("stage", ["authenticate", "vet"])
def test_on_an_open_path_a_401_only_makes_the_caller_anonymous(stage: str) -> None:
    seen: list[Exchange] = []
    tables = {stage: offer(**{stage: lambda exchange: Deny(401, "token_expired")})}
    if stage == "vet":
        tables["auth"] = offer(authenticate=lambda exchange: ALICE)
    house = opened(**tables, eye=eye(seen))
    assert (get(house, "/open").status, get(house, "/shut").status) == (200, 401)
    assert (seen[0].identity, seen[0].verdict) == (None, None)


def test_on_an_open_path_the_walk_goes_on_with_the_next_hook() -> None:
    seen: list[Exchange] = []
    bad, good = offer(authenticate=lambda exchange: Deny(401, "bad")), offer(authenticate=lambda exchange: ALICE)
    get(opened(bad=bad, good=good, eye=eye(seen)), "/open")
    assert seen[0].identity is ALICE


@pytest.mark.parametrize(
    ("stage", "verdict"),
    [("admit", Deny(401, "x")), ("authenticate", Deny(403, "x")), ("vet", Deny(429, "x")), ("vet", Answer(204))],
)
def test_on_an_open_path_any_other_verdict_holds(stage: str, verdict: Deny | Answer) -> None:
    assert get(opened(g=offer(**{stage: lambda exchange: verdict})), "/open").status == verdict.status


def test_on_an_open_path_no_policy_is_asked_but_everything_else_is() -> None:
    asked: list[str] = []
    table = offer(
        authorize=lambda exchange: asked.append("authorize"),
        **{n: (lambda exchange, n=n: asked.append(n)) for n in ("admit", "vet", "witness", "respond", "observe")},
    )
    assert get(opened(all=table), "/open").status == 200
    assert asked == ["admit", "vet", "witness", "witness", "respond", "observe"]


def test_a_quiet_path_is_observed_and_says_that_it_is_quiet() -> None:
    seen: list[Exchange] = []
    house = Narthex(Hello(), {"narthex": {"quiet": ["/ping"]}, **config(eye=eye(seen))})
    get(house, "/ping")
    get(house, "/other")
    assert [exchange.plan.quiet for exchange in seen] == [True, False]


# -- odd requests


@pytest.mark.parametrize("target", ["/a//b", "/a/../b", "/a%2fb", "/a\\b", "/a%00"])
def test_an_odd_path_is_refused_before_any_guard_where_one_stands(target: str) -> None:
    asked: list[str] = []
    house = Narthex(Hello(), config(g=offer(admit=lambda exchange: asked.append("admit"))))
    reply = get(house, target)
    assert (reply.status, b'"odd_path"' in reply.body, asked) == (400, True, [])
    assert get(Narthex(Hello(), config(e=eye([]))), target).status == 200


@pytest.mark.parametrize("strict", [True, False])
def test_several_authorization_fields_are_refused_also_where_odd_paths_are_not(strict: bool) -> None:
    pairs = [("authorization", "Bearer a"), ("Authorization", "Bearer b")]
    house = Narthex(Hello(), {"narthex": {"strict_paths": strict}, **config(g=offer(vet=lambda exchange: None))})
    reply = asyncio.run(request(house, "GET", "/", pairs))
    assert (reply.status, b'"credentials_ambiguous"' in reply.body) == (400, True)
    assert get(house, "/a//b").status == (400 if strict else 200)


def test_a_pass_through_lets_several_authorization_fields_be() -> None:
    pairs = [("authorization", "Bearer a"), ("authorization", "Bearer b")]
    assert asyncio.run(request(Narthex(Hello()), "GET", "/a//b", pairs)).status == 200


# -- response headers


@pytest.mark.parametrize("verdict", [None, Deny(403, "no"), Answer(204)])
def test_response_headers_stand_on_answers_of_every_kind(verdict: Deny | Answer | None) -> None:
    table = offer(vet=lambda exchange: verdict, respond=lambda exchange: [(b"x-a", b"1")])
    assert get(Narthex(Hello(), config(a=table))).headers.getlist("x-a") == ["1"]


def test_response_headers_stand_on_accepts_and_denials() -> None:
    def first(verdict: Deny | None) -> Any:
        table = offer(vet=lambda exchange: verdict, respond=lambda exchange: [(b"x-a", b"1")])
        return asyncio.run(websocket(Narthex(Hello(), config(a=table)), "/")).messages[0]

    accepted, denied = first(None), first(Deny(403, "no"))
    assert (accepted["type"], accepted["headers"]) == ("websocket.accept", [(b"x-a", b"1")])
    assert (denied["type"], denied["headers"][-1]) == ("websocket.http.response.start", (b"x-a", b"1"))


BAD_FIELDS: list[Any] = [
    [("x-a", "1")],
    [(b"x-a", b"1\r\nx-b: 2")],
    [(b"x a", b"1")],
    [(b"", b"1")],
    [(b"x:a", b"1")],
    [(b"x-a", b" 1")],
    [(b"x-a",)],
    {b"x-a": b"1"},
    "x-a",
    7,
]


@pytest.mark.parametrize("given", BAD_FIELDS)
def test_header_fields_that_no_server_would_send_are_left_out_with_their_plugin(given: object) -> None:
    tables = config(bad=offer(respond=lambda exchange: given), good=offer(respond=lambda exchange: [(b"x-good", b"1")]))
    reply = get(Narthex(Hello(), tables))
    assert reply.starts[0]["headers"] == [(b"content-length", b"5"), (b"x-good", b"1")]


# -- exceptions of the app


def broken() -> None:
    raise LookupError("secret detail")


def test_an_apps_exception_goes_on_to_the_server_and_is_observed_as_500() -> None:
    seen: list[tuple[Exchange, int | None, BaseException | None]] = []
    table = offer(observe=lambda exchange: seen.append((exchange, exchange.status, exchange.error)))
    reply = get(Narthex(calls(broken), config(eye=table)))
    assert (reply.messages, type(reply.error)) == ([], LookupError)
    ((exchange, *observed),) = seen
    assert observed == [500, reply.error]
    assert exchange.error is None  # or its traceback, and with it the connection, would live until a collection


def test_with_errors_problem_core_answers_it_with_the_plugins_headers_and_raises_it_on() -> None:
    tables = config(a=offer(respond=lambda exchange: [(b"x-a", b"1")]))
    reply = get(Narthex(calls(broken), {"narthex": {"errors": "problem"}, **tables}))
    assert (reply.status, reply.headers["x-a"], type(reply.error)) == (500, "1", LookupError)
    assert b'"internal_error"' in reply.body
    assert b"secret" not in reply.body


def test_with_errors_problem_nothing_is_added_once_the_response_has_begun() -> None:
    async def late(receive: Receive, send: Send) -> None:
        await send(start())
        broken()

    reply = get(Narthex(app_of(late), {"narthex": {"errors": "problem"}}))
    assert (reply.messages, type(reply.error)) == ([start()], LookupError)


# -- the scope


def test_where_nothing_is_asked_for_the_app_gets_the_callers_own_scope() -> None:
    app = Hello()
    scope = http_scope("GET", "/")
    for house in (Narthex(app), Narthex(app, config(e=eye([])))):
        asyncio.run(drive(house, scope, []))
        assert app.scopes[-1] is scope
    assert scope == http_scope("GET", "/")


class Marking:
    """Sets keys as routers and tracers do, and fails where told."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = "/orders/{id}"
        scope["path"] = "/changed"
        del scope["query_string"]
        if self.fails:
            raise LookupError
        await send(start())
        await send(body())


@pytest.mark.parametrize("fails", [False, True])
def test_keys_that_the_app_set_are_handed_back_and_nothing_else_is_written(fails: bool) -> None:
    house = Narthex(Marking(fails=fails), config(auth=offer(authenticate=lambda exchange: ALICE)))
    scope = http_scope("GET", "/orders/1")
    before = dict(scope)
    asyncio.run(drive(house, scope, []))
    assert scope == {**before, "route": "/orders/{id}", "path": "/changed"}


def test_a_refused_exchange_leaves_the_callers_scope_as_it_was() -> None:
    table = offer(authenticate=lambda exchange: ALICE, vet=lambda exchange: Deny(403, "no"))
    scope = http_scope("GET", "/")
    asyncio.run(drive(Narthex(Hello(), {"narthex": {"expose": ["starlette"]}, **config(a=table)}), scope, []))
    assert scope == http_scope("GET", "/")


# -- the context


def test_the_app_and_its_tasks_know_the_exchange_and_the_identity() -> None:
    found: list[object] = []

    async def part() -> None:
        found.append(current_identity())

    async def work() -> None:
        found.append(current_exchange())
        await asyncio.create_task(part())

    seen: list[Exchange] = []
    get(Narthex(calls(work), config(auth=offer(authenticate=lambda exchange: ALICE), eye=eye(seen))))
    assert found == [seen[0], ALICE]


def test_after_the_walk_nothing_is_current_also_after_an_exception() -> None:
    async def main() -> None:
        for app in (Hello(), calls(broken)):
            await request(Narthex(app), "GET", "/")
            assert exchange_var.get() is None

    asyncio.run(main())


def test_nested_houses_each_have_their_own_exchange() -> None:
    found: list[Exchange | None] = []
    inner = Narthex(calls(lambda: found.append(current_exchange())), config(e=eye([])))

    async def between(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)
        found.append(current_exchange())

    seen: list[Exchange] = []
    get(Narthex(between, config(eye=eye(seen))))
    assert found[0] is not found[1]
    assert found[1] is seen[0]


# -- wrappers


def wrapper(name: str, lines: list[str]) -> Any:
    def wrap(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            lines.append(f"{name} in")
            await app(scope, receive, send)
            lines.append(f"{name} out")

        return wrapped

    return wrap


def test_outside_wrappers_see_refusals_and_inside_ones_do_not() -> None:
    lines: list[str] = []
    verdict: list[Deny | None] = [Deny(403, "no"), None]
    tables = config(
        b=offer(wrap=lambda: Inside(wrapper("b", lines))),
        a=offer(wrap=lambda: Outside(wrapper("a", lines))),
        c=offer(wrap=lambda: Inside(wrapper("c", lines)), vet=lambda exchange: verdict.pop(0)),
    )
    house = Narthex(Hello(), tables)
    assert get(house).status == 403
    assert lines == ["a in", "a out"]
    assert get(house).status == 200
    assert lines[2:] == ["a in", "b in", "c in", "c out", "b out", "a out"]


def test_an_outside_wrapper_may_change_what_a_refusal_says() -> None:
    def wrap(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            async def own(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], (b"x-outside", b"1")]}
                await send(message)

            await app(scope, receive, own)

        return wrapped

    table = offer(wrap=lambda: Outside(wrap), vet=lambda exchange: Deny(403, "no"))
    assert get(Narthex(Hello(), config(a=table))).headers["x-outside"] == "1"


# -- plugin routes


def page(text: str) -> Any:
    async def endpoint(request: object) -> PlainTextResponse:
        return PlainTextResponse(text)

    return endpoint


def test_a_plugins_path_wins_over_the_apps_and_has_its_own_methods() -> None:
    app, seen = Hello(), list[Exchange]()
    routes = (Route(path="/page/{id}", endpoint=page("ours"), access=PUBLIC, methods=("GET", "POST")),)
    house = Narthex(app, config(a=offer(routes=lambda: routes), eye=eye(seen)))
    assert get(house, "/_narthex/page/7").body == b"ours"
    assert asyncio.run(request(house, "HEAD", "/_narthex/page/7")).status == 200
    put = asyncio.run(request(house, "PUT", "/_narthex/page/7"))
    assert (put.status, put.headers["allow"]) == (405, "GET, HEAD, POST")
    assert seen[0].route == "/_narthex/page/{id}"
    assert not app.reached
    assert get(house, "/page/7").body == b"hello"


def test_an_early_route_is_served_before_the_house_has_started_and_any_other_waits() -> None:
    async def main() -> list[object]:
        gate = asyncio.Event()

        async def begin() -> None:
            await gate.wait()

        routes = (
            Route(path="/alive", endpoint=page("alive"), access=PUBLIC, early=True, at_root=True),
            Route(path="/page", endpoint=page("page"), access=PUBLIC),
        )
        house = Narthex(Hello(), config(a=offer(start=begin, routes=lambda: routes)))
        alive = await request(house, "GET", "/alive")
        page_ = asyncio.ensure_future(request(house, "GET", "/_narthex/page"))
        await asyncio.sleep(0.01)
        waiting = not page_.done()
        gate.set()
        return [alive.body, waiting, (await page_).body]

    assert asyncio.run(main()) == [b"alive", True, b"page"]


# -- websockets


def test_a_refused_websocket_gets_a_denial_response_or_is_closed_before_its_accept() -> None:
    house = Narthex(Hello(), config(a=offer(vet=lambda exchange: Deny(403, "closed"))))
    offered = asyncio.run(websocket(house, "/"))
    assert (offered.status, offered.complete) == (403, True)
    bare = asyncio.run(websocket(house, "/", denial=False))
    assert bare.messages == [{"type": "websocket.close", "code": 1008, "reason": "closed"}]


def test_a_websocket_that_is_gone_before_its_refusal_gets_none() -> None:
    house = Narthex(Hello(), config(a=offer(vet=lambda exchange: Deny(403, "closed"))))
    gone = {"type": "websocket.disconnect", "code": 1006}
    scope = {**http_scope("GET", "/"), "type": "websocket"}
    assert asyncio.run(drive(house, scope, [gone])).messages == []


def test_scopes_of_other_kinds_pass_untouched() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "x.seen", "scope": scope})

    scope = {"type": "x.own"}
    assert asyncio.run(drive(Narthex(app, config(e=eye([]))), scope, [])).messages[0]["scope"] is scope
