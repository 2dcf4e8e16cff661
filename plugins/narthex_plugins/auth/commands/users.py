"""`narthex users`: the accounts in the store, by whoever may read the file.

No password is ever an argument, where every user of the machine could read it: it is asked for, comes on standard
input, or is drawn here and printed once. A drawn one runs out, so that it does not become somebody's password.
"""

import json
import re
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from sqlalchemy import Connection

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.terminal import paint
from narthex.errors import ConfigError
from narthex.serve.exits import Exit
from narthex_plugins.auth.accounts import Account, AccountRefused, Accounts
from narthex_plugins.auth.breached import open_breaches
from narthex_plugins.auth.commands.opening import Instance, Opened, open_plugin
from narthex_plugins.auth.names import canonical
from narthex_plugins.auth.password_rules import PasswordRefused, check_new
from narthex_plugins.auth.passwords import Hasher
from narthex_plugins.auth.sessions import SessionRows

T = TypeVar("T")

users = typer.Typer(
    name="users",
    help="Add, list and change the accounts of the plugin auth.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for one another."""
_GROUPS: Final = 5
"""Of five letters each: 123 bits."""
_MOST_INPUT: Final = 4096

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the user logs in with; case makes no difference.")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Drawn = Annotated[
    bool, typer.Option("--generate", help="Draw a password, print it once, and let it run out if it is not changed.")
]


@dataclass(frozen=True, slots=True)
class _Password:
    """A new password: its hash, when it runs out, and the text where it has to be shown."""

    hash: str
    until: float | None = None
    shown: str | None = None


