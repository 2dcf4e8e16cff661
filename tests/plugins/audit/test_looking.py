"""Looking into the log, taking it elsewhere, and asking it what other rules would have said."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from narthex import Narthex
from narthex.cli import app as command_line
from narthex.testing import Client
from narthex_plugins.audit.exporting import lines
from narthex_plugins.audit.querying import Row
from tests.plugins.audit.house import ADMIN, BOB, app, recorded, recording

FILE = """
[narthex]
store = "sqlite:///n.db"
secret_key = { file = "secret.key" }
[plugins.person]
use = "tests.guests:Person"
[plugins.access]
default = "allow"
grants = { user = ["orders:read"] }
[[plugins.access.rules]]
path = "/admin/**"
roles = ["admin"]
[plugins.audit]
requests = "all"
silent = ["narthex"]
"""


def filled(client: Client) -> None:
    for number in range(25):
        client.post(f"/orders/{number}", headers=BOB if number % 5 else ADMIN)
    client.get("/admin/x", BOB)
    recorded(client, 26)


@pytest.fixture(scope="module")
def client() -> object:
    with recording() as made:
        filled(made)
        yield made


def page(client: Client, query: str) -> list[str]:
    reply = client.get(f"/_narthex/audit?{query}", ADMIN)
    assert reply.status == 200, reply.body
    return [one["resource"] for one in reply.json()["records"]]


def test_a_page_is_the_newest_of_what_fits(client: Client) -> None:
    assert page(client, "action=http.POST&limit=2") == ["/orders/24", "/orders/23"]
    assert page(client, "actor=ada&action=http.POST") == [f"/orders/{number}" for number in (20, 15, 10, 5, 0)]
    assert page(client, "outcome=refused&actor=bob") == ["/admin/x"]
    assert page(client, "resource=/orders/1*&limit=3") == ["/orders/19", "/orders/18", "/orders/17"]
    assert page(client, "resource=/orders/1") == ["/orders/1"]
    assert page(client, "resource=/orders%25*") == []
    assert page(client, "actor=nobody") == []
    assert page(client, "since=2000-01-01&until=2001-01-01") == []
    assert len(page(client, "since=2000-01-01&until=2900-01-01T00:00:00Z&session=s1&address=127.0.0.1")) >= 26


def test_pages_follow_one_another_without_gap_or_double(client: Client) -> None:
    seen, cursor = list[str](), ""
    while True:
        reply = client.get(f"/_narthex/audit?action=http.POST&limit=7&cursor={cursor}", ADMIN).json()
        seen += [one["resource"] for one in reply["records"]]
        cursor = reply["next"]
        if cursor is None:
            break
    assert seen == [f"/orders/{number}" for number in reversed(range(25))]


@pytest.mark.parametrize(
    "wrong", ["actr=bob", "limit=0", "limit=1001", "limit=x", "since=yesterday", "cursor=abc", "cursor=%F0", "until=-1"]
)
def test_what_cannot_be_read_is_said(client: Client, wrong: str) -> None:
    reply = client.get(f"/_narthex/audit?{wrong}", ADMIN)
    assert (reply.status, reply.json()["code"]) == (400, "request_invalid")
    assert client.get("/_narthex/audit/export?format=xml", ADMIN).status == 400


def test_an_export_is_what_was_asked_for(client: Client) -> None:
    reply = client.get("/_narthex/audit/export?actor=ada&action=http.POST", ADMIN)
    found = [json.loads(line) for line in reply.body.splitlines()]
    assert [one["record"]["resource"] for one in found] == [f"/orders/{number}" for number in (0, 5, 10, 15, 20)]
    assert {len(one["hash"]) for one in found} == {64}
    whole = client.get("/_narthex/audit/export", ADMIN).body.splitlines()
    assert b'"segment"' in whole[0]
    assert b'"begins"' in whole[1]
    table = client.get("/_narthex/audit/export?format=csv&outcome=refused", ADMIN)
    assert "attachment" in str(table.headers.get("content-disposition"))
    rows = list(csv.DictReader(io.StringIO(table.body.decode())))
    assert [(row["actor"], row["resource"], row["outcome"]) for row in rows] == [("bob", "/admin/x", "refused")]
    assert client.get("/_narthex/audit/export?format=csv&actor=nobody", ADMIN).body.count(b"\n") == 1


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\uff1d1", "\n@x"])
def test_a_cell_is_never_a_formula(cell: str) -> None:
    names = ("id", "time", "action", "outcome", "actor", "session", "address", "resource", "reason")
    more = ("request_id", "trace_id", "before", "after")
    facts = {**dict.fromkeys((*names, *more), cell), "details": {"x": cell}}
    text = lines("csv", [Row(1, "c", 1, b"h", json.dumps(facts))]).decode()
    (row,) = csv.reader(io.StringIO(text))
    assert [one for one in row if re.match(r"\s*[=+\-@\uff1d\t\r\n]", one)] == []
    assert row[0] == f"'{cell}"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with some requests in it, and the file it was made by."""
    monkeypatch.chdir(tmp_path)
    Path("secret.key").write_text("0123456789abcdef" * 4)
    Path("narthex.toml").write_text(FILE)
    with Client(Narthex(app, tmp_path / "narthex.toml")) as client:
        for who in (BOB, ADMIN, []):
            client.get("/reports", who)
            client.get("/admin/x", who)
        client.post("/orders/7", headers=BOB)
        recorded(client, 7)
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(command_line, arguments)
    return done.exit_code, done.stdout, done.stderr or str(done.exception)


