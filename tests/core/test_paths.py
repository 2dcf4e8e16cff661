import time
import timeit

import pytest

from narthex.errors import ConfigError
from narthex.paths import PathSet, Pattern, binds, odd_path, route_path


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/admin", "", "/admin"),
        ("/sub/admin", "/sub", "/admin"),
        ("/sub/admin", "/sub/", "/admin"),
        ("/sub/sub/admin", "/sub", "/sub/admin"),
        ("/sub", "/sub", "/"),
        ("/sub/", "/sub", "/"),
        ("/subadmin", "/sub", "/subadmin"),
        ("/admin", "/sub", "/admin"),
        ("/admin/sub", "/sub", "/admin/sub"),
        ("/admin", "/", "/admin"),
        ("", "", "/"),
    ],
)
def test_the_route_path_is_the_path_without_a_leading_root_path(path: str, root: str, expected: str) -> None:
    assert route_path({"path": path, "root_path": root}) == expected


def test_a_scope_without_root_path_is_fine() -> None:
    assert route_path({"path": "/admin"}) == "/admin"
    assert odd_path({"path": "/admin"}) is None


def test_a_prefix_of_the_apps_own_takes_the_place_of_the_root_path() -> None:
    scope = {"path": "/api/admin", "root_path": "/sub"}
    assert route_path(scope, "/api") == "/admin"
    assert odd_path(scope, "/api") is None
    assert odd_path({"path": "/x/api/admin", "root_path": ""}, "/api") is None
    assert odd_path({"path": "/apiadmin", "root_path": ""}, "/api") == "root path inside the path"


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("/", ["/"], ["/a", "//"]),
        ("/admin", ["/admin", "/admin/"], ["/Admin", "/admin/x", "/admin//", "/admi", "/adminx", "/x/admin"]),
        ("/admin/", ["/admin", "/admin/"], ["/admin/x"]),
        (
            "/admin/**",
            ["/admin", "/admin/", "/admin/a", "/admin/a/b/", "/admin//a"],
            ["/adminx", "/", "/a/admin"],
        ),
        ("/**", ["/", "/a", "/a/b/c", "//a"], ["a", "a/b"]),
        ("/*", ["/a", "/a/"], ["/", "/a/b", "//"]),
        ("/a/*/c", ["/a/b/c", "/a/b/c/"], ["/a/c", "/a//c", "/a/b/b/c"]),
        ("/f/*.css", ["/f/a.css", "/f/a.b.css", "/f/.css.css"], ["/f/.css", "/f/a/b.css", "/f/a.cssx"]),
        ("/x-*-y-*", ["/x-1-y-2", "/x---y--"], ["/x--y-2", "/x-1-y-", "/x-1-y-2/z"]),
        ("/**/b", ["/b", "/a/b", "/a/a/b/"], ["/", "/a", "/bb", "/b/a"]),
        ("/a/**/b/**/c", ["/a/b/c", "/a/x/b/y/z/c", "/a/b/b/c/c"], ["/a/c", "/a/b", "/a/b/c/d"]),
        ("/**/a/*", ["/a/b", "/x/a/b", "/a/a/a"], ["/a", "/a/b/c"]),
        ("/my files/ä", ["/my files/ä"], ["/my%20files/ä"]),
        ("/a.b+c(d)[e]^$|", ["/a.b+c(d)[e]^$|"], ["/aXb+c(d)[e]^$|", "/a.bbc(d)e"]),
    ],
)
def test_a_pattern_matches_what_it_says(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = Pattern(pattern)
    assert [path for path in matching if not compiled.matches(path)] == []
    assert [path for path in other if compiled.matches(path)] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "does not start with a slash"),
        ("admin/**", "does not start with a slash"),
        ("http://host/admin", "does not start with a slash"),
        ("/a**", r"\*\* within a segment"),
        ("/**a", r"\*\* within a segment"),
        ("/a/***", r"\*\* within a segment"),
        ("/a?b=1", "query string"),
        ("/a#b", "fragment"),
        ("/a ", "space"),
        ("/a//b", "empty segment"),
        ("//", "empty segment"),
        ("/a/../b", "dot segment"),
        ("/.", "dot segment"),
        ("/a%2Fb", "written decoded"),
        ("/items/{id}", r"write \* for one segment"),
        ("/items/<int:id>", "parameter"),
        ("/a\\b", "backslash"),
        ("/a\nb", "control character"),
    ],
)
def test_a_bad_pattern_is_a_config_error_that_says_why(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Pattern(text)


@pytest.mark.parametrize("pattern", ["/a" + "/**/a" * 12, "/" + "*a" * 12, "/**/a" * 12 + "/b"])
@pytest.mark.parametrize("path", ["/a" * 4000, "/" + "a" * 20000, "/a" * 4000 + "/c"])
def test_a_hostile_path_costs_linear_time(pattern: str, path: str) -> None:
    compiled = Pattern(pattern)
    assert timeit.timeit(lambda: compiled.matches(path), timer=time.process_time, number=1) < 0.5


def test_patterns_are_equal_when_they_mean_the_same() -> None:
    assert Pattern("/a/") == Pattern("/a")
    assert len({Pattern("/a/"), Pattern("/a"), Pattern("/b")}) == 2
    assert Pattern("/a") != "/a"
    assert repr(Pattern("/a/*")) == "Pattern('/a/*')"
    assert str(Pattern("/a/")) == "/a/"


def test_a_set_gives_the_pattern_that_matched() -> None:
    paths = PathSet(["/docs/**", "/docs/secret", Pattern("/"), "/*/x"])
    assert paths.matches("/docs/secret/") == Pattern("/docs/secret")
    assert paths.matches("/docs/a") == Pattern("/docs/**")
    assert paths.matches("/") == Pattern("/")
    assert paths.matches("/a/x") == Pattern("/*/x")
    assert paths.matches("/a/y") is None


def test_an_empty_set_is_false_and_matches_nothing() -> None:
    assert not PathSet()
    assert PathSet().matches("/") is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("http://host/admin", "does not start with a slash"),
        ("*", "does not start with a slash"),
        ("", "does not start with a slash"),
        ("admin", "does not start with a slash"),
        ("//admin", "double slash"),
        ("/public//", "double slash"),
        ("/a\\b", "backslash"),
        ("/admin\n", "control character"),
        ("/admin\x00", "control character"),
        ("/admin\x85", "control character"),
        ("/public/../admin", "dot segment"),
        ("/public/..", "dot segment"),
        ("/./admin", "dot segment"),
        ("/public/..;/admin", "dot segment"),
        ("/public%2Fadmin", "encoded twice"),
        ("/public/%2e%2e/admin", "encoded twice"),
    ],
)
def test_an_odd_path_has_a_reason(path: str, reason: str) -> None:
    assert reason in (odd_path({"path": path, "root_path": ""}) or "")


