"""`narthex tokens`: revoke from the command line, and look at what was revoked."""

import json
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.errors import ConfigError
from narthex_plugins.revocation.commands.opening import Instance, visit, who
from narthex_plugins.revocation.documents import Unreadable, day, document, order
from narthex_plugins.revocation.entries import Revocation
from narthex_plugins.revocation.revoking import Revoker

tokens = typer.Typer(
    name="tokens",
    help="Revoke tokens, sessions and subjects, and list what was revoked.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@tokens.command()
def revoke(  # noqa: PLR0913, PLR0917  each is an option
    token: Annotated[str | None, typer.Option(metavar="JTI", help="The token with this id.")] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Every token of this session.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="NAME", help="Every token of this subject.")] = None,
    issued_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="What was issued before, of the subject or of everybody.")
    ] = None,
    issuer: Annotated[str | None, typer.Option(metavar="NAME", help="Whose; unless given, auth's own.")] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")] = "",
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Refuse a token, a session, a subject, or everything issued before a time such as 2026-01-31T12:00:00Z.

    When the command has ended, no process accepts it any more. It cannot be undone.
    """
    given = {"token": token, "session": session, "subject": subject, "issued_before": issued_before}
    try:
        wanted = order({**given, "issuer": issuer, "reason": reason}, time.time())
    except Unreadable as unreadable:
        raise ConfigError(str(unreadable)) from None

    async def work(revoker: Revoker) -> int:
        meant = wanted.issuer
        if meant is None:
            if revoker.sessions is None:
                raise ConfigError("whose? The plugin auth is not in the file", hint="name the --issuer")
            meant = revoker.sessions.issuer
        return await revoker.carry_out(wanted, meant, who())

    typer.echo(f"revoked: entry {visit(config, instance, work)}")


@tokens.command(name="revoked")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print what was revoked: when, by whom and why."""

    async def work(revoker: Revoker) -> Sequence[Revocation]:
        return await revoker.history(limit)

    found = visit(config, instance, work)
    if as_json:
        typer.echo(json.dumps([document(one) for one in found], indent=1))
        return
    for one in found:
        what = one.issuer if one.kind == "issuer" else one.name
        typer.echo(f"{one.version}  {day(one.at)}  {one.kind:<7}  {what}  {one.by or '-'}  {one.reason}".rstrip())
