from pathlib import Path
from typing import NoReturn

import typer

from narthex.errors import BootError
from narthex.serve.control import RELOAD, Order, ask_all
from narthex.serve.exits import Exit


def order_all(config: Path, order: Order = RELOAD) -> NoReturn:
    """Give every `narthex run` that follows the file an order, and print what each said.

    Raises:
        BootError: if none can be reached.
        typer.Exit: at the end, with the gravest of their exit codes; with that of a finding where nobody follows.
    """
    try:
        outcomes = ask_all(config, order)
    except OSError as error:
        raise BootError(f"no `narthex run` can be reached: {error}") from error
    if not outcomes:
        typer.echo(f"no `narthex run` of this user follows {config}", err=True)
        raise typer.Exit(Exit.FINDING)
    for pid, outcome in outcomes.items():
        typer.echo(f"{pid}: {outcome.words}", err=bool(outcome.refused))
    raise typer.Exit(max(outcome.exit for outcome in outcomes.values()))
