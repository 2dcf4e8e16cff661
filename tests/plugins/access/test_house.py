"""The plugin in a house: verdicts, plugin endpoints and decorators, shadow mode, its own endpoints."""

import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from typer.testing import CliRunner

from narthex import Narthex, require_permission, require_role
from narthex.cli import app as command_line
from narthex.errors import ConfigError
from narthex.events import ExchangeRefused
from narthex.testing import Client, Counted, FixedClock, Hello, config
from tests.plugins.access.site import PERSON, as_, serving

RULES: list[dict[str, object]] = [
    {"path": "/admin/**", "roles": ["admin"]},
    {"path": "/orders/**", "methods": ["POST"], "permissions": ["orders:write"]},
    {"path": "/help/**", "access": "allow"},
    {"path": "/old/**", "access": "deny"},
]
GRANTS = {"engineer": ["orders:*"]}


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("", "GET", "/help/me", 200),
        ("", "GET", "/admin", 401),
        ("", "GET", "/", 401),
        ("bob user", "GET", "/", 200),
        ("bob user", "GET", "/admin/users", 403),
        ("ada admin", "GET", "/admin/users/", 200),
        ("ada admin", "GET", "/old/x", 403),
        ("", "GET", "/old/x", 403),
        ("bob user", "POST", "/orders/1", 403),
        ("bob user", "GET", "/orders/1", 200),
        ("eve engineer", "POST", "/orders/1", 200),
        ("ada admin", "POST", "/orders/1", 200),
    ],
)
def test_a_request_is_judged_by_its_rule(who: str, method: str, path: str, status: int) -> None:
    with serving(default="authenticated", rules=RULES, grants=GRANTS) as client:
        assert client.request(method, path, as_(who)).status == status


def test_without_a_rule_nobody_may_unless_the_file_says_so() -> None:
    with serving() as client:
        assert client.get("/x", as_("ada admin")).status == 403
    with serving(default="allow") as client:
        assert client.get("/x").status == 200


def test_a_websocket_is_judged_too() -> None:
    with serving(default="allow", rules=[{"path": "/chat", "methods": ["WEBSOCKET"], "roles": ["user"]}]) as client:
        assert client.websocket("/chat", ["hello"], as_("bob user")).texts == ["hello"]
        assert client.websocket("/chat", ["hello"]).texts == []
        assert client.get("/chat").status == 200


def test_decorators_ask_the_plugin() -> None:
    @require_role("auditor")
    async def books(request: Request) -> PlainTextResponse:
        return PlainTextResponse("books")

    @require_permission("canvas:drafts:write")
    async def drafts(request: Request) -> PlainTextResponse:
        return PlainTextResponse("drafts")

    app = Starlette(routes=[Route("/books", books), Route("/drafts", drafts)])
    hierarchy = ["user < auditor < owner"]
    with serving(app=app, default="allow", hierarchy=hierarchy, grants={"user": ["canvas:*:write"]}) as client:
        assert client.get("/books", as_("otto owner")).status == 200
        assert client.get("/books", as_("bob user")).status == 403
        assert client.get("/books", as_("ada admin")).status == 403
        assert client.get("/drafts", as_("otto owner")).status == 200
        assert client.get("/drafts", as_("rob robot")).status == 403


def test_whoever_lacks_what_may_have_been_granted_lately_is_refused_with_503_at_every_door() -> None:
    @require_permission("orders:read")
    async def orders(request: Request) -> PlainTextResponse:
        return PlainTextResponse("orders")

    tables = config(
        {"open": ["/orders"]},
        person=PERSON,
        access={"default": "allow", "rules": [{"path": "/ruled", "permissions": ["orders:read"]}]},
    )
    clock = FixedClock()
    with Client(Narthex(Starlette(routes=[Route("/orders", orders)]), tables, clock=clock)) as client:
        store: Any = client.house._estate.store
        store._reading, reading = None, store._reading
        clock.advance(3600)
        doors = ("/ruled", "/orders", "/_narthex/access/denials")
        replies = [client.get(path, as_("bob user")) for path in doors]
        sure = client.get("/_narthex/access/denials", as_("ada admin"))
        store._reading = reading
    told = {(one.status, one.json()["code"], one.headers["retry-after"]) for one in replies}
    assert (told, sure.status) == ({(503, "grants_unknown", "1")}, 200)


