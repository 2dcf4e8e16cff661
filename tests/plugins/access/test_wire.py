"""Who may do what, over the wire: one worker or two, on SQLite and on PostgreSQL, each worker asked by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from narthex.cli import app
from tests.core.store.conftest import _schema
from tests.plugins.revocation.workers import PASSWORD, Site, Worker, narthex
from tests.wire.narthex_run import narthex_run

TOML = """
[narthex]
store = "{store}"
secret_key = {{ file = "secret.key" }}
open = ["/"]

[plugins.logging]

[plugins.auth]
issuer = "https://shop.example"
algorithm = "ES256"
passwords = {{ memory = 8192, passes = 1, lanes = 1 }}

[plugins.access]
default = "authenticated"
[[plugins.access.rules]]
path = "/admin/**"
roles = ["admin"]
[[plugins.access.rules]]
path = "/orders/**"
permissions = ["orders:write"]

[plugins.access-soon]
use = "access"
mode = "shadow"
default = "allow"
provide = false
path = "/soon"
explain = "/soon/explain"
[[plugins.access-soon.rules]]
path = "/reports/**"
roles = ["engineer"]
"""
TABLE = """
[who.bob]
roles = ["user"]
[who.ada]
roles = ["admin"]
[[cases]]
who = "anonymous"
path = "/admin/x"
expected = 401
[[cases]]
who = "bob"
path = "/admin/x"
expected = "role_required"
[[cases]]
who = "ada"
path = "/admin/x"
expected = "{expected}"
"""

HOUSES = (
    ("sqlite", 1, pytest.mark.slow),
    ("sqlite", 2, ()),
    ("postgresql", 1, pytest.mark.slow),
    ("postgresql", 2, pytest.mark.slow),
)


@contextmanager
def served(directory: Path, store: str, workers: int) -> Iterator[Site]:
    (directory / "secret.key").write_text("0123456789abcdef" * 4)
    with narthex_run("shop:app", directory, TOML.format(store=store), workers=workers) as house:
        assert house.url, house.stderr
        for arguments in (("alice", "--role", "user"), ("root", "--admin")):
            done = narthex(directory, "users", "add", *arguments, "--password-stdin", text=PASSWORD)
            assert done.returncode == 0, done.stderr
        running = Site(house, directory, workers)
        running.connect()
        yield running
        running.close()


@pytest.fixture(
    scope="module",
    params=[pytest.param((store, workers), marks=marks) for store, workers, marks in HOUSES],
    ids=str,
)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    store, workers = request.param
    directory = tmp_path_factory.mktemp("access")
    if store == "sqlite":
        with served(directory, f"sqlite:///{directory}/narthex.db", workers) as running:
            yield running
        return
    with contextmanager(_schema)() as url, served(directory, url, workers) as running:
        yield running


@pytest.fixture
def site(house: Site) -> Site:
    """With new connections: the server closes those that nobody used for some seconds."""
    house.connect()
    return house


def all_of(site: Site, method: str, path: str, token: str) -> list[tuple[int, str]]:
    """Status and code from every worker."""
    replies = [worker.call(method, path, token) for worker in site.workers]
    return [(reply.status, reply.json()["code"] if reply.status >= 400 else "") for reply in replies]


def ask(worker: Worker, path: str, token: str) -> dict[str, Any]:
    reply = worker.call("GET", f"/_narthex{path}", token)
    assert reply.status == 200, reply.body
    return reply.json()


def command(site: Site, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command; the connections may have been closed meanwhile, so there are new ones."""
    done = CliRunner().invoke(app, [*arguments, "--config", str(site.directory / "narthex.toml")])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    site.connect()
    return done.exit_code, done.stdout


def test_the_rules_hold_in_every_worker(site: Site) -> None:
    alice, root = (site.login(name)["access_token"] for name in ("alice", "root"))
    each = len(site.workers)
    assert all_of(site, "GET", "/admin/users", alice) == [(403, "role_required")] * each
    assert all_of(site, "HEAD", "/other", alice) == [(200, "")] * each
    assert all_of(site, "GET", "/admin/users", root) == [(200, "")] * each
    assert all_of(site, "GET", "/admin/users", "") == [(401, "authentication_required")] * each