def test_the_commands_list_and_export(directory: Path) -> None:
    code, out, _ = run("audit", "list", "--actor", "bob", "--limit", "2")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "bob  http.POST /orders/7  success 200" in out
    found = json.loads(run("audit", "list", "--json", "--outcome", "refused")[1])
    assert {one["resource"] for one in found["records"]} == {"/admin/x"}
    code, _, told = run("audit", "export", "--output", "all.jsonl")
    assert (code, told) == (0, "7 records written\n")
    assert Path("all.jsonl").stat().st_mode & 0o777 == 0o600
    assert "cannot be made" in run("audit", "export", "--output", "all.jsonl")[2]
    assert run("audit", "export", "--format", "csv")[1].count("\n") == 8
    assert "no time" in run("audit", "list", "--since", "soon")[2]


def test_replay_prints_the_decisions_that_other_rules_would_have_changed(directory: Path) -> None:
    new = FILE.replace(
        "[plugins.audit]", '[[plugins.access.rules]]\npath = "/reports"\nroles = ["admin"]\n[plugins.audit]'
    )
    new = new.replace('roles = ["admin"]', 'roles = ["user"]', 1)
    Path("new.toml").write_text(new)
    code, out, told = run("access", "replay", "new.toml", "--against", "audit")
    assert code == 1
    assert told == "7 decisions replayed: 2 would be refused, 1 would be allowed, 0 cannot be said\n"
    first, second, third = out.splitlines()
    assert re.fullmatch(
        r"\S+Z  bob \[user\]  GET /reports  allowed -> role_required: .* \(new.toml:\d+ /reports\)", first
    )
    assert "bob [user]  GET /admin/x  role_required -> allowed" in second
    assert "anonymous  GET /reports  allowed -> authentication_required" in third
    assert run("access", "replay", "narthex.toml")[0] == 0
    document = json.loads(run("access", "replay", "new.toml", "--json")[1].splitlines()[0])
    assert (document["was"]["allowed"], document["now"]["code"]) == (True, "role_required")
    assert run("access", "replay", "new.toml", "--until", "2001-01-01")[2].startswith("0 decisions")


def test_replay_takes_the_rules_alone_and_says_what_it_cannot_know(directory: Path) -> None:
    rules = 'default = "allow"\n[[rules]]\npath = "/orders/**"\nclaims = { department = "sales" }\n'
    Path("rules.toml").write_text(rules)
    code, out, told = run("access", "replay", "rules.toml")
    assert code == 1
    assert "the record does not hold the claim department" in out
    assert told.endswith("0 would be refused, 2 would be allowed, 1 cannot be said\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("default = 'no'", "rules.toml:1"),
        ("rules = 3", "rules.toml:1"),
        ("[plugins.other]", "there is no [plugins.access] in it"),
        ("=", "is not TOML"),
        ("[[rules]]\npath = '/x'\nroles = ['amin']", "did you mean"),
    ],
)
def test_a_file_of_rules_that_is_none_is_explained(directory: Path, text: str, why: str) -> None:
    Path("rules.toml").write_text(text)
    assert why in run("access", "replay", "rules.toml")[2]
