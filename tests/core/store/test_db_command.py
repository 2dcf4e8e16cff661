"""`narthex db`, through the command line's own entrance."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from narthex.cli import main
from narthex.store import backup
from narthex.store.migrations import Tables
from tests.core.store.releases import COMPATIBLE, INCOMPATIBLE, NOW, Site

PLUGIN = """
from narthex import Settings, hookimpl
from narthex.store import Tables
from tests.core.store.releases import shop_metadata

class Shop:
    name = "shop"
    Settings = Settings

    def __init__(self, settings, house):
        house.store

    @hookimpl
    def tables(self):
        return Tables("shop", shop_metadata(), {revisions!r})
"""
WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
number = 0
while True:
    number += 1
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO shop_items (name, price) VALUES ('left', ?)", (number,))
    connection.execute("INSERT INTO shop_items (name, price) VALUES ('right', ?)", (number,))
    connection.execute("COMMIT")
    if number == 20:
        print("under way", flush=True)
"""


@dataclass
class Shell:
    """A directory with a narthex.toml, and `narthex` typed in it."""

    site: Site
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def file(self) -> Path:
        return self.site.directory / "narthex.db"

    def install(self, tables: Tables, *, on: bool = True) -> None:
        """The shop with these revisions is the plugin of the file."""
        module = f"plugin_of_{tables.revisions}"
        (self.site.directory / f"{module}.py").write_text(PLUGIN.format(revisions=tables.revisions))
        self.configure(f'[plugins.shop]\nuse = "{module}:Shop"\n' if on else "")

    def configure(self, plugins: str, store: str = "") -> None:
        text = f'[narthex]\nstore = "{store or self.site.url}"\n{plugins}'
        (self.site.directory / "narthex.toml").write_text(text)

    def db(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        self.monkeypatch.setattr(sys, "argv", ["narthex", "db", *arguments])
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = self.capsys.readouterr()
        return code, printed.out + printed.err


@pytest.fixture
def shell(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    site = Site.at(store_url, tmp_path)
    yield Shell(site, capsys, monkeypatch)
    site.close()


@pytest.fixture
def on_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    site = Site.at("sqlite:///narthex.db", tmp_path)
    yield Shell(site, capsys, monkeypatch)
    site.close()


# -- on both stores


def test_upgrade_makes_the_store_and_says_what_it_did(shell: Shell) -> None:
    shell.install(shell.site.release(*NOW))
    code, printed = shell.db("upgrade")
    assert code == 0
    assert printed.startswith("core: nothing -> 0001\nshop: nothing -> a2\n")
    assert shell.site.columns("shop_items") == ["instance", "name", "price"]
    assert shell.db("upgrade")[1].count("\n") == 1


@pytest.mark.parametrize("command", [("current",), ("downgrade", "shop", "-1")])
def test_the_other_commands_make_no_store(shell: Shell, command: tuple[str, ...]) -> None:
    shell.install(shell.site.release(*NOW))
    code, printed = shell.db(*command)
    assert code == 2
    assert "there is no store at" in printed
    assert "narthex db upgrade makes one" in printed
    assert not list(shell.site.directory.glob("narthex.db*"))
    assert shell.site.columns("narthex_revisions") == []


def test_current_tells_what_is_up_to_date_behind_and_off(shell: Shell) -> None:
    shell.install(shell.site.release(NOW[0]))
    shell.db("upgrade")
    shell.install(shell.site.release(*NOW))
    assert rows(shell.db("current")) == (0, ["core 0001 0001 up to date", "shop a1 a2 to apply: a2"])
    shell.install(shell.site.release(*NOW), on=False)
    assert rows(shell.db("current")) == (0, ["core 0001 0001 up to date", "shop off; its tables are left alone"])


@pytest.mark.parametrize(("last", "code", "words"), [(COMPATIBLE, 0, "can run on it"), (INCOMPATIBLE, 1, "run on a3")])
def test_current_tells_of_a_later_release(shell: Shell, last: str, code: int, words: str) -> None:
    shell.install(shell.site.release(*NOW, last))
    shell.db("upgrade")
    shell.install(shell.site.release(*NOW))
    found, printed = shell.db("current")
    assert (found, words in printed) == (code, True)
    assert shell.db("upgrade")[0] == code * 3


def test_downgrade_takes_a_step_back(shell: Shell) -> None:
    shell.install(shell.site.release(*NOW))
    shell.db("upgrade")
    assert shell.db("downgrade", "shop", "-1") == (0, "shop: a2 -> a1\n")
    assert shell.site.columns("shop_items") == ["instance", "name"]


def test_downgrade_loses_nothing_unless_that_is_meant(shell: Shell) -> None:
    shell.install(shell.site.release(*NOW))
    shell.db("upgrade")
    shell.site.run("INSERT INTO shop_items (name) VALUES ('tea')")
    code, printed = shell.db("downgrade", "shop", "base")
    assert code == 1
    assert "would be gone: 1 row of shop_items\nnothing was changed" in printed
    assert shell.db("downgrade", "shop", "base", "--yes") == (0, "shop: a2 -> nothing\n")


def test_downgrade_knows_the_names(shell: Shell) -> None:
    shell.install(shell.site.release(*NOW))
    shell.db("upgrade")
    assert "on are: core, shop" in shell.db("downgrade", "shopp", "a1")[1]
    assert "before it: base, a1" in shell.db("downgrade", "shop", "--yess")[1]


# -- addresses


def test_a_memory_store_has_no_commands(on_sqlite: Shell) -> None:
    on_sqlite.configure("", "memory")
    code, printed = on_sqlite.db("upgrade")
    assert code == 2
    assert "gone with its process" in printed


def test_a_directory_that_is_not_there_is_named(on_sqlite: Shell) -> None:
    on_sqlite.configure("", "sqlite:///data/narthex.db")
    code, printed = on_sqlite.db("upgrade")
    assert code == 2
    assert f"directory {on_sqlite.site.directory}/data does not exist" in printed


def test_a_file_that_is_no_database_is_a_message(on_sqlite: Shell) -> None:
    on_sqlite.configure("")
    on_sqlite.file.write_text("not a database, but long enough to be looked at as one " * 20)
    for command in ("upgrade", "current"):
        code, printed = on_sqlite.db(command)
        assert (code, "file is not a database" in printed) == (3, True)


def test_a_server_that_does_not_answer_is_a_message_without_the_password(on_sqlite: Shell) -> None:
    on_sqlite.configure("")
    on_sqlite.monkeypatch.setenv("NARTHEX_STORE", "postgresql://me:hunter2@127.0.0.1:1/shop")
    code, printed = on_sqlite.db("current")
    assert code == 3
    assert "does not answer" in printed
    assert "hunter2" not in printed


# -- backup


def test_a_backup_is_a_store_of_its_own(on_sqlite: Shell) -> None:
    on_sqlite.install(on_sqlite.site.release(*NOW))
    on_sqlite.db("upgrade")
    on_sqlite.site.run("INSERT INTO shop_items (name) VALUES ('tea')")
    assert on_sqlite.db("backup", "copy.db")[0] == 0
    copy = on_sqlite.site.directory / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    on_sqlite.configure("", "sqlite:///copy.db")
    assert rows(on_sqlite.db("current"))[1][0] == "core 0001 0001 up to date"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM shop_items").fetchall() == [("tea",)]


def test_a_backup_leaves_one_file(on_sqlite: Shell) -> None:
    on_sqlite.configure("")
    on_sqlite.db("upgrade")
    (on_sqlite.site.directory / "copies").mkdir()
    on_sqlite.db("backup", "copies/copy.db")
    (copy,) = (on_sqlite.site.directory / "copies").iterdir()
    assert copy.name == "copy.db"
    assert copy.read_bytes()[18:20] == b"\x01\x01"  # no write-ahead log: it can be read where nothing can be written


def test_a_backup_never_takes_the_place_of_a_file(on_sqlite: Shell) -> None:
    on_sqlite.configure("")
    on_sqlite.db("upgrade")
    there = on_sqlite.site.directory / "notes.txt"
    there.write_text("keep me")
    code, printed = on_sqlite.db("backup", "notes.txt")
    assert (code, "already there" in printed) == (2, True)
    assert there.read_text() == "keep me"


def test_a_name_taken_meanwhile_is_left_alone(on_sqlite: Shell) -> None:
    target = on_sqlite.site.directory / "copy.db"

    def copy_slowly(database: Path, partial: Path) -> None:
        partial.write_text("a copy")
        target.write_text("somebody else's")

    on_sqlite.monkeypatch.setattr(backup, "_copy", copy_slowly)
    with pytest.raises(FileExistsError):
        backup.backup(on_sqlite.file, target)
    assert target.read_text() == "somebody else's"
    assert list(on_sqlite.site.directory.glob("*.partial")) == []


def test_a_backup_where_there_are_no_hard_links(on_sqlite: Shell) -> None:
    on_sqlite.configure("")
    on_sqlite.db("upgrade")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    on_sqlite.monkeypatch.setattr(os, "link", refuse)
    assert on_sqlite.db("backup", "copy.db")[0] == 0
    assert on_sqlite.db("backup", "copy.db")[0] == 2


def test_a_backup_taken_under_load_is_one_moment(on_sqlite: Shell) -> None:
    on_sqlite.install(on_sqlite.site.release(*NOW))
    on_sqlite.db("upgrade")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, on_sqlite.file], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.readline()
    for number in range(5):
        assert on_sqlite.db("backup", f"copy-{number}.db")[0] == 0
    writer.kill()
    writer.communicate()
    assert [halves(on_sqlite.site.directory / f"copy-{number}.db") for number in range(5)] == [True] * 5


def test_a_damaged_store_makes_no_backup(on_sqlite: Shell) -> None:
    on_sqlite.install(on_sqlite.site.release(*NOW))
    on_sqlite.db("upgrade")
    on_sqlite.site.run("CREATE INDEX shop_names ON shop_items (name)")
    on_sqlite.site.run("INSERT INTO shop_items (name) VALUES ('tea'), ('salt')")
    on_sqlite.site.run("PRAGMA writable_schema = ON")
    on_sqlite.site.run("UPDATE sqlite_schema SET sql = replace(sql, '(name)', '(price)') WHERE name = 'shop_names'")
    code, printed = on_sqlite.db("backup", "copy.db")
    assert code == 3
    assert "could not be copied" in printed
    assert list(on_sqlite.site.directory.glob("copy.db*")) == []


def test_a_backup_of_no_store_is_refused(on_sqlite: Shell) -> None:
    on_sqlite.configure("")
    assert on_sqlite.db("backup", "copy.db")[0] == 2
    assert not list(on_sqlite.site.directory.glob("*.db*"))


def test_for_postgresql_the_command_of_pg_dump_is_printed_without_the_password(on_sqlite: Shell) -> None:
    on_sqlite.configure("")
    store = "postgresql://me:hunter2@db.example:5433/shop?sslmode=require&sslpassword=hunter3"
    on_sqlite.monkeypatch.setenv("NARTHEX_STORE", store)
    code, printed = on_sqlite.db("backup", "my copy.dump")
    assert code == 2
    assert "pg_dump --format=custom '--file=my copy.dump'" in printed
    assert "postgresql://me@db.example:5433/shop?sslmode=require" in printed
    assert "hunter" not in printed


# -- what is not imported


@pytest.mark.parametrize("command", ["version", "check", "explain", "db"])
def test_sql_is_imported_only_where_a_store_is_used(tmp_path: Path, command: str) -> None:
    (tmp_path / "narthex.toml").write_text("[plugins.health]\n[plugins.logging]\n")
    code = f"sys.argv = ['narthex', {command!r}]\nfrom narthex.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    assert sql_after(code, tmp_path) is (command == "db")


def test_a_server_whose_plugins_need_no_store_imports_no_sql(tmp_path: Path) -> None:
    code = (
        "import asyncio\nfrom narthex import Narthex\nfrom narthex.testing import request\n"
        "from tests.apps import Hello\n"
        "reply = asyncio.run(request(Narthex(Hello(), {'plugins': {'health': {}}}), 'GET', '/'))\n"
        "assert reply.status == 200\n"
    )
    assert sql_after(code, tmp_path) is False


def sql_after(code: str, directory: Path) -> bool:
    """Whether SQLAlchemy or Alembic has been imported by the time the code has run."""
    ending = "print('SQL' if {'sqlalchemy', 'alembic'} & set(sys.modules) else 'nothing')"
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    command = [sys.executable, "-P", "-c", path + code + ending]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.endswith("SQL\n")


def rows(done: tuple[int, str]) -> tuple[int, list[str]]:
    """What `current` printed under its heading, with single spaces."""
    code, printed = done
    return code, [re.sub(" +", " ", line) for line in printed.splitlines()[1:]]


def halves(copy: Path) -> bool:
    """Whether there is a right for every left."""
    with closing(sqlite3.connect(copy)) as connection:
        query = "SELECT sum(name = 'left'), sum(name = 'right'), max(price) FROM shop_items"
        left, right, last = connection.execute(query).fetchone()
    return bool(left == right == last >= 20)
