"""The bytes of refusals and answers."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex import Answer, Deny, Exchange, responses
from narthex.asgi import Headers
from narthex.exchange import Hall
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.testing import http_scope


def exchange(**headers: str) -> Exchange:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Exchange(http_scope("GET", "/", pairs), "http", Plan(), Hall(TrustedProxies(()), CorePermissions), 0.0)


def refusal(deny: Deny, **headers: str) -> tuple[int, Headers, bytes]:
    status, fields, body = responses.refusal(exchange(**headers), deny)
    return status, Headers(fields), body


def test_a_refusal_is_a_problem_with_code_and_incident_and_nothing_of_the_operators() -> None:
    status, headers, body = refusal(Deny(403, "closed", "a secret reason", "rule 7"), x_request_id="abc-1")
    problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "code": "closed", "incident": "abc-1"}
    assert (status, json.loads(body)) == (403, problem)
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-length"] == str(len(body))
    assert headers["cache-control"] == "no-store"


def test_a_browser_gets_a_page_in_which_nothing_is_markup() -> None:
    _, headers, body = refusal(Deny(403, "<script>"), accept="text/html,*/*;q=0.8", x_request_id="abc-1")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert b"<script>" not in body
    assert b"&lt;script&gt;" in body
    assert b"abc-1" in body


ACCEPTS = [
    ("", False),
    ("*/*", False),
    ("application/json", False),
    ("text/html", True),
    ("TEXT/HTML", True),
    ("text/html;q=0", False),
    ("text/html;q=nonsense", False),
    ("text/html;q=2", False),
    ("text/html;q=0.5, application/json", False),
    ("text/html, application/json", True),
    ("text/html;q=0.5, application/problem+json;q=0.4", True),
    ("text/htmlx", False),
    ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", True),
]


@pytest.mark.parametrize(("accept", "page"), ACCEPTS)
def test_a_page_is_for_whoever_names_html_and_does_not_prefer_json(accept: str, page: bool) -> None:
    assert responses.wants_page(Headers([(b"accept", accept.encode())])) is page


@given(st.text())
def test_no_accept_header_is_too_odd(accept: str) -> None:
    assert responses.wants_page(Headers([(b"accept", accept.encode("latin-1", "replace"))])) in {True, False}


def test_a_401_always_carries_a_challenge_and_the_plugins_own_comes_first() -> None:
    assert refusal(Deny(401, "x"))[1]["www-authenticate"] == "Bearer"
    own = Deny(401, "x", headers=[(b"WWW-Authenticate", b'Basic realm="shop"')])
    assert refusal(own)[1].getlist("www-authenticate") == ['Basic realm="shop"']
    unsendable = Deny(401, "x", headers=[(b"www-authenticate", b"Basic\r\nx: y")])
    assert refusal(unsendable)[1].getlist("www-authenticate") == ["Bearer"]
    assert "www-authenticate" not in refusal(Deny(403, "x"))[1]


@pytest.mark.parametrize(
    ("seconds", "sent"),
    [(0, "0"), (0.1, "1"), (3, "3"), (-5, "0"), (math.inf, None), (math.nan, None), (None, None)],
)
def test_retry_after_is_whole_seconds_rounded_up(seconds: float | None, sent: str | None) -> None:
    assert refusal(Deny(503, "x", retry_after=seconds))[1].get("retry-after") == sent


@pytest.mark.parametrize("field", [(b"x-a", b"1\r\nx-b: 2"), (b"x-a\n", b"1"), (b"x-a", b"\x00"), (b"x a", b"1")])
def test_a_field_that_could_split_the_response_is_left_out(field: tuple[bytes, bytes]) -> None:
    assert field not in refusal(Deny(403, "x", headers=[field]))[1].raw
    assert responses.answer(Answer(200, [field, (b"x-good", b"1")]))[1][0] == (b"x-good", b"1")


@pytest.mark.parametrize("field", [("x-a", "1"), (b"x-a",), (b"x-a", None), None])
def test_what_is_no_field_at_all_does_not_cost_the_refusal(field: Any) -> None:
    assert refusal(Deny(403, "x", headers=[field, (b"x-good", b"1")]))[1]["x-good"] == "1"
    assert responses.answer(Answer(204, [field])) == (204, [], b"")


def test_a_code_of_half_a_surrogate_pair_is_sent_as_best_it_can_be() -> None:
    assert b"&#55296;" in refusal(Deny(403, "\ud800"), accept="text/html")[2]
    assert json.loads(refusal(Deny(403, "\ud800"))[2])["code"] == "\ud800"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_no_length(status: int) -> None:
    assert responses.answer(Answer(status, body=b"ignored")) == (status, [], b"")


def test_an_answer_gets_its_length_unless_it_says_it() -> None:
    assert responses.answer(Answer(200, body=b"abc")) == (200, [(b"content-length", b"3")], b"abc")
    own: Any = [(b"Content-Length", b"3")]
    assert responses.answer(Answer(200, own, b"abc"))[1] == own


@pytest.mark.parametrize(("status", "phrase"), [(418, "I'm a Teapot"), (499, "Client Error"), (599, "Server Error")])
def test_every_status_has_a_title(status: int, phrase: str) -> None:
    assert responses.title(status) == phrase


@pytest.mark.parametrize("status", [200, 399, 600])
def test_a_deny_of_a_status_that_refuses_nothing_cannot_be_made(status: int) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        Deny(status, "x")


NO_VERDICTS: list[Any] = [
    lambda: Deny(403.5, "x"),  # type: ignore[arg-type]
    lambda: Deny(403, None),  # type: ignore[arg-type]
    lambda: Answer("200"),  # type: ignore[arg-type]
    lambda: Answer(200, (), "text"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("make", NO_VERDICTS)
def test_a_verdict_that_no_server_can_send_cannot_be_made(make: Any) -> None:
    with pytest.raises(TypeError, match="is"):
        make()
