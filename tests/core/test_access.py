"""Who may call a plugin's endpoint."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from narthex import AUTHENTICATED, PUBLIC, Allow, Deny, House, Identity, Narthex, Route, Settings, hookimpl
from narthex.services import Permissions
from narthex.testing import Reply, config, request
from tests.apps import Hello
from tests.guests import NoSettings, offer, seat

READER = Identity(subject="rita", permissions=frozenset({"canvas:drafts:read", "canvas:a.b-c@d~e+f:read"}))


async def endpoint(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.path_params}")


def get(target: str, access: str, path: str, who: Identity | None = READER, **tables: dict[str, object]) -> Reply:
    route = Route(path=path, endpoint=endpoint, access=access)
    auth = offer(authenticate=lambda exchange: who)
    house = Narthex(Hello(), config(auth=auth, a=offer(routes=lambda: [route]), **tables))
    return asyncio.run(request(house, "GET", f"/_narthex{target}"))


def test_public_routes_take_anyone_and_authenticated_ones_take_any_identity() -> None:
    assert get("/p", PUBLIC, "/p", None).status == 200
    assert get("/p", AUTHENTICATED, "/p", None).status == 401
    assert get("/p", AUTHENTICATED, "/p").status == 200


def test_a_permission_is_compared_with_the_paths_parameters_filled_in() -> None:
    access, path = "canvas:{name}:read", "/canvas/{name}"
    assert get("/canvas/drafts", access, path).status == 200
    assert get("/canvas/a.b-c@d~e+f", access, path).status == 200
    assert get("/canvas/other", access, path).status == 403
    assert get("/canvas/drafts", access, path, None).status == 401


@pytest.mark.parametrize("value", ["*", "drafts:read", "a b", "%7Bname%7D", "drafts%0A", "dra%2Afts", "**"])
def test_a_parameter_that_is_not_one_word_cannot_widen_the_permission(value: str) -> None:
    class Generous:
        """Grants whatever a star in the question could stand for: what a plugin with wildcards may do."""

        name = "generous"
        Settings: type[Settings] = NoSettings

        def __init__(self, settings: NoSettings, house: House) -> None:
            house.provide(Permissions, self)

        def has_role(self, identity: Identity, role: str) -> bool:
            return False

        def has_permission(self, identity: Identity, permission: str) -> bool:
            return permission != "canvas:drafts:read"

        @hookimpl
        def health(self) -> None: ...

    reply = get(f"/canvas/{value}", "canvas:{name}:read", "/canvas/{name}", READER, g=seat(Generous))
    assert reply.status in {400, 403}
    assert get("/canvas/mine", "canvas:{name}:read", "/canvas/{name}", READER, g=seat(Generous)).status == 200


def test_a_path_parameter_with_slashes_is_no_word_of_a_permission() -> None:
    assert get("/files/a/b", "files:{where}:read", "/files/{where:path}").status == 403


def test_a_parameter_that_the_permission_does_not_name_may_be_anything() -> None:
    admin = Identity(subject="ada", roles=frozenset({"admin"}))
    assert get("/files/a/*:b", "files:read", "/files/{where:path}", admin).body == b"{'where': 'a/*:b'}"


def test_policies_are_not_asked_about_a_plugins_route() -> None:
    policy = offer(authorize=lambda exchange: Deny(403, "no"))
    assert get("/p", AUTHENTICATED, "/p", READER, policy=policy).status == 200
    assert get("/p", "a:b", "/p", READER, policy=offer(authorize=lambda exchange: Allow())).status == 403


def test_guards_are_asked_before_a_plugins_route() -> None:
    assert get("/p", PUBLIC, "/p", READER, guard=offer(vet=lambda exchange: Deny(429, "slow"))).status == 429


def test_a_401_of_a_guard_makes_the_caller_of_a_public_route_anonymous() -> None:
    guard = offer(vet=lambda exchange: Deny(401, "token_revoked"))
    assert get("/p", PUBLIC, "/p", READER, guard=guard).status == 200
    assert get("/p", AUTHENTICATED, "/p", READER, guard=guard).status == 401


def test_a_plugins_route_is_not_opened_by_the_open_paths() -> None:
    route = Route(path="/p", endpoint=endpoint, access=AUTHENTICATED)
    tables: dict[str, Any] = {"narthex": {"open": ["/**"]}, **config(a=offer(routes=lambda: [route]))}
    assert asyncio.run(request(Narthex(Hello(), tables), "GET", "/_narthex/p")).status == 401
