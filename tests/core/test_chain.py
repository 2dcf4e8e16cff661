"""One plan per path, worked out once, from a bounded memory."""

import asyncio
from typing import Any

from narthex import PUBLIC, Route
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.chain import _CACHED_PATHS, Chain, fold
from narthex.paths import PathSet
from narthex.plan import Step
from narthex.routetable import RouteTable
from narthex.testing import http_scope, request, websocket_scope
from tests.apps import Hello


def step(hook: str) -> Step:
    return Step(lambda exchange: None, "p", "p", hook, is_async=False)


async def endpoint(request: object) -> None: ...


def chain(*stages: str, routes: RouteTable | None = None, **paths: Any) -> Chain:
    opened, quiet = paths.pop("opened", ()), paths.pop("quiet", ())
    steps = {stage: [step(stage)] for stage in stages}
    return Chain(steps, routes or RouteTable(), PathSet(opened), PathSet(quiet), **paths)


def scope(path: str, method: str = "GET", **more: Any) -> Scope:
    return {**http_scope(method, "/"), "path": path, **more}


def test_without_paths_of_its_own_every_path_has_the_same_plan() -> None:
    made = chain("vet")
    assert made.plan(scope("/a"), "http") is made.plan(scope("/b"), "websocket")
    assert not made._cache["http"]


def test_a_chain_is_bare_only_if_nothing_at_all_stands_in_it() -> None:
    assert chain().bare
    assert not chain("observe").bare
    assert not chain(quiet=["/a"]).bare
    assert not chain(routes=RouteTable([("p", "", Route(path="/a", endpoint=endpoint, access=PUBLIC))])).bare


def test_open_paths_skip_authorize_and_quiet_ones_say_so() -> None:
    made = chain("authorize", "observe", opened=["/a/**"], quiet=["/a/b"])
    plan = made.plan(scope("/a/b"), "http")
    assert (plan.open, plan.quiet, plan.authorize, len(plan.observe)) == (True, True, (), 1)
    other = made.plan(scope("/c"), "http")
    assert (other.open, other.quiet, len(other.authorize)) == (False, False, 1)


def test_a_plan_is_found_by_the_route_path_not_by_the_raw_one() -> None:
    made = chain("authorize", opened=["/a"])
    assert made.plan(scope("/app/a", root_path="/app"), "http").open
    assert not made.plan(scope("/app/a"), "http").open
    assert not made.plan(scope("/a", root_path="/a"), "http").open


def test_a_path_is_guarded_where_a_guard_identifier_or_policy_stands() -> None:
    for stage in ("admit", "authenticate", "vet", "authorize"):
        assert chain(stage).plan(scope("/"), "http").guarded
    for stage in ("witness", "respond", "observe"):
        assert not chain(stage).plan(scope("/"), "http").guarded


def test_strict_paths_can_be_switched_off_but_not_the_guard() -> None:
    plan = chain("vet", strict_paths=False).plan(scope("/"), "http")
    assert (plan.guarded, plan.strict) == (True, False)


def test_a_plugins_path_has_a_plan_per_method_and_refuses_the_others() -> None:
    table = RouteTable([("p", "", Route(path="/a", endpoint=endpoint, access="a:b", methods=("GET", "POST")))])
    made = chain("authorize", routes=table, opened=["/**"])
    get, put = made.plan(scope("/_narthex/a"), "http"), made.plan(scope("/_narthex/a", "PUT"), "http")
    assert get.taken is not None
    assert (get.open, get.authorize, get.guarded) == (False, (), True)
    assert (put.taken, put.allowed_methods) == (None, ("GET", "HEAD", "POST"))
    assert made.plan({**websocket_scope("/"), "path": "/_narthex/a"}, "websocket").taken is None


def test_the_memory_of_plans_is_bounded() -> None:
    made = chain("vet", opened=["/open/**"])
    for number in range(3 * _CACHED_PATHS):
        made.plan(scope(f"/open/{number}"), "http")
        assert len(made._cache["http"]) <= _CACHED_PATHS
    assert made.plan(scope("/open/1"), "http") is made.plan(scope("/open/1"), "http")


def test_wrappers_fold_with_the_first_outermost() -> None:
    lines: list[str] = []

    def wrap(name: str) -> Any:
        def wrapper(app: ASGIApp) -> ASGIApp:
            async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
                lines.append(name)
                await app(scope, receive, send)

            return wrapped

        return wrapper

    asyncio.run(request(fold([wrap("a"), wrap("b")], Hello()), "GET", "/"))
    assert lines == ["a", "b"]
