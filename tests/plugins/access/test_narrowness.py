"""Which of two patterns is the narrower one, against every path there is over a small alphabet."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narthex.paths import Pattern
from narthex_plugins.access.narrowness import covers

SEGMENTS = ["a", "b", "ab", "ba", "aba", "z"]
PATHS = ["/" + "/".join(path) for length in range(4) for path in product(SEGMENTS, repeat=length)]
PARTS = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "*a", "*b*", "a*a"])
PATTERNS = st.lists(PARTS, max_size=4).map(lambda parts: "/" + "/".join(parts))

PLAIN = st.builds(
    lambda parts, tail: "/" + "/".join([*parts, "**"] if tail else parts),
    st.lists(st.sampled_from(["a", "b", "*"]), max_size=2),
    st.booleans(),
)


def reference(pattern: str) -> set[str]:
    """The paths that a pattern matches, by a regular expression made from what the documentation says."""
    text = "".join("(/[^/]+)*" if part == "**" else "/" + part.replace("*", "[^/]+") for part in pattern.split("/")[1:])
    compiled = re.compile("/?" if pattern == "/" else text + "/?")
    return {path for path in PATHS if compiled.fullmatch(path)}


@given(PATTERNS, PATTERNS)
@settings(max_examples=300, deadline=None)
def test_what_is_called_covered_is_covered(wide: str, narrow: str) -> None:
    if covers(Pattern(wide), Pattern(narrow)):
        assert reference(narrow) <= reference(wide)


@given(PLAIN, PLAIN)
@settings(max_examples=200, deadline=None)
def test_of_plain_segments_and_a_tail_it_sees_all(wide: str, narrow: str) -> None:
    assert covers(Pattern(wide), Pattern(narrow)) == (reference(narrow) <= reference(wide))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("/**", "/"),
        ("/**", "/admin/**"),
        ("/admin/**", "/admin"),
        ("/admin/**", "/admin/"),
        ("/admin/**", "/admin/*/photo"),
        ("/files/*", "/files/*.css"),
        ("/files/*.css", "/files/a*.css"),
        ("/**/edit", "/orders/*/edit"),
    ],
)
def test_the_narrower_one_is_known(wide: str, narrow: str) -> None:
    assert covers(Pattern(wide), Pattern(narrow))
    assert not covers(Pattern(narrow), Pattern(wide))


@pytest.mark.parametrize(
    ("one", "other"), [("/*/edit", "/orders/*"), ("/a*", "/*b"), ("/a", "/b"), ("/*/**", "/**/*"), ("/a*", "/a")]
)
def test_neither_of_two_that_cross_is_the_narrower_one(one: str, other: str) -> None:
    assert not covers(Pattern(one), Pattern(other))
    assert not covers(Pattern(other), Pattern(one))
