import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.errors import BootError
from narthex.serve.control import ask_all
from narthex.serve.exits import Exit


def reload(config: ConfigPath = DEFAULT) -> None:
    """Have every `narthex run` that follows the file read it again, without losing a request.

    What cannot be followed is refused, and every process goes on as before.
    """
    try:
        outcomes = ask_all(config)
    except OSError as error:
        raise BootError(f"no `narthex run` can be reached: {error}") from error
    if not outcomes:
        typer.echo(f"no `narthex run` of this user follows {config}", err=True)
        raise typer.Exit(Exit.FINDING)
    for pid, outcome in outcomes.items():
        typer.echo(f"{pid}: {outcome.words}", err=bool(outcome.refused))
    raise typer.Exit(max(outcome.exit for outcome in outcomes.values()))
