"""The command line, run as people run it."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from narthex import cli
from narthex.commands.version import SERVERS
from narthex.errors import ConfigError
from narthex.serve import servers

HEALTH = "[plugins.health]\n"
UNEASY = """
from narthex import Settings

class Uneasy:
    name = "uneasy"
    Settings = Settings

    def __init__(self, settings, house):
        house.log.warning("odd")
"""


def narthex(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "narthex", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(directory: Path, text: str) -> Path:
    (directory / "narthex.toml").write_text(text)
    return directory


def test_alone_it_prints_help_and_lists_commands_of_other_packages(tmp_path: Path) -> None:
    done = narthex(cwd=tmp_path)
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("check Check the file") for line in lines)
    assert any(line.startswith("demo Serve a small FastAPI shop") for line in lines)


@pytest.mark.parametrize("name", [*cli.BUILT_IN, *cli.BROUGHT])
def test_the_line_of_help_is_the_commands_own(name: str) -> None:
    command = cli.Commands(name="narthex").resolve_command(None, [name])[1]
    assert command.help.splitlines()[0] == {**cli.BUILT_IN, **cli.BROUGHT}[name]


def test_an_unknown_command_is_met_with_a_suggestion_and_2(tmp_path: Path) -> None:
    done = narthex("chek", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'check'" in done.stderr
    assert narthex("dmo", cwd=tmp_path).stderr.count("'demo'") == 1


def test_a_command_of_another_package_is_imported_only_when_it_is_typed(tmp_path: Path) -> None:
    code = (
        "import sys; from narthex.cli import app\n"
        "try: app(['--help'], prog_name='narthex')\n"
        "except SystemExit: print([name for name in sys.modules if name.startswith('narthex_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_check_says_fine_and_names_the_paths_taken(tmp_path: Path) -> None:
    done = narthex("check", cwd=write(tmp_path, HEALTH))
    assert done.returncode == 0
    assert "GET /healthz is answered by health (narthex.toml:1)" in done.stdout
    assert done.stdout.endswith("narthex.toml: fine, 1 plugin\n")
    assert done.stderr == ""


def test_check_imports_no_app_and_creates_no_file(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("raise SystemExit(9)")
    assert narthex("check", cwd=write(tmp_path, '[narthex]\napp = "shop:app"\n')).returncode == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["narthex.toml", "shop.py"]


def test_check_repeats_what_a_plugin_warns_of(tmp_path: Path) -> None:
    (tmp_path / "uneasy.py").write_text(UNEASY)
    table = '[plugins.uneasy]\nuse = "uneasy:Uneasy"\n'
    done = narthex("check", cwd=write(tmp_path, table), PYTHONPATH=str(tmp_path))
    assert done.stdout == "warning: odd\nnarthex.toml: fine, 1 plugin\n"


def test_check_warns_of_sessions_whose_tokens_nothing_revokes(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("0123456789abcdef" * 4)
    alone = '[narthex]\nsecret_key = { file = "secret.key" }\n[plugins.auth]\nissuer = "https://shop.example"\n'
    told = narthex("check", cwd=write(tmp_path, alone))
    assert told.returncode == 0
    assert "warning: narthex.toml:3: plugin auth keeps sessions, and nothing revokes their tokens" in told.stdout
    assert "warning" not in narthex("check", cwd=write(tmp_path, alone + "[plugins.revocation]\n")).stdout


@pytest.mark.parametrize("command", [["check"], ["explain"], ["explain", "GET", "/"], ["plugins"]])
def test_an_error_in_the_file_is_one_message_and_2(command: list[str], tmp_path: Path) -> None:
    done = narthex(*command, cwd=write(tmp_path, '[narthex]\nprefx = "/x"\n'))
    assert done.returncode == 2
    assert done.stderr.startswith("narthex.toml:2: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["check", "explain", "run"])
def test_a_missing_file_is_one_message_and_2(command: str, tmp_path: Path) -> None:
    done = narthex(command, cwd=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / 'narthex.toml'}: there is no such file (--config FILE" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_file_may_be_named_by_an_option_or_the_environment(tmp_path: Path) -> None:
    other = write(tmp_path, HEALTH) / "narthex.toml"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert narthex("check", "--config", str(other), cwd=elsewhere).returncode == 0
    assert narthex("check", cwd=elsewhere, NARTHEX_CONFIG=str(other)).returncode == 0


def test_explain_prints_the_house_or_one_request(tmp_path: Path) -> None:
    write(tmp_path, HEALTH)
    assert "authenticate" in narthex("explain", cwd=tmp_path).stdout
    assert "plugin endpoint" in narthex("explain", "GET", "/healthz", cwd=tmp_path).stdout
    assert narthex("explain", "/x", cwd=tmp_path).stdout.startswith("GET /x\n")


@pytest.mark.parametrize("arguments", [["GET"], ["GET", "x"]])
def test_explain_without_a_path_is_a_usage_error(arguments: list[str], tmp_path: Path) -> None:
    done = narthex("explain", *arguments, cwd=write(tmp_path, ""))
    assert done.returncode == 2
    assert "PATH" in done.stderr


def test_plugins_says_what_is_on(tmp_path: Path) -> None:
    listed = narthex("plugins", cwd=write(tmp_path, '[plugins.probe]\nuse = "health"\n')).stdout
    rows = {line.split()[0]: line for line in listed.splitlines()}
    assert "on as probe" in rows["health"]
    assert "  off  " in rows["logging"]


def test_plugins_is_of_use_before_there_is_a_file(tmp_path: Path) -> None:
    done = narthex("plugins", cwd=tmp_path)
    assert done.returncode == 0
    assert "health" in done.stdout


def test_schema_prints_json_that_knows_the_plugins(tmp_path: Path) -> None:
    done = narthex("schema", cwd=tmp_path)
    assert "health" in json.loads(done.stdout)["properties"]["plugins"]["properties"]


def test_the_example_that_schema_prints_is_fine(tmp_path: Path) -> None:
    example = narthex("schema", "--example", cwd=tmp_path).stdout
    secret = {"NARTHEX_SECRET_KEY": "0123456789abcdef" * 2}  # the plugin auth keeps no key without one
    assert narthex("check", cwd=write(tmp_path, example), **secret).returncode == 0


def test_version_names_the_servers(tmp_path: Path) -> None:
    done = narthex("version", cwd=tmp_path)
    assert SERVERS == servers.SERVERS
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "narthex",
        "CPython",
        "uvicorn",
        "hypercorn",
        "granian",
    ]
    assert narthex("--version", cwd=tmp_path).stdout == done.stdout


def test_version_imports_neither_server_nor_plugin(tmp_path: Path) -> None:
    code = (
        "import sys; from narthex.cli import app\n"
        "try: app(['version'], prog_name='narthex')\n"
        "except SystemExit: print([name for name in ('uvicorn', 'rich', 'narthex_plugins') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_what_is_piped_has_no_colour(tmp_path: Path) -> None:
    for command in ("check", "plugins", "--help"):
        assert "\x1b" not in narthex(command, cwd=write(tmp_path, HEALTH), FORCE_COLOR="").stdout


def test_completion_is_offered(tmp_path: Path) -> None:
    asked = {"_NARTHEX_COMPLETE": "complete_bash", "COMP_WORDS": "narthex ch", "COMP_CWORD": "1"}
    assert narthex(cwd=tmp_path, **asked).stdout.split() == ["check"]


@pytest.mark.parametrize("arguments", [["--workers=0"], ["--port=70000"], ["--server=nginx"]])
def test_run_refuses_what_makes_no_sense_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = narthex("run", "shop:app", *arguments, cwd=write(tmp_path, ""))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_typer_app_may_be_a_command_with_subcommands(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("many", "tests.core.test_cli:MANY", cli.GROUP)
    monkeypatch.setattr(cli, "_extensions", lambda: {"many": point})
    command = cli.Commands(name="narthex").resolve_command(None, ["many", "first"])[1]
    assert sorted(command.commands) == ["first", "second"]


def test_a_command_that_lacks_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("thin", "not_installed_anywhere:thin", cli.GROUP)
    monkeypatch.setattr(cli, "_extensions", lambda: {"thin": point})
    with pytest.raises(ConfigError, match="'thin' of not_installed_anywhere cannot be imported"):
        cli.Commands(name="narthex").resolve_command(None, ["thin"])


MANY = typer.Typer()


@MANY.command()
def first() -> None: ...


@MANY.command()
def second() -> None: ...


STORING = """
from narthex import Settings, hookimpl

