"""`narthex audit erase`: have the log say nothing of a person any more, and be as whole as before."""

import time
from typing import Annotated

import typer
from sqlalchemy import Connection

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.terminal import paint
from narthex.commands.visiting import Instance, visit, who
from narthex.errors import ConfigError
from narthex.serve.exits import Exit
from narthex_plugins.audit.plugin import Audit
from narthex_plugins.audit.record import make
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
