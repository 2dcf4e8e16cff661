"""What an attacker tries: other spellings of a path and a method, claims of another type, roles that look like more."""

from contextlib import closing

import pytest

from narthex import Allow, Identity
from narthex_plugins.access.permissions import RolePermissions
from narthex_plugins.access.roles import Roles
from narthex_plugins.access.rules import Need
from tests.plugins.access.site import as_, serving
from tests.plugins.access.test_rules import Row, policy, rules_of
from tests.slow import sampled
from tests.wire.apps.marks import ADMIN
from tests.wire.client import RawClient
from tests.wire.servers import serve
from tests.wire.targets import Probe, probes, websocket_probes

PLACES = [("plain", ""), ("mounted", "/sub"), ("below", "/sub")]


@pytest.mark.parametrize(
    "server", sampled(["uvicorn-h11", "hypercorn", "granian"], lambda server: server != "hypercorn")
)
@pytest.mark.parametrize(("place", "prefix"), PLACES)
def test_no_spelling_of_a_path_or_method_gets_past_a_rule(server: str, place: str, prefix: str) -> None:
    roots = (prefix,) if prefix else ()
    asked = [*probes(prefix, roots), *websocket_probes(prefix, roots)]
    admin = Probe(f"{prefix}/admin".encode(), headers=b"x-test-user: ada admin")
    with serve(f"tests.plugins.access.attacked:{place}", server) as running, closing(RawClient(running.port)) as client:
        assert ADMIN.encode() in client.send(admin, "")
        got = [str(probe) for probe in asked if ADMIN.encode() in client.send(probe, "")]
    assert got == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "get", "Get", "hEaD"])
def test_a_rule_for_get_binds_every_spelling_and_head(method: str) -> None:
    rules = [{"path": "/x", "methods": ["GET"], "roles": ["admin"]}]
    with serving(default="allow", rules=rules) as client:
        assert client.request(method, "/x", as_("bob user")).status == 403
        assert client.request(method, "/x", as_("ada admin")).status == 200


@pytest.mark.parametrize("method", ["FOO", "PROPFIND", "M-SEARCH", "post", "X", "É"])
def test_a_rule_without_methods_binds_those_that_nobody_knows(method: str) -> None:
    with serving(default="allow", rules=[{"path": "/x/**", "roles": ["admin"]}]) as client:
        assert client.request(method, "/x/y", as_("bob user")).status == 403


def test_the_word_websocket_is_no_method_that_a_request_may_have() -> None:
    rules = [{"path": "/chat", "methods": ["WEBSOCKET"], "access": "allow"}]
    with serving(rules=rules) as client:
        assert client.websocket("/chat", ["hello"]).texts == ["hello"]
        for method in ("WEBSOCKET", "websocket", "WebSocket"):
            assert client.request(method, "/chat").json()["code"] == "odd_method"


def test_a_header_that_names_another_method_changes_no_verdict() -> None:
    rules = [{"path": "/x", "methods": ["POST"], "roles": ["admin"]}]
    with serving(default="authenticated", rules=rules) as client:
        override = [*as_("bob user"), ("x-http-method-override", "GET")]
        assert client.request("POST", "/x", override).status == 403


CLAIMS: list[tuple[dict[str, object], bool]] = [
    ({"level": 3}, True),
    ({"level": 3.0}, True),
    ({"level": [1, 3]}, True),
    ({"level": "3"}, False),
    ({"level": True}, False),
    ({"level": {"3": 3}}, False),
    ({"level": [[3]]}, False),
    ({"level": None}, False),
    ({"level": float("nan")}, False),
    ({"level": 10**400}, False),
    ({"Level": 3}, False),
    ({}, False),
]


@pytest.mark.parametrize(("claims", "met"), CLAIMS)
def test_a_claim_of_another_type_meets_nothing(claims: dict[str, object], met: bool) -> None:
    rows: list[Row] = [("/x", set(), Need(claims={"level": 3}))]
    verdict = policy(rules_of(rows)).decide("GET", "/x", Identity(subject="s", claims=claims))
    assert isinstance(verdict, Allow) is met


@pytest.mark.parametrize("claim", ["roles", "permissions", "realm_access"])
def test_what_a_token_claims_is_no_role_by_itself(claim: str) -> None:
    rows: list[Row] = [("/x", set(), Need(roles=("admin",)))]
    claims: dict[str, object] = {claim: ["admin"] if claim != "realm_access" else {"roles": ["admin"]}}
    verdict = policy(rules_of(rows)).decide("GET", "/x", Identity(subject="s", claims=claims))
    assert not isinstance(verdict, Allow)


@pytest.mark.parametrize(
    "role",
    [
        "*",
        "admin:*",
        "orders:*",
        "*:*",
        "Admin",
        "ADMIN",
        "admin ",
        " admin",
        "\u0430dmin",
        "\uff41dmin",
        "admin\u200b",
        "admin\0",
    ],
)
def test_a_role_that_looks_like_more_is_only_itself(role: str) -> None:
    permissions = RolePermissions(Roles([("user", "engineer", "admin")]), {"user": ["orders:*"]}, ["admin"])
    caller = Identity(subject="s", roles=frozenset({role}))
    assert not any(permissions.has_role(caller, one) for one in ("user", "engineer", "admin"))
    assert not any(permissions.has_permission(caller, one) for one in ("orders:read", "orders:*", "access:grant", "*"))


@pytest.mark.parametrize(
    "asked", ["orders:*", "*:*", "*", "orders:", ":read", "orders::read", "orders:read\n", "or ders:read", ""]
)
def test_a_permission_that_is_none_is_held_by_nobody_but_the_unlimited(asked: str) -> None:
    permissions = RolePermissions(Roles([("user", "admin")]), {"user": ["orders:*", "*:*"]}, ["admin"])
    everything = Identity(subject="s", roles=frozenset({"user"}), permissions=frozenset({asked, "*:*", "*"}))
    assert not permissions.has_permission(everything, asked)
    assert permissions.has_permission(Identity(subject="s", roles=frozenset({"admin"})), asked)


def test_a_star_of_a_token_stands_for_one_word_and_no_more() -> None:
    permissions = RolePermissions(Roles([("user", "admin")]), {}, ["admin"])
    caller = Identity(subject="s", permissions=frozenset({"orders:*", "canvas:*:read"}))
    held = ["orders:read", "canvas:drafts:read"]
    lacked = ["orders:lines:read", "orders", "canvas:drafts:write", "canvas:read", "access:grant"]
    assert [one for one in (*held, *lacked) if permissions.has_permission(caller, one)] == held