class Storing:
    name = "storing"
    Settings = Settings

    def __init__(self, settings, house):
        self.store = house.store

    @hookimpl
    def tables(self): ...
"""
TABLE = '[plugins.storing]\nuse = "storing:Storing"\n'


@pytest.mark.parametrize("command", [("check",), ("explain",), ("explain", "/"), ("db", "upgrade")])
def test_a_plugin_beside_the_file_is_found_by_every_command(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "storing.py").write_text(STORING)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = narthex(*command, "--config", str(write(tmp_path, TABLE) / "narthex.toml"), cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plugin_that_is_nowhere_says_where_it_was_looked_for(tmp_path: Path) -> None:
    done = narthex("check", cwd=write(tmp_path, TABLE))
    assert done.returncode == 2
    assert "(not found in the current directory, the file's directory, or installed)" in done.stderr
    assert "extra" not in done.stderr


def test_what_a_plugin_beside_the_file_lacks_is_not_said_to_be_an_extra_of_ours(tmp_path: Path) -> None:
    (tmp_path / "storing.py").write_text("import not_installed_anywhere")
    done = narthex("check", cwd=write(tmp_path, TABLE))
    assert "not_installed_anywhere' (is everything installed that it needs?)" in done.stderr


def test_a_store_that_a_command_makes_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert narthex("db", "upgrade", cwd=write(tmp_path, "")).returncode == 0
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.glob("narthex.db*")} == dict.fromkeys(
        (file.name for file in tmp_path.glob("narthex.db*")), "0o600"
    )


def test_check_warns_of_a_directory_that_the_store_lacks(tmp_path: Path) -> None:
    (tmp_path / "storing.py").write_text(STORING)
    done = narthex("check", cwd=write(tmp_path, f'[narthex]\nstore = "sqlite:///gone/n.db"\n{TABLE}'))
    assert done.returncode == 0
    assert f"warning: narthex.toml:2: [narthex] store: the directory {tmp_path / 'gone'} does not exist" in done.stdout


@pytest.mark.parametrize("command", [("check",), ("db", "current")])
def test_postgresql_without_its_driver_is_said_of_the_store(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "storing.py").write_text(f"import sys\nsys.modules['psycopg'] = None\n{STORING}")
    done = narthex(*command, cwd=write(tmp_path, f'[narthex]\nstore = "postgresql://h/d"\n{TABLE}'))
    assert done.returncode == 2
    assert done.stderr == (
        "narthex.toml:2: [narthex] store: PostgreSQL needs psycopg "
        "(pip install 'narthex[postgresql]', or '.[postgresql]' in a clone)\n"
    )


def test_db_current_says_that_nobody_keeps_anything(tmp_path: Path) -> None:
    done = narthex("db", "current", cwd=write(tmp_path, HEALTH))
    assert (done.returncode, done.stderr) == (0, "no plugin of this file keeps anything\n")
