"""Topics, patterns, and which rule counts."""

import pytest
from pydantic import ValidationError

from narthex_plugins.events.asking import Unreadable, interest
from narthex_plugins.events.event import EventError, make, read_id
from narthex_plugins.events.rules import Rules
from narthex_plugins.events.settings import EventsSettings
from narthex_plugins.events.topics import Pattern, is_topic


@pytest.mark.parametrize("text", ["a", "a.b", "auth.login_failed", "Canvas-1.x.y.z"])
def test_these_are_topics(text: str) -> None:
    assert is_topic(text)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "é", "a\n", "a" * 201])
def test_these_are_not(text: str) -> None:
    assert not is_topic(text)


@pytest.mark.parametrize(
    ("pattern", "topic", "matches"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a.b", True),
        ("a.>", "a", False),
        (">", "a", True),
        ("*.b", "a.b", True),
        ("*.b", "a.c", False),
    ],
)
def test_a_pattern_means_these_topics(pattern: str, topic: str, matches: bool) -> None:
    assert Pattern.read(pattern).matches(tuple(topic.split("."))) is matches


@pytest.mark.parametrize("text", ["", "a..b", ">.a", "a.>.b", "a*", "{x}.a", "**", "a.**"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a pattern is words"):
        Pattern.read(text)


def rules(*topics: dict[str, object], **more: object) -> Rules:
    return Rules(EventsSettings.model_validate({"topics": topics, **more}))


def test_the_narrower_pattern_counts_whatever_the_order() -> None:
    tables: tuple[dict[str, object], ...] = (
        {"topic": "canvas.>", "read": "wide:read"},
        {"topic": "canvas.{one}.saved", "read": "canvas:{one}:read"},
        {"topic": "canvas.*.*", "read": "middle:read"},
        {"topic": "canvas.open.saved", "read": "public"},
    )
    for given in (tables, tables[::-1]):
        made = rules(*given)
        asked = ("canvas.open.saved", "canvas.x.saved", "canvas.x.moved", "canvas.x", "other")
        assert [made.of(topic).read for topic in asked] == [
            "public",
            "canvas:x:read",
            "middle:read",
            "wide:read",
            "events:read",
        ]


def test_who_could_read_nothing_at_all_is_told_what_they_lack() -> None:
    made = rules(
        {"topic": "a.>", "read": "a:read"}, {"topic": "b.{x}", "read": "b:{x}:read"}, {"topic": "c", "owner": "o"}
    )

    def lacking(pattern: str, *has: str) -> str:
        return made.lacking(Pattern.read(pattern), lambda needed: needed in has)

    assert [lacking(one) for one in ("a.b", "a.>", "z.>")] == ["a:read", "a:read", "events:read"]
    assert lacking("a.>", "a:read") == lacking(">", "a:read") == ""
    assert lacking("b.*") == ""  # each topic asks for itself
    assert lacking("b.one") == "b:one:read"
    assert lacking("c") == ""  # one may own some


@pytest.mark.parametrize(
    "topics",
    [
        [{"topic": "a"}, {"topic": "a"}],
        [{"topic": "a.{x}"}, {"topic": "a.*"}],
        [{"topic": "a", "read": "b:{x}:read"}],
        [{"topic": "a", "read": "everybody"}],
        [{"topic": "a", "publish": "public"}],
        [{"topic": "a..b"}],
    ],
)
def test_settings_that_nobody_could_follow_are_refused(topics: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        EventsSettings.model_validate({"topics": topics})


@pytest.mark.parametrize("where", ["", "a", ":b", "a..b:c", "a" * 300 + ":b"])
def test_filters_that_cannot_be_read_are_refused(where: str) -> None:
    with pytest.raises(Unreadable):
        interest([], None, [where])


@pytest.mark.parametrize(
    ("where", "passes"),
    [("n:1", True), ("n:2", False), ("x.y:true", True), ("x.z:a:b", True), ("x:1", False), ("q:null", False)],
)
def test_filters_compare_fields_of_the_data(where: str, passes: bool) -> None:
    event = make("t", {"n": 1, "x": {"y": True, "z": "a:b"}, "q": None}, "k", 0.0, None, 1000)
    assert interest([], None, [where]).wants(event) is passes
    assert interest([], "k", []).wants(event)
    assert not interest([], "other", []).wants(event)


@pytest.mark.parametrize("data", [float("nan"), {1, 2}, "\ud800", "a\0", "x" * 2000, [[[]]] * 500])
def test_what_is_no_event_is_not_made(data: object) -> None:
    with pytest.raises(EventError):
        make("t", data, None, 0.0, None, 1000)


@pytest.mark.parametrize("text", ["", "1", "1-", "-a", "1-xyz", "1-a b", "9" * 30 + "-a", "1-123456789", "\uff11-a"])
def test_an_id_of_somebody_else_is_none_of_ours(text: str) -> None:
    assert read_id(text) is None
