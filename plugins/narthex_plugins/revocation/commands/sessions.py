"""`narthex sessions`: who is logged in, and the end of it."""

import json
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.errors import ConfigError
from narthex.serve.exits import Exit
from narthex.services import Session, Sessions
from narthex_plugins.revocation.commands.opening import Instance, visit, who
from narthex_plugins.revocation.documents import day, session_document
from narthex_plugins.revocation.revoking import Revoker

sessions = typer.Typer(
    name="sessions",
    help="List and end the sessions of the plugin auth.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@sessions.command(name="list")
def list_(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whose, by the `sub` of the tokens.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print a subject's sessions, the latest first."""

    async def work(revoker: Revoker) -> Sequence[Session]:
        return await _service(revoker).list(subject)

    found, now = visit(config, instance, work), time.time()
    if as_json:
        typer.echo(json.dumps([session_document(one, None, now) for one in found], indent=1))
        return
    for one in found:
        state = "live" if one.ended is None and now < one.expires else "over"
        seen = f"{day(one.created)}  {day(one.last_seen)}"
        typer.echo(f"{one.id}  {state}  {seen}  {one.address or '-'}  {one.agent or '-'}  {one.reason}".rstrip())


@sessions.command()
def end(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session, by its id.")],
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """End a session: its refresh tokens, its cookie and its access tokens are good no more.

    Exit code 1 where it was over already; its tokens are refused in any case.
    """

    async def work(revoker: Revoker) -> bool:
        service = _service(revoker)
        ended = await service.end(session, f"ended by {who()}"[:100])
        await revoker.revoke_session(session, service.issuer, "the session was ended", who())
        return ended

    if not visit(config, instance, work):
        typer.echo("no session with this id was live; its tokens are refused", err=True)
        raise typer.Exit(Exit.FINDING)
    typer.echo("ended")


def _service(revoker: Revoker) -> Sessions:
    if revoker.sessions is None:
        raise ConfigError("no plugin keeps sessions", hint="[plugins.auth] switches them on")
    return revoker.sessions
