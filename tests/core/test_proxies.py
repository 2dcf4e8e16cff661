from collections.abc import Mapping

import pytest

from narthex.asgi import Headers
from narthex.errors import ConfigError
from narthex.proxies import Origin, TrustedProxies

PEER = "10.0.0.1"
PROXIES = TrustedProxies(["10.0.0.0/8", "fd00::/8"])


def origin(
    fields: Mapping[str, str | list[str]],
    *,
    peer: str | None = PEER,
    proxies: TrustedProxies = PROXIES,
    kind: str = "http",
    scheme: str = "http",
) -> Origin:
    client = (peer, 5) if peer is not None else None
    scope = {"type": kind, "scheme": scheme, "client": client, "root_path": ""}
    pairs = [(name, [value] if isinstance(value, str) else value) for name, value in fields.items()]
    raw = [(name.encode(), value.encode("latin-1")) for name, values in pairs for value in values]
    return proxies.origin(scope, Headers(raw))


def test_without_proxies_the_headers_are_not_looked_at() -> None:
    fields = {
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "https",
        "forwarded": "for=1.2.3.4",
        "host": "a:80",
    }
    assert origin(fields, proxies=TrustedProxies()) == Origin(PEER, "http", "a:80")


def test_an_untrusted_peer_is_the_client_whatever_it_says() -> None:
    fields = {
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil",
        "host": "a",
    }
    assert origin(fields, peer="192.0.2.9") == Origin("192.0.2.9", "http", "a")


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("1.2.3.4,,10.0.0.2, ", "1.2.3.4"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:DB8::0:1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("1.2.3.4, ::ffff:10.0.0.2", "1.2.3.4"),
        ("1.2.3.4, fd00::7", "1.2.3.4"),
        ("1.2.3.4, garbage, 10.0.0.2", "10.0.0.2"),
        ("1.2.3.4, unknown", PEER),
        ("1.2.3.4, 10.0.0.999", PEER),
        ("1.2.3.4, 010.0.0.1", PEER),
        ("", PEER),
        (",", PEER),
    ],
)
def test_the_first_address_from_the_right_that_is_not_trusted_is_the_client(value: str, client: str) -> None:
    assert origin({"x-forwarded-for": value}).client == client


def test_repeated_fields_are_one_list() -> None:
    assert origin({"x-forwarded-for": ["6.6.6.6", "1.2.3.4", "10.0.0.2"]}).client == "1.2.3.4"


@pytest.mark.parametrize(
    ("addresses", "protos", "scheme"),
    [
        ("1.2.3.4", "https", "https"),
        ("1.2.3.4", "http, https", "https"),
        ("1.2.3.4, 10.0.0.2", "https, http", "https"),
        ("1.2.3.4, 10.0.0.2", "http, https, http", "https"),
        ("1.2.3.4, 10.0.0.2", "https", "https"),
        ("1.2.3.4", "HTTPS", "https"),
        ("1.2.3.4", "wss", "https"),
        ("1.2.3.4", "gopher", "http"),
        ("1.2.3.4", "", "http"),
    ],
)
def test_the_scheme_is_the_one_the_outermost_trusted_proxy_saw(addresses: str, protos: str, scheme: str) -> None:
    assert origin({"x-forwarded-for": addresses, "x-forwarded-proto": protos}).scheme == scheme


@pytest.mark.parametrize(("proto", "scheme"), [("https", "wss"), ("http", "ws"), ("wss", "wss"), ("x", "ws")])
def test_a_websocket_has_a_websocket_scheme(proto: str, scheme: str) -> None:
    assert origin({"x-forwarded-proto": proto}, kind="websocket", scheme="ws").scheme == scheme


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("shop.example", "shop.example"),
        ("shop.example:8443", "shop.example:8443"),
        ("[::1]:80", "[::1]:80"),
        ("evil, shop.example", "shop.example"),
        ("shop.example/admin", "inner"),
        ("user@shop.example", "inner"),
        ("shop example", "inner"),
        ("shop\x7fexample", "inner"),
    ],
)
def test_the_host_is_the_forwarded_one_if_it_is_a_host(given: str, host: str) -> None:
    fields = {
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-host": given,
        "host": "inner",
    }
    assert origin(fields).host == host


@pytest.mark.parametrize("hosts", [[], ["a", "b"], ["a/b"], ["a b"], [""]])
def test_a_host_that_is_missing_repeated_or_malformed_is_empty(hosts: list[str]) -> None:
    assert origin({"host": hosts}).host == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=1.2.3.4;proto=https;host=shop.example", Origin("1.2.3.4", "https", "shop.example")),
        ('For="[2001:db8::1]:4711" ; Proto="https"', Origin("2001:db8::1", "https", "inner")),
        ('for="1.2.3.4:99";host="shop.example:443"', Origin("1.2.3.4", "http", "shop.example:443")),
        ("for=1.2.3.4;proto=https, for=10.0.0.2;proto=http", Origin("1.2.3.4", "https", "inner")),
        ("for=6.6.6.6;proto=https, for=1.2.3.4", Origin("1.2.3.4", "http", "inner")),
        ("for=1.2.3.4, for=_hidden;proto=https", Origin(PEER, "https", "inner")),
        ("for=1.2.3.4, for=unknown", Origin(PEER, "http", "inner")),
        ("for=1.2.3.4, for=10.0.0.2;;, ,", Origin("1.2.3.4", "http", "inner")),
        ("for=1.2.3.4, for=[::1]", Origin(PEER, "http", "inner")),
        ("for=1.2.3.4, for=5.5.5.5;for=6.6.6.6", Origin(PEER, "http", "inner")),
        ("for=1.2.3.4, proto=https", Origin(PEER, "https", "inner")),
        ("for=1.2.3.4, for=10.0.0.2 proto=https", Origin(PEER, "http", "inner")),
        ('for=1.2.3.4;host="a\\"b"', Origin("1.2.3.4", "http", "inner")),
        ('for="1.2.3\\.4"', Origin("1.2.3.4", "http", "inner")),
    ],
)
def test_forwarded_is_read_as_rfc_7239_has_it(value: str, expected: Origin) -> None:
    assert origin({"forwarded": value, "host": "inner"}) == expected