@users.command()
def add(
    name: Name,
    role: Annotated[list[str] | None, typer.Option(metavar="ROLE", help="Give this role; may be repeated.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Make the first admin; refused where there is one.")] = False,
    password_stdin: FromInput = False,
    generate: Drawn = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Make an account.

    The password is asked for. With --admin the account has the role "admin", and exit code 1 says that there is an
    admin already: in a script it makes the first one and never a second.
    """
    opened, accounts = _open(config, instance)
    roles = _words(role or [])

    # What cannot be is said before a password is asked for.
    _refusing(lambda: opened.read(lambda connection: accounts.check(connection, name, first_admin=admin)))
    password = _new_password(opened, name, password_stdin, generate)

    def make(connection: Connection) -> Account:
        return accounts.add(
            connection, name, password.hash, time.time(), roles=roles, until=password.until, first_admin=admin
        )

    made = _refusing(lambda: opened.write(make))
    done = f"added, roles: {' '.join(sorted(made.roles)) or 'none'}"
    typer.echo(f"{made.name}: {paint(done, 'green', sys.stderr)}", err=True)
    _show(password)


@users.command(name="list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the accounts."""
    opened, accounts = _open(config, instance)
    found = opened.read(accounts.all)
    hasher, now = Hasher(opened.settings.passwords), time.time()
    if as_json:
        typer.echo(json.dumps([_document(account, hasher, now) for account in found], indent=1))
        return
    rows = [("name", "roles", "password", "")]
    rows += [
        (one.name, " ".join(sorted(one.roles)) or "-", _password_state(one, now), "disabled" if one.disabled else "")
        for one in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        typer.echo("  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])).rstrip())


@users.command()
def disable(name: Name, instance: Instance = "", config: ConfigPath = DEFAULT) -> None:
    """Let an account in no more, and end its sessions.

    Access tokens that are out live until they expire, unless the plugin revocation is on. Nothing is deleted.
    """
    opened, accounts = _open(config, instance)

    def change(connection: Connection, account: Account) -> None:
        accounts.set_disabled(connection, account, True, time.time())
        _end_sessions(opened, connection, account, "the account was disabled")

    _change(opened, accounts, name, change, "disabled")


@users.command()
def enable(name: Name, instance: Instance = "", config: ConfigPath = DEFAULT) -> None:
    """Let a disabled account in again, with the password it had."""
    opened, accounts = _open(config, instance)

    def change(connection: Connection, account: Account) -> None:
        accounts.set_disabled(connection, account, False, time.time())

    _change(opened, accounts, name, change, "enabled")


@users.command()
def passwd(
    name: Name,
    password_stdin: FromInput = False,
    generate: Drawn = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Give an account a new password, and end its sessions."""
    opened, accounts = _open(config, instance)
    found = opened.read(lambda connection: _found(connection, accounts, name))
    password = _new_password(opened, found.name, password_stdin, generate)

    def change(connection: Connection, account: Account) -> None:
        accounts.set_password(connection, account, password.hash, time.time(), password.until)
        _end_sessions(opened, connection, account, "the password was changed")

    _change(opened, accounts, name, change, "password changed")
    _show(password)


@users.command()
def role(
    name: Name,
    roles: Annotated[list[str] | None, typer.Argument(metavar="[ROLE]...", help="All it has from now on.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Take all roles away.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Give an account these roles and no others.

    They hold from its next login or refresh on.
    """
    if bool(roles) is none:
        raise ConfigError("name the roles, or say --none")
    given = _words(roles or [])
    opened, accounts = _open(config, instance)

    def change(connection: Connection, account: Account) -> None:
        accounts.set_roles(connection, account, given, time.time())

    _change(opened, accounts, name, change, f"roles: {' '.join(given) or 'none'}")


def _open(config: Path, instance: str) -> tuple[Opened, Accounts]:
    opened = open_plugin(config, instance)
    return opened, Accounts(opened.instance, opened.link)


def _change(
    opened: Opened, accounts: Accounts, name: str, change: Callable[[Connection, Account], None], done: str
) -> None:
    """Find the account and change it, in one transaction."""
    found = opened.write(lambda connection: _changed(connection, accounts, name, change))
    typer.echo(f"{found.name}: {paint(done, 'green', sys.stderr)}", err=True)


def _changed(
    connection: Connection, accounts: Accounts, name: str, change: Callable[[Connection, Account], None]
) -> Account:
    found = _found(connection, accounts, name)
    change(connection, found)
    return found


def _found(connection: Connection, accounts: Accounts, name: str) -> Account:
    found = accounts.named(connection, canonical(name) or "")
    if found is None:
        raise _finding(f"there is no account called {name!r}")
    return found


def _end_sessions(opened: Opened, connection: Connection, account: Account, reason: str) -> None:
    """In the same transaction, so that it holds also where no process serves that could hear of the change."""
    rows = SessionRows(opened.instance, opened.link, opened.settings.session_idle)
    rows.end_all(connection, account.subject, reason, time.time())


def _finding(message: str) -> typer.Exit:
    """Say what was found; exit code 1."""
    typer.echo(message, err=True)
    return typer.Exit(Exit.FINDING)


def _refusing(work: Callable[[], T]) -> T:
    try:
        return work()
    except AccountRefused as refused:
        raise _finding(str(refused)) from None


def _words(roles: list[str]) -> list[str]:
    """The roles, each once.

    Raises:
        ConfigError: one of them is no word.
    """
    for one in roles:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}", one, re.ASCII):
            raise ConfigError(f"{one!r} cannot be a role", hint="letters, digits and _ . : -, at most 100")
    return sorted({*roles})


# -- passwords


def _new_password(opened: Opened, name: str, from_input: bool, drawn: bool) -> _Password:
    """Ask for a password, read it or draw it.

    Raises:
        ConfigError: it cannot be asked for here, or two ways were chosen.
        typer.Exit: it may not be one.
    """
    if from_input and drawn:
        raise ConfigError("--password-stdin and --generate are two ways; choose one")
    settings = opened.settings.passwords
    hasher = Hasher(settings)
    if drawn:
        text = "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(_GROUPS))
        return _Password(hasher.hash(text), time.time() + settings.temporary, text)
    text = _from_input() if from_input else _asked(name)
    file = settings.breached
    breaches = None if file is None else open_breaches(opened.config.directory / file)
    try:
        check_new(text, min_length=settings.min_length, words=(name, opened.settings.issuer), breaches=breaches)
    except PasswordRefused as refused:
        raise _finding(str(refused)) from None
    return _Password(hasher.hash(text))


def _from_input() -> str:
    """Standard input, without the end of its only line."""
    try:
        text = sys.stdin.buffer.read(_MOST_INPUT + 1).decode()
    except UnicodeDecodeError:
        raise ConfigError("standard input is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if "\n" in text or len(text) > _MOST_INPUT:
        raise ConfigError("standard input is to hold the password and nothing else, on one line")
    return text


def _asked(name: str) -> str:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask on", hint="--password-stdin or --generate")
    return str(typer.prompt(f"New password of {name}", hide_input=True, confirmation_prompt=True, err=True))


def _show(password: _Password) -> None:
    if password.shown is not None and password.until is not None:
        typer.echo(password.shown)
        until = datetime.fromtimestamp(password.until, UTC).isoformat(timespec="minutes")
        typer.echo(f"it is shown only now, and runs out at {until}", err=True)


# -- the list


def _password_state(account: Account, now: float) -> str:
    if account.password is None:
        return "none"
    if account.password_until is None:
        return "set"
    return "temporary" if now < account.password_until else "run out"


def _document(account: Account, hasher: Hasher, now: float) -> dict[str, object]:
    return {
        "subject": account.subject,
        "name": account.name,
        "roles": sorted(account.roles),
        "permissions": sorted(account.permissions),
        "disabled": account.disabled,
        "created": _instant(account.created),
        "password": _password_state(account, now),
        "password_set": _instant(account.password_set),
        "password_until": _instant(account.password_until),
        "password_outdated": account.password is not None and hasher.is_stale(account.password),
    }


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