def test_a_command_and_an_endpoint_explain_alike_and_send_nothing(site: Site) -> None:
    root = site.login("root")["access_token"]
    _, shown = command(site, "explain", "GET", "/admin/users", "--as", "alice")
    assert "refused with 403 role_required, by access" in shown
    for worker in site.workers:
        found = ask(worker, "/explain?path=/admin/users&as=alice", root)
        assert (found["allowed"], found["roles"], found["verdict"]["code"]) == (False, ["user"], "role_required")
        assert f"rule {found['verdict']['rule']}" in shown
        assert found["verdict"]["rule"].endswith("narthex.toml:16 /admin/**")
    assert "let through, by access" in command(site, "explain", "/admin", "--as", "root")[1]


def test_shadow_mode_counts_by_rule_and_refuses_nobody(site: Site) -> None:
    alice, root = (site.login(name)["access_token"] for name in ("alice", "root"))
    for worker in site.workers:
        before = ask(worker, "/soon/denials", root)["denials"]
        count = before[0]["count"] if before else 0
        replies = [worker.call("GET", path, alice).status for path in ("/reports/june", "/reports", "/else")]
        assert replies == [200, 200, 200]
        (row,) = ask(worker, "/soon/denials", root)["denials"]
        assert (row["count"], row["code"], row["shadow"]) == (count + 2, "role_required", True)
        assert row["rule"].endswith(" /reports/**")
    words = "access-soon would have refused GET '/reports/june': role_required"
    site.house.until(lambda: site.house.stdout.count(words) >= len(site.workers))  # lines are written in the background


def test_what_a_command_grants_and_withdraws_every_worker_goes_by_when_it_has_ended(site: Site) -> None:
    alice, each = site.login("alice")["access_token"], len(site.workers)
    for _ in range(2):
        assert all_of(site, "POST", "/orders/1", alice) == [(403, "permission_denied")] * each
        assert command(site, "access", "grant", "user", "orders:*", "--instance", "access") == (0, "granted\n")
        assert all_of(site, "POST", "/orders/1", alice) == [(200, "")] * each
        assert command(site, "access", "revoke", "user", "orders:*", "--instance", "access") == (0, "withdrawn\n")


def test_what_an_admin_grants_every_worker_goes_by_when_it_is_answered(site: Site) -> None:
    alice, root = (site.login(name)["access_token"] for name in ("alice", "root"))
    each, grant = len(site.workers), {"role": "user", "permission": "orders:write"}
    for number in range(20):
        worker = site.workers[number % each]
        made = worker.call("POST", "/_narthex/access/grants", root, dict(grant))
        assert (made.status, made.json()["behind"]) == (201, [])
        assert all_of(site, "POST", "/orders/1", alice) == [(200, "")] * each
        gone = worker.call("DELETE", "/_narthex/access/grants/user/orders:write", root)
        assert (gone.status, gone.json()["behind"]) == (200, [])
        assert all_of(site, "POST", "/orders/1", alice) == [(403, "permission_denied")] * each


def test_grants_are_listed_with_where_they_stand(site: Site) -> None:
    arguments = ("--instance", "access")
    assert command(site, "access", "grant", "user", "canvas:*:read", *arguments)[0] == 0
    listed = "admin  everything     file\nuser   canvas:*:read  store\n"
    assert command(site, "access", "list", *arguments) == (0, listed)
    found = json.loads(command(site, "access", "list", "--json", *arguments)[1])
    assert found == {"file": {}, "store": {"user": ["canvas:*:read"]}, "unlimited": ["admin"]}
    assert command(site, "access", "revoke", "user", "canvas:*:read", *arguments)[0] == 0


def test_a_table_of_who_may_do_what_is_put_to_the_test(site: Site) -> None:
    table = site.directory / "access.toml"
    table.write_text(TABLE.format(expected="allow"))
    assert command(site, "access", "test", str(table)) == (0, "")
    table.write_text(TABLE.format(expected="deny"))
    code, differing = command(site, "access", "test", str(table))
    assert (code, "ada GET /admin/x: expected deny, found allow" in differing) == (1, True)
