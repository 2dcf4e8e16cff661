"""`narthex users`, through the command line's own entrance."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Connection, select

from narthex.cli import main
from narthex.clock import SystemClock
from narthex.store import Store
from narthex.store.address import parse
from narthex_plugins.auth.account_settings import PasswordSettings
from narthex_plugins.auth.accounts import Account, Accounts
from narthex_plugins.auth.passwords import Hasher
from narthex_plugins.auth.sessions import new_id
from narthex_plugins.auth.tables import sessions, tables
from tests.plugins.auth.accounting import GOOD

AUTH = """
[plugins.auth]
use = "narthex_plugins.auth:Auth"
issuer = "https://shop.example"
[plugins.auth.passwords]
memory = "8KiB"
passes = 1
lanes = 1
"""


@dataclass
class Shell:
    """A directory with a narthex.toml, and `narthex` typed in it."""

    directory: Path
    url: str
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def configure(self, plugins: str = AUTH, store: str = "") -> None:
        text = f'[narthex]\nstore = "{store or self.url}"\n{plugins}'
        (self.directory / "narthex.toml").write_text(text)

    def type(self, *arguments: str, stdin: str | bytes = "") -> tuple[int, str, str]:
        """The exit code, and what was printed on standard output and on standard error."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        self.monkeypatch.setattr(sys, "argv", ["narthex", *arguments])
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), "utf-8"))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    def users(self, *arguments: str, stdin: str | bytes = "") -> tuple[int, str, str]:
        return self.type("users", *arguments, stdin=stdin)

    def add(self, name: str, *arguments: str) -> None:
        assert self.users("add", name, "--password-stdin", *arguments, stdin=GOOD)[0] == 0

    def read(self, job: Callable[[Connection], Any]) -> Any:
        """Look into the store."""
        store = Store(parse(self.url, self.directory), SystemClock())
        store._open([])
        try:
            return store.read_blocking(job)
        finally:
            store._close()

    def account(self, name: str, instance: str = "auth") -> Account:
        found = self.read(lambda connection: Accounts(instance).named(connection, name))
        assert isinstance(found, Account)
        return found

    def opens(self, name: str, password: str) -> bool:
        return Hasher(PasswordSettings()).verify(self.account(name).password, password)


MakeShell = Callable[[str], Shell]


@pytest.fixture
def make_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Shell]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NARTHEX_SECRET_KEY", "0123456789abcdef0123456789abcdef")

    def make(url: str) -> Shell:
        shell = Shell(tmp_path, url, capsys, monkeypatch)
        shell.configure()
        return shell

    return make


@pytest.fixture
def empty(make_shell: MakeShell, store_url: str) -> Shell:
    """A file that names a store which is not there; on SQLite and on PostgreSQL."""
    return make_shell(store_url)


