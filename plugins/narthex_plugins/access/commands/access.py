"""`narthex access`: who may do what, put to the test, and what roles were granted while the house runs."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.reading import read
from narthex.commands.visiting import Instance, visit, who
from narthex.errors import ConfigError
from narthex.loader import Built, survey
from narthex.rehearsal import Rehearsal, rehearse
from narthex.serve.exits import Exit
from narthex.verdict import Allow
from narthex_plugins.access.cases import Case, read_cases
from narthex_plugins.access.documents import change_document, change_line, grants_document, moment
from narthex_plugins.access.grants import Change
from narthex_plugins.access.plugin import Access
from narthex_plugins.access.replay import Change as Changed
from narthex_plugins.access.replay import Replay, read_rules
from narthex_plugins.access.settings import is_grant, is_role
from narthex_plugins.access.tables import tables

access = typer.Typer(
    name="access",
    help="Test who may do what, and grant permissions to roles.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@access.callback()
def _group() -> None:
    """Test who may do what, and grant permissions to roles."""


Role = Annotated[str, typer.Argument(metavar="ROLE", help="The role, as tokens name it.")]
Permission = Annotated[
    str, typer.Argument(metavar="PERMISSION", help="Words joined by :, the last one the action; * for one word.")
]


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


@access.command()
def replay(
    rules: Annotated[Path, typer.Argument(metavar="FILE_OF_RULES", help="A configuration, or its rules alone.")],
    against: Annotated[str, typer.Option(metavar="NAME", help="The table of the plugin that has records.")] = "audit",
    since: Annotated[str, typer.Option(metavar="TIME", help="Only what was decided then or later.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Only what was decided before.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on each line, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the recorded decisions that other rules would have changed.

    Exit code 1 where there are any. What plugins' own endpoints decide, and open paths, is no matter of rules.
    """
    begin, end = _moment(since), _moment(until)

    async def work(plugin: Access) -> tuple[int, Counter[str]]:
        settings, where = read_rules(rules, plugin.instance)
        seen, counts = 0, Counter[str]()
        async with plugin.visited() as grants:
            await grants.look()
            played = Replay(settings, where, grants.granted)
            async for page in plugin.past(against).decisions(begin, end):
                seen += len(page)
                for change in played.changes(page):
                    counts[_kind(change)] += 1
                    typer.echo(json.dumps(change_document(change)) if as_json else change_line(change))
        return seen, counts

    seen, counts = visit(config, instance, Access, tables, work)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    typer.echo(f"{seen} decision{'' if seen == 1 else 's'} replayed: {told}", err=True)
    if counts:
        raise typer.Exit(Exit.FINDING)


KINDS: Final = ("would be refused", "would be allowed", "cannot be said")


def _kind(change: Changed) -> str:
    if change.now is None:
        return "cannot be said"
    return "would be allowed" if isinstance(change.now, Allow) else "would be refused"


def _moment(text: str) -> float | None:
    if not text:
        return None
    try:
        return moment(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None


@access.command()
def grant(role: Role, permission: Permission, instance: Instance = "", config: ConfigPath = DEFAULT) -> None:
    """Grant a permission to a role, beside what the file grants.

    When the command has ended, every process goes by it. Exit code 1 where one of them has not said so in time.
    """
    _change(role, permission, instance, config, granted=True)


@access.command()
def revoke(role: Role, permission: Permission, instance: Instance = "", config: ConfigPath = DEFAULT) -> None:
    """Withdraw what was granted to a role; what the file grants stays.

    When the command has ended, no process goes by it any more. Exit code 1 where nothing of the kind was granted, or
    where one of them has not said in time that it knows.
    """
    _change(role, permission, instance, config, granted=False)


@access.command(name="list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print what each role was granted, by the file and by the store."""

    async def look(plugin: Access) -> dict[str, Any]:
        async with plugin.visited() as grants:
            await grants.look()
            return grants_document(plugin.settings, grants.granted)

    found = visit(config, instance, Access, tables, look)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    rows = [(role, one, source) for source in ("file", "store") for role, all_ in found[source].items() for one in all_]
    rows += [(role, "everything", "file") for role in found["unlimited"]]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    for role, permission, source in sorted(rows):
        typer.echo(f"{role.ljust(widths[0])}  {permission.ljust(widths[1])}  {source}")


def _change(role: str, permission: str, instance: str, config: Path, *, granted: bool) -> None:
    async def change(plugin: Access) -> Change:
        if granted:
            _refusing(plugin.names.check, role)
        async with plugin.visited() as grants:
            return await grants.change(role, permission, who(), granted=granted)

    _refusing(is_role, role)
    _refusing(is_grant, permission)
    made = visit(config, instance, Access, tables, change)
    for process in made.behind:
        typer.echo(f"{process} has not said that it knows; it will by itself, if it is alive", err=True)
    typer.echo(_SAID[granted, made.done])
    if made.behind or not (granted or made.done):
        raise typer.Exit(Exit.FINDING)


_SAID: Final = {
    (True, True): "granted",
    (True, False): "it was granted before",
    (False, True): "withdrawn",
    (False, False): "the store grants no such thing",
}


def _refusing(check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None
