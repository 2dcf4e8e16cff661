"""`narthex access grant`, `revoke` and `list`, with nobody serving; with somebody: test_wire.py."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from narthex.cli import app
from narthex.errors import ConfigError, StartError

FILE = """
[narthex]
store = "sqlite:///narthex.db"
[plugins.access]
[plugins.access.grants]
user = ["orders:read"]
"""
TWO = '[plugins.other]\nuse = "access"\nprovide = false\npath = "/other"\nexplain = "/other/explain"\n'


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    file = Path("narthex.toml")
    file.write_text(FILE)
    assert run("db", "upgrade")[0] == 0
    return file


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and standard output of a command."""
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_what_was_granted_is_listed_and_withdrawn(here: Path) -> None:
    assert run("access", "grant", "user", "orders:*") == (0, "granted\n")
    assert run("access", "grant", "user", "orders:*") == (0, "it was granted before\n")
    listed = "admin  everything   file\nuser   orders:*     store\nuser   orders:read  file\n"
    assert run("access", "list") == (0, listed)
    assert run("access", "revoke", "user", "orders:*") == (0, "withdrawn\n")
    assert run("access", "revoke", "user", "orders:*") == (1, "the store grants no such thing\n")
    assert run("access", "revoke", "user", "orders:read") == (1, "the store grants no such thing\n")


def test_each_table_has_grants_of_its_own(here: Path) -> None:
    here.write_text(FILE + TWO)
    assert run("access", "grant", "user", "a:b", "--instance", "other") == (0, "granted\n")
    assert "a:b" in run("access", "list", "--instance", "other")[1]
    assert "a:b" not in run("access", "list", "--instance", "access")[1]
    with pytest.raises(ConfigError, match="in the file as access, other"):
        run("access", "list")


@pytest.mark.parametrize(
    ("role", "permission", "said"),
    [
        ("usr", "orders:*", "did you mean 'user'"),
        ("us er", "orders:*", "a role is one word"),
        ("user\u200b", "orders:*", "unseen characters"),
        ("", "orders:*", "a role is one word"),
        ("user", "orders", "words joined by :"),
        ("user", "orders:**", "words joined by :"),
        ("user", "*", "words joined by :"),
    ],
)
def test_a_grant_that_cannot_be_is_told(here: Path, role: str, permission: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        run("access", "grant", role, permission)
    assert run("access", "list")[1] == "admin  everything   file\nuser   orders:read  file\n"


def test_no_store_is_made_by_a_grant(here: Path) -> None:
    Path("narthex.db").unlink()
    with pytest.raises(ConfigError, match="there is no store"):
        run("access", "grant", "user", "orders:*")
    assert not Path("narthex.db").exists()


def test_a_store_that_does_not_answer_is_told(here: Path) -> None:
    here.write_text(FILE.replace("sqlite:///narthex.db", "postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StartError, match="does not answer"):
        run("access", "grant", "user", "orders:*")


def test_a_file_without_the_plugin_is_told(here: Path) -> None:
    here.write_text('[narthex]\nstore = "sqlite:///narthex.db"\n[plugins.health]\n')
    with pytest.raises(ConfigError, match="the plugin access is not in the file"):
        run("access", "list")