def test_a_refusal_tells_rule_and_line_to_operators_and_neither_to_the_caller(tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    file.write_text(
        '[narthex]\nstore = "memory"\n[plugins.person]\nuse = "tests.guests:Person"\n[plugins.access]\n'
        'default = "allow"\n[[plugins.access.rules]]\npath = "/admin/**"\nroles = ["admin"]\n'
    )
    heard: list[ExchangeRefused] = []
    house = Narthex(Hello(), str(file))
    house._estate.events.subscribe(ExchangeRefused, heard.append)
    with Client(house) as client:
        reply = client.get("/admin", as_("bob user"))
    assert reply.status == 403
    assert reply.json()["code"] == "role_required"
    assert b"narthex.toml" not in reply.body
    assert heard[0].rule == f"{file}:7 /admin/**"
    assert heard[0].reason == "bob has no role admin"


def test_shadow_mode_lets_through_and_counts_by_rule(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    tables = config({"store": "memory"}, person=PERSON, access={"mode": "shadow", "rules": RULES})
    house = Narthex(Hello(), tables)
    house._estate.metrics.attach(counted)
    with caplog.at_level(logging.INFO, "narthex.shadow"), Client(house) as client:
        for _ in range(3):
            assert client.get("/admin/x", as_("bob user")).status == 200
        rows = client.get("/_narthex/access/denials", as_("ada admin")).json()["denials"]
    assert rows == [{"rule": "rules[0] /admin/**", "code": "role_required", "shadow": True, "count": 3}]
    assert counted["narthex_access_denials_total", "access", "rules[0] /admin/**", "true"] == 3
    assert "access would have refused GET '/admin/x': role_required" in caplog.text


def test_explaining_asks_the_real_policies_and_counts_nothing() -> None:
    with serving(default="authenticated", rules=RULES, grants=GRANTS) as client:
        ada = as_("ada admin")
        found = client.get("/_narthex/explain?path=/admin/users&as=bob&role=user", ada).json()
        assert (found["allowed"], found["by"], found["verdict"]["code"]) == (False, "access", "role_required")
        assert found["verdict"]["rule"] == "rules[0] /admin/**"
        assert [one["stage"] for one in found["asked"]] == ["authenticate", "authorize"]
        asked = "/_narthex/explain?method=POST&path=/orders/1&as=bob&role=user&permission=orders:write"
        assert client.get(asked, ada).json()["allowed"] is True
        assert client.get("/_narthex/explain?path=/help/x", ada).json()["allowed"] is True
        assert client.get("/_narthex/access/denials", ada).json()["denials"] == []


@pytest.mark.parametrize("query", ["", "?path=x", "?path=/x&role=user", "?path=/x&as=a&claim=b"])
def test_what_cannot_be_explained_is_refused(query: str) -> None:
    with serving() as client:
        assert client.get(f"/_narthex/explain{query}", as_("ada admin")).status == 400


def test_only_who_has_the_permission_explains_reads_and_grants() -> None:
    with serving(grants={"user": ["access:explain"]}) as client:
        assert client.get("/_narthex/explain?path=/x", as_("bob user")).status == 200
        assert client.get("/_narthex/access/grants", as_("bob user")).status == 403
        assert client.post("/_narthex/access/grants", as_("bob user"), json={}).status == 403
        assert client.get("/_narthex/explain?path=/x").status == 401


def test_what_is_granted_over_the_wire_holds_at_once_and_is_withdrawn_at_once() -> None:
    rules = [{"path": "/orders", "permissions": ["orders:read"]}]
    with serving(rules=rules) as client:
        ada, bob = as_("ada admin"), as_("bob user")
        grant = {"role": "user", "permission": "orders:*"}
        assert client.get("/orders", bob).status == 403
        assert client.post("/_narthex/access/grants", ada, json=grant).status == 201
        assert client.post("/_narthex/access/grants", ada, json=grant).status == 200
        assert client.get("/orders", bob).status == 200
        assert client.get("/_narthex/access/grants", ada).json()["store"] == {"user": ["orders:*"]}
        assert client.request("DELETE", "/_narthex/access/grants/user/orders:*", ada).status == 200
        assert client.request("DELETE", "/_narthex/access/grants/user/orders:*", ada).status == 404
        assert client.get("/orders", bob).status == 403


@pytest.mark.parametrize(
    "body",
    [
        {"role": "user"},
        {"role": "", "permission": "a:b"},
        {"role": "a b", "permission": "a:b"},
        {"role": "user", "permission": "a"},
        {"role": "user", "permission": "a:b c"},
        {"role": "user", "permission": "a:**"},
        {"role": 1, "permission": "a:b"},
        {"role": "user", "permission": "a:b", "more": "x"},
        [],
    ],
)
def test_a_grant_that_cannot_be_is_refused(body: object) -> None:
    with serving() as client:
        reply = client.post("/_narthex/access/grants", as_("ada admin"), json=body)
        assert reply.status == 400
        assert client.get("/_narthex/access/grants", as_("ada admin")).json()["store"] == {}


def broken(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("narthex.toml").write_text(f'[narthex]\nstore = "memory"\n[plugins.access]\n{text}')
    with pytest.raises(ConfigError) as caught:
        Narthex(Hello(), "narthex.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'hierarchy = [\n"user < admin",\n"admin < user"]',
            "narthex.toml:6: hierarchy: a role stands",
        ),
        ('hierarchy = ["user <"]', "narthex.toml:4: [plugins.access] hierarchy[0]: write roles and < between"),
        ('[[plugins.access.rules]]\npath = "/a"', "narthex.toml:4: [plugins.access] rules[0]: a rule needs something"),
        ('rules = [{path="/a", access="allow", roles=["user"]}]', "nothing else may be needed"),
        ('rules = [{path="/a", roles=[]}]', "a rule needs something"),
        ('rules = [{path="/a", roles=["user"], methods=[]}]', "`methods` is empty"),
        ('rules = [{path="/a", methods=["get"], roles=["user"]}]', "rules[0].methods[0]: does not look as it must"),
        ('rules = [\n{path="/a", roles=[\n"enginer"]}]', "narthex.toml:6: no role is called 'enginer' (did you mean"),
        ('rules = [{path="/a", permissions=["orders:*"]}]', "a rule needs one permission"),
        ('rules = [{path="/a", claims={staff=[]}}]', "a claim is compared with nothing"),
        ('rules = [{path="a/b", access="allow"}]', "does not start with a slash"),
        ('grants = {user = ["orders"]}', "a permission is words joined by :"),
        ('grants = {user = ["orders:**"]}', "a permission is words joined by :"),
        ('default = "open"', 'is not one of "deny", "authenticated", "allow"'),
    ],
)
def test_what_cannot_be_followed_is_told_with_its_line(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said in broken(text, tmp_path, monkeypatch)


def test_two_instances_both_have_their_say_and_one_answers_for_permissions() -> None:
    second: dict[str, Any] = {
        "use": "access",
        "path": "/second",
        "explain": "/second/explain",
        "provide": False,
        "default": "allow",
        "rules": [{"path": "/x", "access": "deny"}],
    }
    tables = config({"store": "memory"}, person=PERSON, access={"default": "authenticated"}, access_more=second)
    with Client(Narthex(Hello(), tables)) as client:
        assert client.get("/y", as_("bob user")).status == 200
        assert client.get("/x", as_("bob user")).status == 403
        assert client.get("/y").status == 401


def test_an_account_is_explained_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("narthex.toml").write_text(
        '[narthex]\nsecret_key = { env = "KEY" }\n[plugins.auth]\nissuer = "https://shop.example"\n'
        'passwords = { memory = 8192, passes = 1, lanes = 1 }\n[plugins.person]\nuse = "tests.guests:Person"\n'
        '[plugins.access]\n[[plugins.access.rules]]\npath = "/admin"\nroles = ["admin"]\n'
    )
    monkeypatch.setenv("KEY", "0123456789abcdef" * 4)
    assert run("db", "upgrade")[0] == 0
    assert run("users", "add", "Ada", "--role", "admin", "--generate")[0] == 0
    code, text = run("explain", "/admin", "--as", "ada")
    assert (code, "GET /admin as ada, subject " in text, "let through, by access" in text) == (0, True, True)
    assert "refused with 403 role_required" in run("explain", "/admin", "--as", "ada", "--role", "user")[1]
    with Client(Narthex(Hello(), "narthex.toml")) as client:
        admin = as_("root admin")
        assert client.get("/_narthex/explain?path=/admin&as=ADA", admin).json()["allowed"] is True
        assert client.get("/_narthex/explain?path=/admin&as=bob", admin).status == 404
    with pytest.raises(ConfigError, match="nobody who may log in is called 'bob'"):
        run("explain", "/admin", "--as", "bob", raising=True)


def test_a_command_that_explains_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY", "0123456789abcdef" * 4)
    Path("narthex.toml").write_text(
        '[narthex]\nsecret_key = { env = "KEY" }\n[plugins.auth]\nissuer = "https://shop.example"\n[plugins.access]\n'
    )
    with pytest.raises(ConfigError, match="there is no store"):
        run("explain", "/x", "--as", "ada", raising=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "narthex.toml"]


def run(*arguments: str, raising: bool = False) -> tuple[int, str]:
    """Exit code and standard output of a command."""
    done = CliRunner().invoke(command_line, arguments)
    if raising and done.exception is not None:
        raise done.exception
    return done.exit_code, done.stdout
