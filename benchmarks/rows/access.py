"""Auth, revocation and access together, beside what a team would write: a dictionary, and then a set, Redis or casbin.

Each peer is the dictionary of `rows.auth` with one question more: is the token's id on the list, by a GET to a Redis on
loopback; may this role, by casbin's enforcer with the model and the policy of its own RBAC example. The row with the
set of revoked ids and the role check is `starlette auth + pyjwt, tuned`.
"""

import os
from typing import Any

from benchmarks.asgi import ASGIApp, Receive, Scope, Send
from benchmarks.candidates import NotThere, Peer, candidate
from benchmarks.credentials import ROLE, bearer
from benchmarks.rows.auth import DICTIONARY, behind_auth, middleware
from benchmarks.traffic import bare

GROUP = "Authorization"
REDIS = "starlette auth, dictionary + redis get"
CASBIN = "starlette auth, dictionary + casbin"
BY_HAND = "starlette auth + pyjwt, tuned"
RULES = [
    {"path": "/orders/**", "roles": [ROLE]},
    {"path": "/orders/**", "methods": ["POST"], "permissions": ["orders:write"]},
    {"path": "/admin/**", "roles": ["admin"]},
]
_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && r.act == p.act
"""


class Ask:
    """Asks one question more of everybody whom the middleware in front knows."""

    def __init__(self, app: ASGIApp, allowed: Any) -> None:
        self.app = app
        self.allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not await self.allowed(scope):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)


@candidate(REDIS, group=GROUP, wire=True)
def with_redis() -> ASGIApp:
    from redis import Redis, RedisError
    from redis.asyncio import Redis as AsyncRedis

    url = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0")
    try:
        with Redis.from_url(url) as once:
            once.ping()
    except RedisError as error:
        raise NotThere(f"no Redis: {error}") from None
    client = AsyncRedis.from_url(url)
    token_id = bearer()[-22:]  # as long as a `jti`; it is on no list

    async def allowed(scope: Scope) -> bool:
        return await client.get(f"revoked:{token_id}") is None

    return middleware(Ask(bare, allowed), remember=True)


@candidate(CASBIN, group=GROUP, wire=True)
def with_casbin() -> ASGIApp:
    import casbin

    model = casbin.Model()
    model.load_model_from_text(_MODEL)
    enforcer = casbin.Enforcer(model, enable_log=False)
    enforcer.add_policies([[ROLE, "/orders/*", "GET"], ["admin", "/admin/*", "GET"], [ROLE, "/orders/*", "POST"]])
    enforcer.add_grouping_policy("admin", ROLE)
    enforcer.add_grouping_policy("alice", ROLE)

    async def allowed(scope: Scope) -> bool:
        return bool(enforcer.enforce(scope["user"].username, scope["path"], scope["method"]))

    return middleware(Ask(bare, allowed), remember=True)


@candidate(
    "narthex, auth + revocation + access",
    group=GROUP,
    lifespan=True,
    background=True,
    wire=True,
    against=(Peer(DICTIONARY, at_most=2.0, at_least=0.95), Peer(BY_HAND), Peer(REDIS), Peer(CASBIN)),
)
def all_three() -> ASGIApp:
    return behind_auth({"revocation": {}, "access": {"rules": RULES}})


@candidate("narthex, auth + access", group=GROUP, lifespan=True, background=True)
def auth_and_access() -> ASGIApp:
    return behind_auth({"access": {"rules": RULES}})


@candidate("narthex, auth + revocation", group=GROUP, lifespan=True, background=True)
def auth_and_revocation() -> ASGIApp:
    return behind_auth({"revocation": {}})
