from typing import Annotated

import typer

from narthex import serve
from narthex.commands.options import DEFAULT, ConfigPath
from narthex.serve.options import ServerName


def run(
    app: Annotated[
        str | None,
        typer.Argument(
            metavar="APP",
            help='"module:attribute" or "module:factory()"; wins over the file\'s app.',
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = DEFAULT,
    host: Annotated[str, typer.Option(help="Address or name to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 lets the system choose.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the port.")] = 1,
    server: Annotated[ServerName | None, typer.Option(help="Wins over the file's server.", show_default=False)] = None,
    wsgi: Annotated[bool, typer.Option("--wsgi", help="The app speaks WSGI.")] = False,
) -> None:
    """Serve an app behind the house.

    SIGTERM and SIGINT stop gracefully, within `drain`; a second one does not wait.
    """
    raise typer.Exit(serve.run(app, config, host=host, port=port, workers=workers, server=server, wsgi=wsgi))
