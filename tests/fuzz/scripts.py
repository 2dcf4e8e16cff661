"""What apps do: whole answers, streams, sockets; and then the same out of order, doubled, or broken off."""

import random
from typing import Any, Final

from narthex.asgi import Message
from tests.fuzz.case import Op

_FIELDS: Final = (
    (), (), ((b"content-type", b"text/plain"),), ((b"content-length", b"3"),),
    ((b"set-cookie", b"a"), (b"set-cookie", b"b")),
    ((b"content-type", b"text/event-stream"),), ((b"Content-Type", b"TEXT/EVENT-STREAM; charset=utf-8"),),
)  # fmt: skip
_RAISES: Final = ("app", "app", "app", "os", "timeout", "group", "weird", "cancelled", "unprintable")
_ALIEN: Final[tuple[Message, ...]] = (
    {"type": "http.response.start", "status": 200, "headers": []},
    {"type": "http.response.body", "body": b"z"},
    {"type": "http.response.body", "body": b"z", "more_body": True},
    {"type": "http.response.trailers", "headers": [(b"x-t", b"1")]},
    {"type": "http.response.pathsend", "path": "/etc/hostname"},
    {"type": "http.response.zerocopysend", "file": 3, "more_body": False},
    {"type": "http.response.push", "path": "/x", "headers": []},
    {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]},
    {"type": "websocket.accept"},
    {"type": "websocket.send", "text": "z"},
    {"type": "websocket.send", "bytes": None, "text": None},
    {"type": "websocket.close", "code": 1000},
    {"type": "websocket.http.response.start", "status": 403, "headers": []},
    {"type": "websocket.http.response.body", "body": b"z"},
    {"type": "unknown.type"},
    {"type": "http.response.start"},
    {"type": "http.response.start", "status": "200", "headers": None},
    {"type": "http.response.start", "status": 200, "headers": [("str", "str")]},
    {"type": "http.response.body", "body": None},
    {"type": "http.response.body", "body": "text"},
    {"type": "websocket.send", "text": b"bytes"},
    {"type": "lifespan.startup.complete"},
    {},
)


def script(rng: random.Random, kind: str, extensions: Any) -> list[Op]:
    """What the app does."""
    offered = extensions or {}
    ops = _answer(rng, offered) if kind == "http" else _socket(rng, offered)
    chance = rng.random
    if chance() < 0.25:
        for _ in range(rng.randrange(1, 3)):
            ops.insert(rng.randrange(len(ops) + 1), _aside(rng, ops))
    if chance() < 0.3:
        for _ in range(rng.choice((1, 1, 2, 3))):
            _mutate(rng, ops)
    return ops


def _answer(rng: random.Random, offered: Any) -> list[Op]:
    chance = rng.random
    ops: list[Op] = []
    if chance() < 0.6:
        ops.append(("drain" if chance() < 0.3 else "receive", None))
    if chance() < 0.1 and "http.response.early_hint" in offered:
        ops.append(("send", {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]}))
    trailers = chance() < 0.5 and "http.response.trailers" in offered
    start: Message = {"type": "http.response.start", "status": rng.choice((200, 200, 200, 204, 304, 404, 500))}
    if chance() < 0.9:
        start["headers"] = _field_list(rng)
    if trailers:
        start["trailers"] = True
    ops.append(("send", start))
    ops += [("send", {"type": "http.response.body", "body": b"abc", "more_body": True}) for _ in range(_few(rng))]
    if chance() < 0.2 and "http.response.pathsend" in offered:
        ops.append(("send", {"type": "http.response.pathsend", "path": "/etc/hostname"}))
    elif chance() < 0.2 and "http.response.zerocopysend" in offered:
        ops.append(("send", {"type": "http.response.zerocopysend", "file": 3, "count": 1, "more_body": False}))
    else:
        end: Message = {"body": b"end"} if chance() < 0.7 else {}
        ops.append(("send", {"type": "http.response.body", **end}))
    if trailers:
        ops.append(("send", {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}))
    if chance() < 0.1:
        ops.append(("until gone", None))
    return ops


def _field_list(rng: random.Random) -> Any:
    fields = rng.choice(_FIELDS)
    pick = rng.random()
    return tuple(fields) if pick < 0.1 else [list(field) for field in fields] if pick < 0.2 else list(fields)


def _few(rng: random.Random) -> int:
    return rng.choice((0, 0, 1, 2))


def _socket(rng: random.Random, offered: Any) -> list[Op]:
    chance = rng.random
    ops: list[Op] = [("receive", None)] if chance() < 0.9 else []
    pick = chance()
    if pick < 0.1:
        return [*ops, ("send", {"type": "websocket.close", "code": 4000})]
    if pick < 0.25 and "websocket.http.response" in offered:
        kind = "websocket.http.response"
        ops.append(("send", {"type": f"{kind}.start", "status": 403, "headers": _field_list(rng)}))
        ops += [("send", {"type": f"{kind}.body", "body": b"no", "more_body": True}) for _ in range(_few(rng))]
        return [*ops, ("send", {"type": f"{kind}.body", "body": b"."})]
    accept: Message = {"type": "websocket.accept"}
    if chance() < 0.5:
        accept = {**accept, "subprotocol": None, "headers": _field_list(rng)}
    ops.append(("send", accept))
    for _ in range(_few(rng)):
        data: Message = {"text": "hé", "bytes": None} if chance() < 0.5 else {"bytes": b"b"}
        ops.append(("send", {"type": "websocket.send", **data}))
        if chance() < 0.5:
            ops.append(("receive", None))
    pick = chance()
    if pick < 0.5:
        ops.append(("until gone", None))
    elif pick < 0.9:
        ops.append(("send", {"type": "websocket.close", "code": 1000, "reason": ""}))
    return ops


def _aside(rng: random.Random, ops: list[Op]) -> Op:  # noqa: PLR0911  one for each
    """Something that is no message."""
    pick = rng.random()
    if pick < 0.2:
        return ("raise", rng.choice(_RAISES))
    if pick < 0.5:
        return ("guard", rng.choice(("auth", "role user", "role admin", "permission", "quietly auth", "quietly admin")))
    if pick < 0.6:
        return ("set", rng.choice(("route", "path", "own", "state", "endpoint")))
    if pick < 0.7:
        return ("sleep", rng.choice((0.0, 0.01, 0.9, 2.0, 400.0)))
    if pick < 0.75:
        return ("hang", None)
    if pick < 0.85:
        return ("close", None)
    if pick < 0.95 and ops:
        return ("spawn", [("sleep", rng.choice((0.0, 0.5, 3.0))), *ops[rng.randrange(len(ops)) :]])
    return ("iterate", None)


def _mutate(rng: random.Random, ops: list[Op]) -> None:
    pick = rng.random()
    at = rng.randrange(len(ops) + 1)
    if pick < 0.25:
        ops.insert(at, ("send", dict(rng.choice(_ALIEN))))
    elif not ops:
        return
    elif pick < 0.4:
        ops.insert(at, ops[rng.randrange(len(ops))])
    elif pick < 0.55:
        del ops[rng.randrange(len(ops))]
    elif pick < 0.7:
        one, other = rng.randrange(len(ops)), rng.randrange(len(ops))
        ops[one], ops[other] = ops[other], ops[one]
    elif pick < 0.85:
        del ops[at:]
    elif pick < 0.95:
        ops.insert(at, ("raise", rng.choice(_RAISES)))
    else:
        ops.append(ops[-1])
