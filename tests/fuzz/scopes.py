"""Scopes as servers make them, and as nobody should: odd paths, odd headers, keys that are missing."""

import random
from typing import Any, Final

from narthex.asgi import Message, Scope

PLAIN_PATHS: Final = ("/", "/open", "/open/x", "/a", "/a/b/c", "/orders/7", "/quiet", "/café", "/a.b", "/open/")
PLUGIN_PATHS: Final = (
    "/_narthex/public", "/_narthex/known", "/_narthex/of/red", "/_narthex/of/*", "/_narthex/broken", "/early",
    "/_narthex/socket", "/_narthex/number/7", "/_narthex/number/" + "7" * 5000, "/_narthex/of/a:b", "/_narthex/nothing",
    "/_narthex/streams",
)  # fmt: skip
ODD_PATHS: Final = (
    "", "*", "//", "/a//b", "/../a", "/a/.", "/a/..;x", "/a\\b", "/\x00", "/a%2fb", "/%2e%2e/a", "/a%00", "/\ud800",
    "http://example.org/a", "a", "/open/../a", "/open//", "/OPEN", "/" + "x" * 5000, "/\u2028", "/\x85", "/mount",
    "/mount/open", "/mountain", "/x/mount/open", "/\U0001f600", "/a\n", "/%25252e", "/open;a=b", "/ open", "/{x}",
    "/_narthex", "/_narthex//public", "/_narthex/public/", "/_narthex/%70ublic", "/_narthex/of/a%2fb",
)  # fmt: skip
_ROOTS: Final = ("", "", "", "", "/", "/mount", "/mount/", "mount", "/open", "/\ud800", "//")
_METHODS: Final = ("GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "DELETE")
_ODD_METHODS: Final = ("", "get", "WEBSOCKET", "websocket", "M-SEARCH", "PÖST", "GET\r\n", "X" * 300, "WebSocket")
_EXTENSIONS: Final = (
    "http.response.push", "http.response.early_hint", "http.response.debug", "http.response.pathsend",
    "http.response.zerocopysend", "http.response.trailers", "websocket.http.response", "tls",
)  # fmt: skip
_CLIENTS: Final = (
    ("10.0.0.1", 50000), ["10.0.0.1", 1], ("192.0.2.7", 1), ("", 0), None, ("testclient", 50000),
    ("::ffff:10.0.0.1", 1), ("not an address", 1), ("fd00::1", 0), ("10.0.0.1", None),
)  # fmt: skip
_NAMES: Final = (
    b"accept", b"x-request-id", b"authorization", b"host", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto",
    b"x-forwarded-host", b"x-narthex-subject", b"X_Narthex_Roles", b"cookie", b"", b"X-Upper", b"\xff\x00", b"a\r\nb",
    b"content-length", b"transfer-encoding", b"origin", b"sec-websocket-protocol", b"Authorization", b"Accept",
)  # fmt: skip
_VALUES: Final = (
    b"", b"text/html", b"text/html;q=0.1, application/json", b"*/*;q=nan", b"text/html;q=1e999", b"abc-123",
    b"a\r\nset-cookie: x", b"\xff\xfe\x00", b"for=1.2.3.4", b'for="[2001:db8::1]:80";proto=https;host="a,b"', b'for="',
    b"1.2.3.4, 10.0.0.9", b"10.0.0.2,10.0.0.3,10.0.0.4", b"https", b"example.org", b"example.org:99999", b"exa mple",
    b"Bearer x", b"Basic \xc3\xa9", b"-1", b"1" * 200, b",,,,", b"unknown", b"\t",
    b"application/problem+json,text/html",
)  # fmt: skip
_PLAIN_FIELDS: Final = (
    (b"accept", b"text/html,application/xhtml+xml;q=0.9"), (b"x-request-id", b"abc-123"), (b"user-agent", b"fuzz"),
    (b"cookie", b"a=b"), (b"x-narthex-subject", b"mallory"), (b"authorization", b"Bearer x"),
)  # fmt: skip


def http(rng: random.Random) -> tuple[Scope, bool]:
    """An HTTP scope, and whether it is plain: nothing about it may be refused but by a plugin."""
    scope, plain = _common(rng, "http")
    if rng.random() < 0.08:
        scope["method"] = rng.choice(_ODD_METHODS)
        plain = False
    else:
        scope["method"] = rng.choice(_METHODS)
    return scope, plain


def websocket(rng: random.Random) -> tuple[Scope, bool]:
    """A websocket scope, and whether it is plain."""
    scope, plain = _common(rng, "websocket")
    if rng.random() < 0.7:
        scope["subprotocols"] = ["chat"] if rng.random() < 0.3 else []
    return scope, plain


def _common(rng: random.Random, kind: str) -> tuple[Scope, bool]:
    chance = rng.random
    path, plain = _path(rng)
    fields, fine = _headers(rng)
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": rng.choice(("2.0", "2.3", "2.4", "2.5"))},
        "http_version": rng.choice(("1.0", "1.1", "1.1", "2", "3")),
        "path": path,
        "headers": fields,
    }
    if chance() < 0.9:
        scope["query_string"] = rng.choice((b"", b"", b"a=b", b"\xff%zz", b"x" * 3000))
    if chance() < 0.85:
        scope["scheme"] = rng.choice(("http", "https", "ws", "wss"))
    if chance() < 0.85:
        root = rng.choice(_ROOTS)
        plain = plain and root == ""
        scope["root_path"] = root
        if chance() < 0.3:
            scope["path"] = root + path
    if chance() < 0.8:
        scope["raw_path"], fine_raw = _raw(rng, scope["path"])
        plain = plain and fine_raw
    if chance() < 0.9:
        scope["client"] = rng.choice(_CLIENTS)
    if chance() < 0.8:
        scope["server"] = rng.choice((("127.0.0.1", 8000), ("/run/x.sock", None), None))
    if chance() < 0.9:
        offered: dict[str, dict[str, Any]] = {name: {} for name in _EXTENSIONS if chance() < 0.4}
        scope["extensions"] = offered if offered or chance() < 0.7 else None
    if chance() < 0.5:
        scope["state"] = {"db": 1}
    return scope, plain and fine