@pytest.fixture
def shell(empty: Shell) -> Shell:
    """With the store; on both."""
    assert empty.type("db", "upgrade")[0] == 0
    return empty


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store on SQLite with all tables, to be copied."""
    directory = tmp_path_factory.mktemp("made")
    store = Store(parse("sqlite:///narthex.db", directory), SystemClock())
    store._open([tables])
    store._close()
    return directory / "narthex.db"


@pytest.fixture
def on_sqlite(make_shell: MakeShell, made: Path, tmp_path: Path) -> Shell:
    """On SQLite alone, for what has nothing to do with the store."""
    (tmp_path / "narthex.db").write_bytes(made.read_bytes())
    return make_shell("sqlite:///narthex.db")


def test_the_first_admin_is_made_once(shell: Shell) -> None:
    code, out, err = shell.users("add", "Alice", "--admin", "--password-stdin", stdin=GOOD + "\n")
    assert (code, out, err) == (0, "", "Alice: added, roles: admin\n")
    assert shell.account("alice").roles == {"admin"}
    assert shell.opens("alice", GOOD)
    assert shell.users("add", "eve", "--admin", "--generate") == (1, "", "there is an admin, 'Alice'\n")
    shell.add("adam", "--role", "admin", "--role", "user")
    assert shell.account("adam").roles == {"admin", "user"}


def test_a_drawn_password_is_printed_once_alone_and_runs_out(on_sqlite: Shell) -> None:
    code, out, err = on_sqlite.users("add", "alice", "--generate")
    assert code == 0
    assert "runs out at" in err
    assert out.strip() not in err
    account = on_sqlite.account("alice")
    assert on_sqlite.opens("alice", out.strip())
    assert account.password_until == pytest.approx(account.created + 86_400, abs=60)
    assert len({on_sqlite.users("passwd", "alice", "--generate")[1] for _ in range(5)}) == 5


def test_a_name_is_taken_in_any_case(on_sqlite: Shell) -> None:
    on_sqlite.add("alice")
    assert on_sqlite.users("add", "ALICE", "--generate") == (1, "", "there is an account called 'ALICE'\n")
    assert on_sqlite.users("add", "two words", "--generate")[0] == 1


@pytest.mark.parametrize(
    ("stdin", "code", "words"),
    [
        ("short", 1, "at least 8"),
        ("password1\n", 1, "tried first"),
        ("alice-at-shop", 1, "beside the user's"),
        ("two\nlines of it", 2, "on one line"),
        (b"\xff\xfe\xfd12345", 2, "not UTF-8"),
        ("x" * 5000, 2, "on one line"),
        ("", 1, "at least 8"),
    ],
)
def test_what_is_no_good_password_is_refused_and_nothing_made(
    on_sqlite: Shell, stdin: str | bytes, code: int, words: str
) -> None:
    found, out, err = on_sqlite.users("add", "alice", "--password-stdin", stdin=stdin)
    assert (found, out, words in err) == (code, "", True)
    assert on_sqlite.users("list", "--json")[1] == "[]\n"


def test_a_password_is_asked_for_at_a_terminal_twice_and_not_shown(on_sqlite: Shell) -> None:
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **options: Any) -> str:
        asked.append({"text": text, **options})
        return GOOD

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    on_sqlite.monkeypatch.setattr(typer, "prompt", prompt)
    on_sqlite.monkeypatch.setattr(io, "TextIOWrapper", lambda *_: Terminal())
    assert on_sqlite.users("add", "alice")[0] == 0
    (question,) = asked
    assert question["hide_input"]
    assert question["confirmation_prompt"]
    assert on_sqlite.opens("alice", GOOD)


def test_without_a_terminal_it_says_what_else_there_is(on_sqlite: Shell) -> None:
    code, _, err = on_sqlite.users("add", "alice")
    assert code == 2
    assert "--password-stdin or --generate" in err
    assert on_sqlite.users("add", "alice", "--generate", "--password-stdin")[0] == 2


def test_no_password_is_ever_an_argument(on_sqlite: Shell) -> None:
    assert on_sqlite.users("add", "alice", GOOD)[0] == 2
    assert on_sqlite.users("add", "alice", "--password", GOOD)[0] == 2
    assert on_sqlite.users("passwd", "alice", GOOD)[0] == 2


def test_the_list_is_for_people_and_for_programs(on_sqlite: Shell) -> None:
    on_sqlite.add("bob", "--role", "user", "--role", "engineer")
    on_sqlite.users("add", "Alice", "--generate")
    on_sqlite.users("disable", "bob")
    code, out, _ = on_sqlite.users("list")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["name", "roles", "password"],
        ["Alice", "-", "temporary"],
        ["bob", "engineer", "user", "set", "disabled"],
    ]
    alice, bob = json.loads(on_sqlite.users("list", "--json")[1])
    assert (bob["name"], bob["roles"], bob["disabled"], bob["password"]) == ("bob", ["engineer", "user"], True, "set")
    assert (alice["password"], alice["password_outdated"]) == ("temporary", False)
    assert set(alice) == {
        *("subject", "name", "roles", "permissions", "disabled", "created"),
        *("password", "password_set", "password_until", "password_outdated"),
    }


def test_the_list_says_whose_hash_is_of_older_parameters(on_sqlite: Shell) -> None:
    on_sqlite.add("alice")
    on_sqlite.configure(AUTH.replace("8KiB", "16KiB"))
    assert [one["password_outdated"] for one in json.loads(on_sqlite.users("list", "--json")[1])] == [True]


def test_disable_enable_passwd_and_role_do_what_they_say(shell: Shell) -> None:
    shell.add("Alice", "--role", "user")
    assert shell.users("disable", "alice") == (0, "", "Alice: disabled\n")
    assert shell.account("alice").disabled
    assert shell.users("enable", "ALICE") == (0, "", "Alice: enabled\n")
    assert not shell.account("alice").disabled
    assert shell.users("role", "alice", "b", "a", "b") == (0, "", "Alice: roles: a b\n")
    assert shell.account("alice").roles == {"a", "b"}
    assert shell.users("role", "alice", "--none")[0] == 0
    assert shell.account("alice").roles == frozenset()
    assert shell.users("passwd", "alice", "--password-stdin", stdin="quite another one")[0] == 0
    assert not shell.opens("alice", GOOD)
    assert shell.opens("alice", "quite another one")


@pytest.mark.parametrize("change", [("disable",), ("passwd", "--generate")])
def test_what_takes_access_away_ends_sessions_in_the_same_transaction(shell: Shell, change: tuple[str, ...]) -> None:
    shell.add("alice")
    shell.add("bob")
    store = Store(parse(shell.url, shell.directory), SystemClock())
    store._open([])
    row = {"instance": "auth", "created": 1.0, "expires": 9e9, "last_seen": 1.0, "methods": "[]"}
    subjects = [shell.account(name).subject for name in ("alice", "bob")]
    try:
        store.write_blocking(
            lambda connection: connection.execute(
                sessions.insert(), [{**row, "id": new_id(), "subject": subject} for subject in subjects]
            )
        )
    finally:
        store._close()
    assert shell.users(change[0], "alice", *change[1:])[0] == 0
    ended = shell.read(lambda connection: connection.execute(select(sessions.c.subject, sessions.c.ended)).all())
    assert {subject for subject, end in ended if end is not None} == {subjects[0]}


@pytest.mark.parametrize("roles", [["two words"], [""], ["a", "\u0430dmin"], []])
def test_what_is_no_role_is_refused(on_sqlite: Shell, roles: list[str]) -> None:
    on_sqlite.add("alice", "--role", "user")
    assert on_sqlite.users("role", "alice", *roles)[0] == 2
    assert on_sqlite.account("alice").roles == {"user"}


@pytest.mark.parametrize(
    "typed", [("disable", "nobody"), ("enable", "no name"), ("passwd", "nobody", "--generate"), ("role", "nobody", "a")]
)
def test_an_account_that_is_not_there_is_named(on_sqlite: Shell, typed: tuple[str, ...]) -> None:
    code, out, err = on_sqlite.users(*typed)
    assert (code, out, err) == (1, "", f"there is no account called {typed[1]!r}\n")


# -- where there is nothing to work on


@pytest.mark.parametrize("typed", [("list",), ("add", "alice", "--generate"), ("disable", "alice")])
def test_no_command_makes_a_store(empty: Shell, typed: tuple[str, ...]) -> None:
    code, out, err = empty.users(*typed)
    assert (code, out) == (2, "")
    assert "there is no store at" in err
    assert "narthex db upgrade makes one" in err
    assert not list(empty.directory.glob("narthex.db*"))


def test_a_missing_table_is_said(empty: Shell) -> None:
    empty.configure("[plugins.guestbook]\n")
    empty.type("db", "upgrade")
    empty.configure()
    code, _, err = empty.users("list")
    assert code == 2
    assert "has not all tables of the plugin auth: auth_0001" in err
    assert empty.read(lambda connection: connection.dialect.has_table(connection, "auth_users")) is False


def test_a_file_without_the_plugin_is_said(on_sqlite: Shell) -> None:
    on_sqlite.configure("[plugins.health]\n")
    code, _, err = on_sqlite.users("list")
    assert (code, "the plugin auth is not in the file" in err) == (2, True)


def test_of_several_instances_one_is_chosen(on_sqlite: Shell) -> None:
    second = AUTH.replace("[plugins.auth", "[plugins.second") + 'path = "/second"\n'
    on_sqlite.configure(AUTH + second.replace('path = "/second"\n', ""))
    code, _, err = on_sqlite.users("add", "alice", "--generate")
    assert (code, "choose one with --instance" in err) == (2, True)
    assert on_sqlite.users("add", "alice", "--generate", "--instance", "second")[0] == 0
    assert json.loads(on_sqlite.users("list", "--json", "--instance", "auth")[1]) == []
    assert on_sqlite.account("alice", "second").name == "alice"
    assert on_sqlite.users("list", "--instance", "third")[0] == 2


def test_a_memory_store_has_no_accounts_to_command(on_sqlite: Shell) -> None:
    on_sqlite.configure(store="memory")
    code, _, err = on_sqlite.users("list")
    assert (code, "gone with its process" in err) == (2, True)


def test_a_server_that_does_not_answer_is_a_message_without_the_password(on_sqlite: Shell) -> None:
    on_sqlite.monkeypatch.setenv("NARTHEX_STORE", "postgresql://me:hunter2@127.0.0.1:1/shop")
    code, _, err = on_sqlite.users("list")
    assert code == 3
    assert "does not answer" in err
    assert "hunter2" not in err
