"""`narthex keys`: the signing keys in the store. Servers that run follow within a second; none has to be restarted."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from sqlalchemy import Connection, RowMapping, insert

from narthex.commands.former import OldEnv, OldFile, former
from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.terminal import paint
from narthex.errors import ConfigError
from narthex.sealing import SealBroken, Sealer
from narthex.serve.exits import Exit
from narthex_plugins.auth.commands.opening import Instance, Opened, open_plugin
from narthex_plugins.auth.keystore import SETTLE, policy_of, purpose, remove, reseal, rows, sealed_row, topic
from narthex_plugins.auth.signing import new_signing_key
from narthex_plugins.auth.tables import keys as table

keys = typer.Typer(
    name="keys",
    help="List, rotate and withdraw the signing keys of the plugin auth.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SHORTEST: Final = 16  # letters that name a key where it need not be written out


@keys.command(name="list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the keys, the newest last, and what each is doing."""
    opened = open_plugin(config, instance)
    now, found = time.time(), opened.read(lambda connection: rows(connection, opened.instance))
    states = _states(found, now, policy_of(opened.settings).margin)
    if as_json:
        fields = ("kid", "algorithm", "created", "signs_at")
        each = zip(found, states, strict=True)
        told = [{name: row[name] for name in fields} | {"state": state} for row, state in each]
        typer.echo(json.dumps(told, indent=1))
        return
    if not found:
        typer.echo("there are no keys yet: the first start makes one", err=True)
    for row, state in zip(found, states, strict=True):
        typer.echo(f"{row['kid']}  {row['algorithm']:<6}  {state}")


@keys.command()
def rotate(
    now: Annotated[
        bool, typer.Option("--now", help=f"Have it sign after {SETTLE:.0f} seconds, whatever the overlap.")
    ] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Make a new key, which signs when the overlap has passed; no token is refused by it.

    Exit code 1 where a new key waits already.
    """
    opened = open_plugin(config, instance)
    sealer, policy = _sealer(opened), policy_of(opened.settings)
    signer, created = new_signing_key(policy.algorithm), time.time()

    def job(connection: Connection) -> float | None:
        found = _own(connection, opened, sealer)
        waiting = [row["signs_at"] for row in found if row["signs_at"] > created]
        if waiting and not now:
            return None
        later = SETTLE if now else policy.overlap
        signs_at = created + later if found else created
        connection.execute(insert(table), sealed_row(opened.instance, signer, policy, sealer, created, signs_at))
        opened.link.announce(connection, topic(opened.instance))
        return signs_at

    signs_at = opened.write(job)
    if signs_at is None:
        typer.echo("a new key waits already; narthex keys list shows it, --now makes another", err=True)
        raise typer.Exit(Exit.FINDING)
    typer.echo(f"{signer.kid}: {paint('made', 'green')}, signs from {_when(signs_at)}")


@keys.command()
def withdraw(
    kid: Annotated[
        str,
        typer.Argument(metavar="KID", help="Its name, or the first 16 letters or more; behind -- if it begins with -."),
    ],
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Take a key away at once: for one that somebody else may have.

    Every access token that it signed is refused from now on; sessions and refresh tokens go on. Where it was signing, a
    new key takes its place at once; a process that has not heard of that one yet refuses its tokens for a moment.
    """
    opened = open_plugin(config, instance)
    sealer, policy = _sealer(opened), policy_of(opened.settings)
    signer, now = new_signing_key(policy.algorithm), time.time()

    def job(connection: Connection) -> tuple[str, bool] | None:
        found = _own(connection, opened, sealer)
        names = [str(row["kid"]) for row in found]
        meant = [name for name in names if name == kid or (len(kid) >= _SHORTEST and name.startswith(kid))]
        if len(meant) != 1:
            return None
        ready = [row["kid"] for row in found if row["signs_at"] <= now]
        signing = bool(ready) and ready[-1] == meant[0]
        remove(connection, opened.instance, set(meant))
        if signing:
            connection.execute(insert(table), sealed_row(opened.instance, signer, policy, sealer, now, now))
        opened.link.announce(connection, topic(opened.instance))
        return meant[0], signing

    done = opened.write(job)
    if done is None:
        raise ConfigError(f"no key is called {kid!r}", hint="narthex keys list prints their names")
    typer.echo(f"{done[0]}: {paint('withdrawn', 'green')}")
    if done[1]:
        typer.echo(f"{signer.kid}: made, signs from now")


@keys.command(name="reseal")
def reseal_(
    old_env: OldEnv = "",
    old_file: OldFile = None,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Seal every key anew, after `[narthex] secret_key` has been changed.

    The keys stay the same, and servers that run go on; the next start needs the new secret key.
    """
    opened = open_plugin(config, instance)
    old, new = Sealer(former(old_env, old_file)), _sealer(opened)
    try:
        done = opened.write(lambda connection: reseal(connection, opened.instance, old, new))
    except SealBroken as error:
        raise ConfigError(f"nothing was changed: {error}") from error
    typer.echo(f"{done} keys {paint('sealed anew', 'green')} under the secret key {new.key_id}")


def _own(connection: Connection, opened: Opened, sealer: Sealer) -> Sequence[RowMapping]:
    """The rows; a key sealed under another secret key than theirs would stand among them unread by every server.

    Raises:
        ConfigError: they are sealed under another secret key than this command was given.
    """
    found = rows(connection, opened.instance)
    for row in found:
        try:
            sealer.open(row["sealed"], purpose(opened.instance, row["kid"], row["algorithm"]))
        except SealBroken as error:
            raise ConfigError(f"nothing was changed: key {row['kid']}: {error}") from None
    return found


def _states(found: Sequence[RowMapping], now: float, margin: float) -> list[str]:
    """What each key is doing, in words."""
    states: list[str] = []
    for row, successor in zip(found, [*found[1:], None], strict=True):
        if row["signs_at"] > now:
            states.append(f"published, signs from {_when(row['signs_at'])}")
        elif successor is None or successor["signs_at"] > now:
            states.append("signs")
        else:
            states.append(f"verifies until {_when(successor['signs_at'] + row['lifetime'] + margin)}")
    return states


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _sealer(opened: Opened) -> Sealer:
    secret = opened.config.settings.secret_key
    if secret is None:
        raise ConfigError("[narthex] secret_key is not set", hint="it is what the keys in the store are sealed under")
    return Sealer(secret)
