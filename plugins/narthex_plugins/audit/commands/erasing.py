"""`narthex audit erase` and `reseal`: have the log forget a person, and keep its keys under another secret key."""

import time
from typing import Annotated

import typer
from sqlalchemy import Connection

from narthex.commands.former import OldEnv, OldFile, former
from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.terminal import paint
from narthex.commands.visiting import Instance, visit, who
from narthex.errors import ConfigError
from narthex.sealing import SealBroken, Sealer
from narthex.serve.exits import Exit
from narthex_plugins.audit.keys import reseal_keys
from narthex_plugins.audit.plugin import Audit
from narthex_plugins.audit.pseudonyms import reseal_people
from narthex_plugins.audit.record import make, timestamp
from narthex_plugins.audit.tables import tables


def erase(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="Who, by the `sub` of the tokens; or an address of nobody known.")
    ],
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Take away the key of a person's pseudonyms: what stands in the log for them says nothing from then on.

    It works for what was recorded under `pseudonyms`, and cannot be undone. Exit code 1 where there is no such person.
    Backups of the store hold the key until they go.
    """
    count = visit(config, instance, Audit, tables, lambda plugin: _erase(plugin, subject))
    if not count:
        typer.echo("the log has no pseudonym for this person", err=True)
        raise typer.Exit(Exit.FINDING)
    typer.echo(f"{paint('erased', 'green')}: {count} pseudonym{'' if count == 1 else 's'} stand for nobody now")


def reseal(
    old_env: OldEnv = "", old_file: OldFile = None, instance: Instance = "", config: ConfigPath = DEFAULT
) -> None:
    """Seal the keys of the log anew, after `[narthex] secret_key` has been changed.

    The keys stay the same, and servers that run go on; the next start needs the new secret key.
    """
    old = Sealer(former(old_env, old_file))

    async def work(plugin: Audit) -> int:
        async with plugin.opened() as reader:
            new, now = plugin.trail.sealer, timestamp(time.time())

            def job(connection: Connection) -> int:
                keys = reseal_keys(connection, reader.instance, old, new, now)
                return int(keys) + reseal_people(connection, reader.instance, old, new)

            return await reader.store.write(job)

    try:
        done = visit(config, instance, Audit, tables, work)
    except SealBroken as error:
        raise ConfigError(f"nothing was changed: {error}") from error
    typer.echo(f"{done} seal{'' if done == 1 else 's'} {paint('made anew', 'green')}")


async def _erase(plugin: Audit, subject: str) -> int:
    async with plugin.visited() as reader:
        trail = plugin.trail
        if trail.pseudonyms is None:
            raise ConfigError(
                "the log has no pseudonyms", hint='pseudonyms = ["actor", "address"] in the plugin\'s table'
            )
        pseudonyms = trail.pseudonyms
        await trail.start()

        def job(connection: Connection) -> int:
            count = pseudonyms.erase(connection, subject)
            if count:
                details = {"by": who(), "pseudonyms": count}
                trail.job([make(time.time(), "audit.erase", "success", details=details)])(connection)
            return count

        return await reader.store.write(job)