@pytest.mark.parametrize(
    "path", ["/", "/a/", "/.well-known/jwks.json", "/a..b/c.", "/...", "/100%", "/ä b", "/a;b=1/c", "/a\xa0b"]
)
def test_a_common_path_is_not_odd(path: str) -> None:
    assert odd_path({"path": path, "raw_path": b"/x%20y", "root_path": ""}) is None


@pytest.mark.parametrize("raw", [b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a%00b"])
def test_an_encoded_slash_shows_only_in_the_raw_path(raw: bytes) -> None:
    assert odd_path({"path": "/a/b", "raw_path": raw, "root_path": ""}) == "encoded slash, backslash or NUL"


def test_a_query_string_left_on_the_raw_path_is_not_judged() -> None:
    assert odd_path({"path": "/login", "raw_path": b"/login?next=%2Fhome", "root_path": ""}) is None


@pytest.mark.parametrize(
    ("path", "root", "odd"),
    [
        ("/sub/admin", "/sub", False),
        ("/sub/sub/admin", "/sub", False),
        ("/sub", "/sub", False),
        ("/admin", "/sub", False),
        ("/subadmin", "/sub", True),
        ("/x/sub/admin", "/sub", True),
        ("/x/submarine", "/sub", True),
        ("/sub/admin", "/sub/", True),
        ("/sub/admin", "sub", True),
        ("/admin", "/", False),
    ],
)
def test_a_root_path_is_the_first_whole_segments_or_not_there(path: str, root: str, odd: bool) -> None:
    assert (odd_path({"path": path, "root_path": root}) is not None) is odd


@pytest.mark.parametrize(
    ("methods", "method", "bound"),
    [
        ((), "GET", True),
        ((), "WEBSOCKET", True),
        (("GET",), "GET", True),
        (("GET",), "HEAD", True),
        (("GET",), "head", True),
        (("GET",), "POST", False),
        (("GET",), "WEBSOCKET", False),
        (("WEBSOCKET",), "WEBSOCKET", True),
        (("POST",), "post", True),
        (("POST",), "HEAD", False),
        (frozenset({"HEAD"}), "GET", False),
    ],
)
def test_methods_bind(methods: tuple[str, ...], method: str, bound: bool) -> None:
    assert binds(methods, method) is bound