@pytest.mark.parametrize("opened", ['for="x', 'for="', 'host="a, for=6.6.6.6', 'for="\\'])
@pytest.mark.parametrize(
    "own", ["for=1.2.3.4;proto=https", 'for="[2001:db8::1]";proto=https', 'proto="https";for="1.2.3.4"']
)
def test_a_quotation_mark_left_open_by_the_client_swallows_nothing(opened: str, own: str) -> None:
    assert origin({"forwarded": [opened, own]}) == origin({"forwarded": own})


def test_a_host_full_of_syntax_is_not_taken_for_an_element() -> None:
    value = 'for=1.2.3.4;host="a, for=6.6.6.6;x=";by="10.0.0.1"'
    assert origin({"forwarded": value}).client == "1.2.3.4"


@pytest.mark.parametrize("other", ["for=6.6.6.6", "junk", "for=1.2.3.4, for=10.0.0.2 x"])
def test_when_both_kinds_of_header_contradict_each_other_the_client_is_unknown(other: str) -> None:
    fields = {"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https", "forwarded": other}
    assert origin(fields) == Origin(None, "http", "")


@pytest.mark.parametrize(
    ("ours", "theirs", "scheme"),
    [
        ("https", ";proto=https", "https"),
        ("https", ";proto=HTTPS", "https"),
        ("https", ";proto=http", "http"),
        ("https", "", "http"),
        ("http", ";proto=https", "http"),
        ("", ";proto=https", "http"),
    ],
)
def test_when_both_kinds_agree_on_the_client_each_other_word_needs_both(ours: str, theirs: str, scheme: str) -> None:
    fields = {"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": ours, "forwarded": f"for=1.2.3.4{theirs}"}
    assert origin({**fields, "x-forwarded-host": "evil", "host": "a"}) == Origin("1.2.3.4", scheme, "a")


HOP = "for=10.0.0.2"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(",".join([f'{HOP};x="' + "\\," * 480 + '"'] * 60), id="commas in quoted strings"),
        pytest.param(f'for=1.2.3.4;host="{"x" * 2000}"', id="an element"),
        pytest.param(f"for=1.2.3.4, {HOP};x={'x' * 900}" + f", {HOP};x={'x' * 900}" * 9, id="the field"),
        pytest.param(f"for=1.2.3.4{',' * 200}{HOP}", id="empty elements"),
        pytest.param(f"for=1.2.3.4{f', {HOP}' * 70}", id="the chain"),
    ],
)
def test_what_is_too_long_to_be_read_leads_to_nobody(value: str) -> None:
    assert origin({"forwarded": value, "host": "inner"}) == Origin(None, "http", "inner")


def test_a_chain_of_too_many_addresses_leads_to_nobody() -> None:
    addresses = ", ".join(f"10.0.{number}.1" for number in range(70))
    assert origin({"x-forwarded-for": f"1.2.3.4, {addresses}"}).client is None


def test_what_the_client_wrote_may_be_as_long_as_it_likes() -> None:
    theirs = ",".join([f'{HOP};x="' + "\\," * 480 + '"'] * 60)
    assert origin({"forwarded": f"{theirs}, for=1.2.3.4;proto=https"}) == Origin("1.2.3.4", "https", "")


def test_long_junk_is_not_remembered() -> None:
    proxies = TrustedProxies(["10.0.0.0/8"])
    assert origin({"x-forwarded-for": "x" * 9000}, proxies=proxies).client == PEER
    assert proxies._hop.cache_info().currsize == 1


@pytest.mark.parametrize("nobody", [None, ""])
def test_the_peer_of_a_unix_socket_is_trusted_only_where_the_file_says_so(nobody: str | None) -> None:
    fields = {"x-forwarded-for": "1.2.3.4"}
    assert origin(fields, peer=nobody).client is None
    assert origin(fields, peer=nobody, proxies=TrustedProxies(["unix"])).client == "1.2.3.4"
    assert origin(fields, proxies=TrustedProxies(["unix"])).client == PEER


def test_a_peer_that_is_no_address_is_kept_and_not_trusted() -> None:
    assert origin({"x-forwarded-for": "1.2.3.4"}, peer="testclient").client == "testclient"


def test_addresses_are_compared_in_one_spelling() -> None:
    fields = {"x-forwarded-for": "1.2.3.4"}
    assert origin(fields, peer="::ffff:10.0.0.1").client == "1.2.3.4"
    assert origin(fields, peer="10.0.0.1", proxies=TrustedProxies(["::ffff:10.0.0.0/104"])).client == "1.2.3.4"
    assert origin(fields, peer="::1", proxies=TrustedProxies(["0:0::1"])).client == "1.2.3.4"


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("10.0.0.1/8", "did you mean 10.0.0.0/8"),
        ("*", "networks"),
        ("localhost", "addresses"),
        ("", "addresses"),
    ],
)
def test_an_entry_that_is_no_network_is_a_config_error(entry: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        TrustedProxies([entry])
