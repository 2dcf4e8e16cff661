"""The plugins' endpoints: compiled once, conflicts found at boot."""

from typing import Any, Literal

import pytest

from narthex import AUTHENTICATED, PUBLIC, Route
from narthex.errors import PluginError
from narthex.routetable import RouteTable


async def endpoint(request: object) -> None: ...


def route(path: str, access: str = PUBLIC, **more: Any) -> Route:
    return Route(path=path, endpoint=endpoint, access=access, **more)


def table(*routes: Route, prefix: str = "/_narthex") -> RouteTable:
    return RouteTable(
        [(f"p{number}", f"narthex.toml:{number}", one) for number, one in enumerate(routes)], prefix=prefix
    )


def methods(found: RouteTable, path: str, kind: Literal["http", "websocket"] = "http") -> dict[str, str]:
    return {method: taken.instance for method, taken in found.match(kind, path).items()}


def test_routes_stand_below_the_prefix_unless_they_are_at_the_root() -> None:
    found = table(route("/a"), route("/b", at_root=True), prefix="/x")
    assert methods(found, "/x/a") == {"GET": "p0", "HEAD": "p0"}
    assert methods(found, "/b") == {"GET": "p1", "HEAD": "p1"}
    assert [methods(found, path) for path in ("/a", "/x/b", "/x/a/", "/x/a\n", "/x", "/X/a")] == [{}] * 6


def test_one_path_may_be_shared_by_different_methods() -> None:
    found = table(route("/a"), route("/a", methods=("POST", "PUT")))
    assert methods(found, "/_narthex/a") == {"GET": "p0", "HEAD": "p0", "POST": "p1", "PUT": "p1"}


def test_a_head_of_its_own_is_not_taken_by_get() -> None:
    own = RouteTable([("p", "", route("/a", methods=("HEAD",))), ("p", "", route("/a"))])
    assert len({id(taken) for taken in own.match("http", "/_narthex/a").values()}) == 2


def test_http_and_websocket_do_not_meet() -> None:
    found = table(route("/a"), route("/a", kind="websocket"))
    assert methods(found, "/_narthex/a") == {"GET": "p0", "HEAD": "p0"}
    assert methods(found, "/_narthex/a", "websocket") == {"WEBSOCKET": "p1"}


def test_parameters_are_converted() -> None:
    found = table(route("/a/{n:int}/{name}")).match("http", "/_narthex/a/7/b")
    assert found["GET"].params == {"n": 7, "name": "b"}
    assert found["GET"].path == "/_narthex/a/{n:int}/{name}"


def test_a_number_with_more_digits_than_python_reads_matches_nothing() -> None:
    assert methods(table(route("/a/{n:int}")), "/_narthex/a/" + "9" * 5000) == {}


CLAIMS = [
    ("/a", "/a"),
    ("/a/{x}", "/a/b"),
    ("/a/{x}", "/{y}/b"),
    ("/files/{p:path}", "/files/x/y"),
    ("/{p:path}", "/anything"),
    ("/a{x}", "/ab"),
]


@pytest.mark.parametrize(("one", "other"), CLAIMS)
def test_paths_that_some_request_could_mean_both_of_cannot_both_stand(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        with pytest.raises(PluginError, match="p0 and p1 both claim") as caught:
            table(route(first), route(second))
        assert caught.value.where == "narthex.toml:1"
        assert "narthex.toml:0" in caught.value.hint


@pytest.mark.parametrize(("one", "other"), [("/a", "/b"), ("/a/{x}", "/a"), ("/a/{x}/c", "/a/b"), ("/a/{x}", "/b/{x}")])
def test_paths_that_never_meet_stand_together(one: str, other: str) -> None:
    assert len(table(route(one), route(other))) == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (route("a"), "starts with /"),
        (route("/a/{x:nothing}"), "nothing"),
        (route("/a/{x}/{x}"), "x"),
        (route("/a", access="everyone"), "'everyone' cannot be"),
        (route("/a", access=""), "cannot be"),
        (route("/a", access="a:{b}"), "parameter"),
        (route("/a/{b}", access="a:{b.c}"), "parameter"),
        (route("/a/{b}", access="a:{b"), "parameter"),
        (route("/a", access=AUTHENTICATED, early=True), "PUBLIC"),
        (route("/a", methods=()), "methods"),
        (route("/a", methods=("get",)), "upper-case"),
    ],
)
def test_a_route_that_cannot_be_says_why_and_where(wrong: Route, words: str) -> None:
    with pytest.raises(PluginError) as caught:
        table(wrong)
    assert words in str(caught.value)
    assert caught.value.where == "narthex.toml:0"
    assert "plugin p0: route /_narthex" in str(caught.value)


def test_no_routes_are_falsy() -> None:
    assert not RouteTable()
    assert next(iter(table(route("/a")))).instance == "p0"
