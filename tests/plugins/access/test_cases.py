"""`narthex access test`: a table put to the test, for a team's CI."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from narthex.cli import app
from narthex.errors import ConfigError

FILE = """\
[narthex]
open = ["/docs/**"]
[plugins.person]
use = "tests.guests:Person"
[plugins.access]
default = "authenticated"
grants = { engineer = ["orders:write"] }
[[plugins.access.rules]]
path = "/admin/**"
roles = ["admin"]
[[plugins.access.rules]]
path = "/orders"
methods = ["POST"]
permissions = ["orders:write"]
"""
WHO = """\
[who.alice]
roles = ["engineer"]
[who.ada]
roles = ["admin"]
"""
FINE = """
cases = [
  { who = "alice", path = "/admin/x", expected = 403 },
  { who = "alice", path = "/admin/x", expected = "deny" },
  { who = "alice", path = "/admin/x", expected = "role_required" },
  { who = "anonymous", path = "/admin/x", expected = "authentication_required" },
  { who = "ada", path = "/admin/x", expected = "allow" },
  { who = "alice", method = "POST", path = "/orders", expected = "allow" },
  { who = "anonymous", path = "/docs/a", expected = "allow" },
  { who = "ada", path = "/_narthex/access/grants", expected = "allow" },
  { who = "alice", path = "/_narthex/access/grants", expected = "permission_denied" },
  { who = "ada", path = "/a/../b", expected = "odd_path" },
]
"""


def run(table: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[int, str, str, BaseException | None]:
    """Exit code, output, messages, and what was raised for `main` to tell."""
    monkeypatch.chdir(tmp_path)
    Path("narthex.toml").write_text(FILE)
    Path("access.toml").write_text(table)
    done = CliRunner().invoke(app, ["access", "test", "access.toml"])
    return done.exit_code, done.stdout, done.stderr, done.exception


def test_a_table_that_holds_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, output, messages, _ = run(FINE + WHO, monkeypatch, tmp_path)
    assert (code, output) == (0, "")
    assert messages == "access.toml: 10 cases, none differ\n"
    assert not (tmp_path / "narthex.db").exists()


def test_each_difference_is_told_with_its_line_and_the_rule_behind_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = FINE.replace('/admin/x", expected = 403', '/admin/x", expected = "allow"') + WHO
    table = table.replace(
        'who = "ada", path = "/admin/x", expected = "allow"', 'who = "ada", path = "/x", expected = 403'
    )
    code, output, messages, _ = run(table, monkeypatch, tmp_path)
    lacking = "403 role_required: alice has no role admin (rule narthex.toml:8 /admin/**)"
    default = "(rule narthex.toml:6 default authenticated)"
    assert code == 1
    assert output.splitlines() == [
        f"access.toml:3: alice GET /admin/x: expected allow, found {lacking}",
        f"access.toml:7: ada GET /x: expected 403, found allow: no rule speaks of it {default}",
    ]
    assert messages == "access.toml: 10 cases, 2 differ\n"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "access.toml:1: [cases]: is required"),
        (
            'cases = [{ who = "alise", path = "/", expected = "allow" }]',
            "nobody is called 'alise' (did you mean alice?)",
        ),
        ('cases = [{ who = "ada", path = "/", expected = 200 }]', "access.toml:1: [cases] [0].expected"),
        ('cases = [{ who = "ada", path = "x", expected = "allow" }]', "[0].path"),
        ('cases = [{ who = "ada", path = "/", expect = "allow" }]', "unknown key"),
        ("cases = [", "is not TOML"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_its_line(
    table: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, _, _, error = run(f"{table}\n{WHO}", monkeypatch, tmp_path)
    assert isinstance(error, ConfigError)
    assert said in str(error)
