from typing import Annotated

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.reading import read
from narthex.explain import house, path
from narthex.loader import survey


def explain(
    method: Annotated[
        str | None,
        typer.Argument(metavar="METHOD", help="An HTTP method, or WEBSOCKET; GET where only a path is given."),
    ] = None,
    target: Annotated[str | None, typer.Argument(metavar="PATH", help="The path, as it would be sent.")] = None,
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the house, or what one request would meet.

    Without arguments the whole house on one screen; with METHOD and PATH the hooks that would be asked, in order,
    and the line of the file each came from. Nothing is sent.
    """
    if method is not None and target is None:
        if not method.startswith("/"):
            raise typer.BadParameter(f"which path? narthex explain {method.upper()} /path", param_hint="PATH")
        method, target = "GET", method
    if target is not None and not target.startswith("/"):
        raise typer.BadParameter(f"{target!r} does not begin with a slash", param_hint="PATH")
    loaded = read(config)
    built = survey(loaded)
    typer.echo(house(built, loaded) if method is None or target is None else path(built, loaded, method, target))
