"""Header fields of strangers: what is read of them, and what may be sent."""

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from narthex import Deny, Exchange, responses
from narthex.asgi import Headers, sendable
from narthex.exchange import Hall
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.testing import http_scope

NAMES = st.sampled_from([b"accept", b"Accept", b"x-request-id", b"X-Request-Id", b"cookie", b"", b"\xff", b"a b"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=12)), max_size=8)
HALL = Hall(TrustedProxies(()), CorePermissions)


def exchange(fields: list[tuple[bytes, bytes]]) -> Exchange:
    return Exchange({**http_scope("GET", "/"), "headers": fields}, "http", Plan(), HALL, 0.0)


def by_hand(fields: list[tuple[bytes, bytes]], name: str) -> list[str]:
    """Read one name as RFC 9110 §5.1 says it, without an index."""
    return [value.decode("latin-1") for field, value in fields if field.lower() == name.lower().encode()]


@given(FIELDS, st.sampled_from(["accept", "ACCEPT", "x-request-id", "cookie", "missing"]))
@example([(b"Accept", b"1"), (b"accept", b"2")], "accept")
def test_a_name_is_found_in_any_case_with_every_repeat_in_order(fields: list[tuple[bytes, bytes]], name: str) -> None:
    headers, expected = Headers(fields), by_hand(fields, name)
    assert headers.getlist(name) == expected
    assert headers.get(name) == (expected[0] if expected else None)
    assert (name in headers) is bool(expected)
    assert headers.repeated is (len({field.lower() for field, _ in fields}) != len(fields))


@given(st.binary(max_size=200) | st.text("aZ09.~+/=:@-_ \n\u00e9", max_size=140).map(str.encode))
@example(b"abc\n")
@example(b"a" * 128)
@example(b"a" * 129)
def test_a_request_id_is_the_callers_own_only_where_it_is_harmless(given_id: bytes) -> None:
    harmless = 1 <= len(given_id) <= 128 and all(chr(one).isalnum() or chr(one) in "_.~+/=:@-" for one in given_id)
    own = exchange([(b"x-request-id", given_id)]).id
    if harmless and given_id.isascii():
        assert own == given_id.decode()
    else:
        assert re.fullmatch("[0-9a-f]{32}", own)


@given(st.binary(max_size=8), st.binary(max_size=8))
@example(b"x", b"a\n")
@example(b"x\n", b"a")
@example(b"x", b" a")
def test_what_may_be_sent_is_a_token_and_a_value_that_cannot_split_a_message(name: bytes, value: bytes) -> None:
    token = bool(name) and all(chr(one).isalnum() or chr(one) in "!#$%&'*+-.^_`|~" for one in name) and name.isascii()
    sound = value == value.strip(b" \t") and all((one >= 0x20 and one != 0x7F) or one == 0x09 for one in value)
    assert sendable(name, value) is (token and sound)


@given(st.lists(st.text('text/hml;q=0.19, *+jsonaei"\\', max_size=40), max_size=3))
@example(["text/html;q=1e999"])
@example(["text/html;q=nan"])
def test_no_accept_header_keeps_a_refusal_from_being_told(accepts: list[str]) -> None:
    fields = [(b"accept", accept.encode()) for accept in accepts]
    status, headers, body = responses.refusal(exchange(fields), Deny(403, "closed"))
    lengths = [value for name, value in headers if name == b"content-length"]
    assert (status, lengths) == (403, [str(len(body)).encode()])
    assert b"closed" in body


FIELD: st.SearchStrategy[Any] = st.tuples(st.binary(max_size=6), st.binary(max_size=6))


@given(st.lists(FIELD | st.none() | st.text(max_size=3) | st.tuples(st.text(max_size=2), st.binary(max_size=2))))
def test_of_a_plugins_fields_only_those_that_can_be_sent_are(fields: list[Any]) -> None:
    _, headers, _ = responses.refusal(exchange([]), Deny(403, "closed", headers=fields))
    assert all(sendable(name, value) for name, value in headers)
    assert {field for field in fields if isinstance(field, tuple) and _fits(field)} <= set(headers)


def _fits(field: tuple[Any, Any]) -> bool:
    return isinstance(field[0], bytes) and sendable(*field)


@given(st.lists(st.lists(st.sampled_from([b"a", b"b\na", b"a\nb", b"A", b"", b"\n"]), max_size=4), max_size=6))
@example([[b"a\nb", b"c"], [b"a", b"b\nc"]])
@example([[], [b""], []])
def test_what_is_remembered_of_one_request_is_not_taken_for_anothers(lists: list[list[bytes]]) -> None:
    for names in lists:  # some join to the same bytes, which is how they are remembered
        fields = [(name, str(place).encode()) for place, name in enumerate(names)]
        headers = Headers(fields)
        for name in (b"a", b"b", b"a\nb", b"b\na", b"c", b"", b"\n"):
            assert headers.getlist(name.decode()) == by_hand(fields, name.decode())
            assert headers.first(name) == next((value for field, value in fields if field.lower() == name), None)


def test_what_an_app_makes_of_the_list_it_got_is_not_what_came() -> None:
    fields = [(b"user-agent", b"curl"), (b"authorization", b"Bearer x")]
    headers = Headers(fields)
    del fields[0]
    assert headers["user-agent"] == "curl"
    assert headers.raw == [(b"user-agent", b"curl"), (b"authorization", b"Bearer x")]
