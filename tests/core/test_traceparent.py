import pytest

from narthex.exchange import Exchange, Hall
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.testing import http_scope
from narthex.traceparent import trace_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize("given", [GIVEN, f"01-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-what-will-be"])
def test_the_trace_id_is_read_from_the_caller_s_field(given: str) -> None:
    assert trace_id(given.encode()) == TRACE


@pytest.mark.parametrize(
    "given",
    [
        "",
        GIVEN[:-1],
        GIVEN.upper(),
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{GIVEN}-more",
        f"01-{TRACE}-{PARENT}-01more",
        f" {GIVEN}",
        f"{GIVEN}\n",
    ],
)
def test_what_the_standard_does_not_allow_is_none(given: str) -> None:
    assert trace_id(given.encode()) is None


def test_a_tracing_plugin_s_word_wins() -> None:
    scope = http_scope("GET", "/", headers=[("traceparent", GIVEN)])
    exchange = Exchange(scope, "http", Plan(), Hall(TrustedProxies(()), CorePermissions), started=1.0)
    assert exchange.trace_id == TRACE
    exchange.trace_id = "a" * 32
    assert exchange.trace_id == "a" * 32
