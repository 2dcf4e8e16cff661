import json
from typing import Annotated

import typer

from narthex.commands.accounts import account_of
from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.reading import read
from narthex.explain import house, path, verdict
from narthex.identity import Identity
from narthex.loader import survey


def explain(  # noqa: PLR0913, PLR0917  each is an option of the command line
    method: Annotated[
        str | None,
        typer.Argument(metavar="METHOD", help="An HTTP method, or WEBSOCKET; GET where only a path is given."),
    ] = None,
    target: Annotated[str | None, typer.Argument(metavar="PATH", help="The path, as it would be sent.")] = None,
    subject: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Ask the policies too, about this account or subject.")
    ] = None,
    role: Annotated[list[str] | None, typer.Option(metavar="ROLE", help="A role they have; may be repeated.")] = None,
    permission: Annotated[
        list[str] | None, typer.Option(metavar="WORDS", help="A permission they have themselves; may be repeated.")
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What their token says, VALUE as JSON or text; may be repeated."),
    ] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Ask the policies too, about nobody.")] = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the house, or what one request would meet.

    Without arguments the whole house on one screen; with METHOD and PATH the hooks that would be asked, in order,
    and the line of the file each came from; with --as or --anonymous what would become of the request. Nothing is sent.
    """
    identity = _identity(subject, role or [], permission or [], claim or [], anonymous)
    if method is not None and target is None:
        if not method.startswith("/"):
            raise typer.BadParameter(f"which path? narthex explain {method.upper()} /path", param_hint="PATH")
        method, target = "GET", method
    if target is not None and not target.startswith("/"):
        raise typer.BadParameter(f"{target!r} does not begin with a slash", param_hint="PATH")
    loaded = read(config)
    built = survey(loaded)
    if method is None or target is None:
        if subject is not None or anonymous:
            raise typer.BadParameter("may they do what? narthex explain GET /path --as NAME", param_hint="PATH")
        typer.echo(house(built, loaded))
    elif subject is None and not anonymous:
        typer.echo(path(built, loaded, method, target))
    else:
        account = None if role or permission or claim or subject is None else account_of(built, loaded, subject)
        called = "" if account is None or subject is None else subject
        typer.echo(verdict(built, loaded, method, target, account or identity, called))


def _identity(
    subject: str | None, roles: list[str], permissions: list[str], claims: list[str], anonymous: bool
) -> Identity | None:
    """Who would ask."""
    if subject is None:
        if roles or permissions or claims:
            raise typer.BadParameter("who has them? --as NAME", param_hint="--role, --permission, --claim")
        return None
    if anonymous:
        raise typer.BadParameter("somebody with a name is not anonymous", param_hint="--anonymous")
    if not subject:
        raise typer.BadParameter("a subject is not empty", param_hint="--as")
    return Identity(
        subject=subject,
        roles=frozenset(roles),
        permissions=frozenset(permissions),
        claims=dict(map(_claim, claims)),
        via="explain",
    )


def _claim(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--claim")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
