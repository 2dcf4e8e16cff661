"""`narthex access`: who may do what, put to the test."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.reading import read
from narthex.loader import Built, survey
from narthex.rehearsal import Rehearsal, rehearse
from narthex.serve.exits import Exit
from narthex_plugins.access.cases import Case, read_cases

access = typer.Typer(
    name="access",
    help="Test who may do what, as the file says it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@access.callback()
def _group() -> None:
    """Test who may do what, as the file says it."""


@access.command("test")
def put_to_the_test(
    cases: Annotated[Path, typer.Argument(metavar="FILE", help="The table of who, method, path and expected.")],
    config: ConfigPath = DEFAULT,
) -> None:
    """Ask the policies about each line of a table, and print what differs, with its line.

    Nothing is sent, started or opened: grants in the store are not looked at. Exit code 1 where anything differs.
    """
    table = read_cases(cases)
    built = survey(read(config))
    found = asyncio.run(_all(built, table))
    differing = [what for case, one in zip(table, found, strict=True) if (what := case.mismatch(one)) is not None]
    for what in differing:
        typer.echo(what)
    number = f"{len(table)} case{'' if len(table) == 1 else 's'}"
    typer.echo(f"{cases}: {number}, {len(differing) or 'none'} differ{'s' if len(differing) == 1 else ''}", err=True)
    if differing:
        raise typer.Exit(Exit.FINDING)


async def _all(built: Built, cases: list[Case]) -> list[Rehearsal]:
    permissions = built.tenancy.permissions()
    return [
        await rehearse(built.chain, permissions, case.method, case.path, case.identity, running=False) for case in cases
    ]
