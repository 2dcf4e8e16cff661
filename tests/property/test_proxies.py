import ipaddress
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from narthex.asgi import Headers, Scope
from narthex.proxies import Origin, TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "unix"])
NAMES = st.sampled_from([b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"host"])
JUNK = st.binary(max_size=40) | st.text('for=;,"\\ .[]:1_a', max_size=40).map(str.encode)
FIELDS = st.lists(st.tuples(NAMES, JUNK), max_size=6)
ADDRESSES = st.sampled_from(["10.0.0.1", "10.9.9.9", "1.2.3.4", "2001:db8::1", "unknown", "_x", "10.0.0", ""])


def scope_of(peer: str | None) -> Scope:
    return {"type": "http", "scheme": "http", "client": (peer, 1) if peer else None}


@given(FIELDS, st.sampled_from(["10.0.0.1", "1.2.3.4", "::1", None, "testclient"]))
def test_junk_neither_raises_nor_gets_through(fields: list[tuple[bytes, bytes]], peer: str | None) -> None:
    origin = PROXIES.origin(scope_of(peer), Headers(fields))
    assert origin.scheme in {"http", "https"}
    assert not set(origin.host) & set(" /\\@\n\r\t\x00")
    if origin.client not in {None, peer}:
        ipaddress.ip_address(origin.client or "")


@given(FIELDS)
def test_an_untrusted_peer_never_influences_anything(fields: list[tuple[bytes, bytes]]) -> None:
    own = [field for field in fields if field[0] == b"host"]
    peer = scope_of("192.0.2.1")
    assert PROXIES.origin(peer, Headers(fields)) == PROXIES.origin(peer, Headers(own))


def reference(peer: str, hops: list[str]) -> str:
    """Walk as the module's first paragraph says, one hop at a time."""
    client = peer
    for hop in reversed([each for each in hops if each]):
        if not client.startswith("10."):
            break
        try:
            ipaddress.ip_address(hop)
        except ValueError:
            break
        client = hop
    return client


@given(st.lists(ADDRESSES, max_size=6))
@example(["1.2.3.4", "10.0.0", "10.0.0.1"])
def test_the_walk_is_the_reference_walk(hops: list[str]) -> None:
    header = (b"x-forwarded-for", ", ".join(hops).encode())
    assert PROXIES.origin(scope_of("10.0.0.1"), Headers([header])).client == reference("10.0.0.1", hops)


@given(st.lists(ADDRESSES.filter(bool), max_size=6))
def test_both_kinds_of_header_lead_to_the_same_client(hops: list[str]) -> None:
    header = (b"forwarded", ", ".join(f'for="{hop}"' for hop in hops).encode())
    bracketed = header[1].replace(b"2001:db8::1", b"[2001:db8::1]")
    origin = PROXIES.origin(scope_of("10.0.0.1"), Headers([(header[0], bracketed)]))
    assert origin.client == reference("10.0.0.1", hops)


@given(st.text('for=;,"\\ .[]:1_a', max_size=40))
@example('for="')
@example('for="\\')
def test_what_the_client_wrote_never_changes_what_the_proxy_wrote(theirs: str) -> None:
    own = 'host="a, for=6.6.6.6";for="[2001:db8::1]:80";proto=https'
    fields = [(b"forwarded", f"{theirs}, {own}".encode())]
    assert PROXIES.origin(scope_of("10.0.0.1"), Headers(fields)) == Origin("2001:db8::1", "https", "")


@pytest.mark.parametrize("unit", [",", '",', 'a="', "for=10.0.0.1,", 'a="\\",', "a=b;", " ,", "=", 'a="b",'])
@pytest.mark.parametrize("name", [b"forwarded", b"x-forwarded-for"])
def test_a_hostile_header_costs_little(unit: str, name: bytes) -> None:
    headers = Headers([(name, (unit * 65536)[:65536].encode())])
    began = time.process_time()
    PROXIES.origin(scope_of("10.0.0.1"), headers)
    assert time.process_time() - began < 0.25