def _path(rng: random.Random) -> tuple[str, bool]:
    pick = rng.random()
    if pick < 0.62:
        return rng.choice(PLAIN_PATHS), True
    if pick < 0.76:
        return rng.choice(PLUGIN_PATHS), False
    if pick < 0.97:
        return rng.choice(ODD_PATHS), False
    return "/" + "".join(rng.choices("/.%25Ffec0\\\n\x00;ab\ud800\u00e9?#", k=rng.randrange(12))), False


def _raw(rng: random.Random, path: str) -> tuple[bytes | None, bool]:
    pick = rng.random()
    if pick < 0.85:
        return path.encode("utf-8", "replace"), True
    if pick < 0.9:
        return None, True
    return rng.choice((b"", b"/a%2Fb", b"/%00", b"/other", b"/\xff", b"/x?y=%2f", b"/%5c")), False


def _headers(rng: random.Random) -> tuple[Any, bool]:
    if rng.random() < 0.6:
        fields: list[Any] = [field for field in _PLAIN_FIELDS if rng.random() < 0.3]
        return fields, True
    fields = [(rng.choice(_NAMES), rng.choice(_VALUES)) for _ in range(rng.randrange(7))]
    pick = rng.random()
    if pick < 0.1:
        fields = [list(field) for field in fields]
    elif pick < 0.2:
        return tuple(fields), False
    elif pick < 0.21:
        fields.append((b"x-huge", b"x" * 65536))
    elif pick < 0.22:
        fields += [(b"x-many", b"1")] * 500
    elif pick < 0.3:
        fields += [(b"authorization", b"Bearer a"), (rng.choice((b"authorization", b"AUTHORIZATION")), b"Bearer b")]
    return fields, False


# -- what the server says

_FRAMES: Final[tuple[Message, ...]] = (
    {"type": "websocket.receive", "text": "hé"},
    {"type": "websocket.receive", "bytes": b"\xff", "text": None},
    {"type": "websocket.receive", "text": "\ud800", "bytes": None},
)


def incoming(rng: random.Random, kind: str) -> list[Message]:
    """What `receive` gives, mostly in the order of the protocol."""
    messages = _requests(rng) if kind == "http" else _frames(rng)
    if rng.random() < 0.12:
        _disturb(rng, messages, kind)
    return messages


def _requests(rng: random.Random) -> list[Message]:
    count = rng.choice((1, 1, 1, 2, 3, 0))
    messages: list[Message] = [
        {"type": "http.request", "body": rng.choice((b"", b"x", b"y" * 100)), "more_body": number < count - 1}
        for number in range(count)
    ]
    if messages and rng.random() < 0.1:
        del messages[-1]["body"]
    if messages and rng.random() < 0.1:
        del messages[-1]["more_body"]
    if rng.random() < 0.4:
        messages.append({"type": "http.disconnect"})
    return messages


def _frames(rng: random.Random) -> list[Message]:
    messages: list[Message] = [{"type": "websocket.connect"}]
    messages += [dict(rng.choice(_FRAMES)) for _ in range(rng.randrange(3))]
    if rng.random() < 0.5:
        messages.append({"type": "websocket.disconnect", "code": rng.choice((1000, 1001, 1006)), "reason": ""})
    return messages


def _disturb(rng: random.Random, messages: list[Message], kind: str) -> None:
    alien: tuple[Message, ...] = (
        {"type": "http.request", "body": b"late"},
        {"type": "http.disconnect"},
        {"type": "websocket.receive", "text": "early"},
        {"type": "websocket.receive"},
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect"},
        {"type": "unknown.thing", "extra": 1},
        {"type": f"{kind}.request", "body": None},
    )
    messages.insert(rng.randrange(len(messages) + 1), dict(rng.choice(alien)))
    if rng.random() < 0.3 and messages:
        del messages[rng.randrange(len(messages))]
    if rng.random() < 0.3:
        rng.shuffle(messages)
