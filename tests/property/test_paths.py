import re
from collections.abc import Callable
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from narthex.errors import ConfigError
from narthex.paths import _KNOWN_PATHS, KnownPaths, PathSet, Pattern, odd_path, route_path

SEGMENTS = st.lists(st.text("ab.", max_size=4), max_size=6)
PATHS = SEGMENTS.map(lambda segments: "/" + "/".join(segments))
PATTERNS = st.lists(st.sampled_from(["a", "b", "ab", "*", "**", "a*", "*b", "*.a", "a*b*"]), max_size=6).map(
    lambda segments: "/" + "/".join(segments)
)
ROOTS = st.sampled_from(["", "/", "/a", "/a/", "/ab", "/a/b", "a", "/b.a"])


def by_regex(pattern: str, path: str) -> bool:
    """Translate the promise word by word; slow on hostile paths, right on short ones."""
    regex = ""
    for segment in pattern.removesuffix("/").split("/")[1:]:
        stars = "[^/]+".join(re.escape(literal) for literal in segment.split("*"))
        regex += "(?:/[^/]*)*" if segment == "**" else "/" + stars
    return re.fullmatch(regex, path.removesuffix("/")) is not None


@given(PATTERNS, PATHS)
@example("/**", "/")
@example("/a/**", "/a/")
@example("/**/**", "/")
@example("/*/**", "/")
def test_patterns_match_as_the_reference_does(pattern: str, path: str) -> None:
    assert Pattern(pattern).matches(path) is by_regex(pattern, path)


@given(st.lists(PATTERNS, max_size=5), PATHS)
def test_a_set_matches_when_one_of_its_patterns_does(patterns: list[str], path: str) -> None:
    found = PathSet(patterns).matches(path)
    assert (found is not None) is any(Pattern(each).matches(path) for each in patterns)
    assert found is None or found.matches(path)


@given(PATTERNS, PATHS)
def test_one_trailing_slash_makes_no_difference(pattern: str, path: str) -> None:
    if not path.endswith("/"):
        assert Pattern(pattern).matches(path) is Pattern(pattern).matches(path + "/")


@given(st.text())
def test_any_text_is_a_pattern_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        assert Pattern(text).matches(text)


@given(st.text(), st.binary(), ROOTS)
def test_nothing_raises_on_any_path(path: str, raw: bytes, root: str) -> None:
    scope = {"path": path, "raw_path": raw, "root_path": root}
    assert route_path(scope)
    assert odd_path(scope) is None or odd_path(scope)


def starlette(path: str, root: str) -> str:
    return path.removeprefix(root) if path[len(root) : len(root) + 1] in {"", "/"} else path


VIEWS: dict[str, Callable[[str, str], str]] = {
    "starlette": starlette,
    "django": lambda path, root: path.removeprefix(root),
    "quart": lambda path, root: path.removeprefix(root),
    "quart of old": lambda path, root: path.split(root, 1)[-1] if root else path,
    "litestar": lambda path, root: re.sub("//+", "/", "/" + (path.split(root, 1)[-1] if root else path).strip("/")),
    "a2wsgi": lambda path, root: path.removeprefix(root),
}


@given(PATHS, ROOTS)
@example("/x/a/admin", "/a")
@example("/aadmin", "/a")
def test_every_framework_sees_the_route_path_of_a_path_that_is_not_odd(path: str, root: str) -> None:
    """Werkzeug and Litestar add a missing slash in front, and Litestar drops the last one."""
    scope = {"path": path, "root_path": root}
    if odd_path(scope) is None:
        mine = route_path(scope).strip("/")
        assert {name: view(path, root).strip("/") for name, view in VIEWS.items()} == dict.fromkeys(VIEWS, mine)


@given(st.text(alphabet=st.sampled_from("/.%25Ffec0\\\n\x00;ab"), max_size=12).map("/".__add__))
def test_the_quick_look_never_hides_an_odd_path(path: str) -> None:
    odd = re.search(r"//|\\|[\x00-\x1f]|/\.\.?(?:[/;]|\Z)|%(?:00|2[EFef]|5[Cc])", path)
    assert (odd_path({"path": path}) is not None) is bool(odd)


ASKED = st.tuples(
    st.sampled_from(["/a", "/a/b", "//a", "/a/.."]), st.sampled_from([None, b"/a", b"/a%2fb", b""]), ROOTS
)


@given(st.lists(ASKED, max_size=12), st.sampled_from(["", "/a"]))
@example([("/a/b", b"/a", ""), ("/a/b", b"/a%2fb", "")], "")
@example([("/a/b", None, ""), ("/a/b", None, "a")], "")
def test_a_path_that_was_looked_at_before_is_judged_as_if_it_were_not(
    asked: list[tuple[str, bytes | None, str]], own_root: str
) -> None:
    known = KnownPaths(own_root)
    for path, raw, root in asked:
        scope = {"path": path, "raw_path": raw, "root_path": root}
        assert known.odd(scope) == odd_path(scope, own_root)


def test_the_paths_remembered_are_bounded_in_number_and_in_length() -> None:
    known = KnownPaths()
    for number in range(3 * _KNOWN_PATHS):
        assert known.odd({"path": f"/{number}"}) is None
        assert len(known.even) <= _KNOWN_PATHS
    assert known.odd({"path": "/" + "a" * 60_000}) is None
    assert known.odd({"path": "/b", "raw_path": b"/" + b"%62" * 60_000}) is None
    assert max(map(len, known.even)) < 10
