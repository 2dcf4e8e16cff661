"""`narthex audit list` and `narthex audit export`: looking into the log, and taking it elsewhere."""

import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.visiting import Instance, visit
from narthex.errors import ConfigError
from narthex_plugins.audit.plugin import Audit
from narthex_plugins.audit.querying import Query, Row, Unreadable, query_of
from narthex_plugins.audit.routes import document, format_of, moment
from narthex_plugins.audit.tables import tables
from narthex_plugins.audit.wholeness import export as written

Actor = Annotated[str, typer.Option(metavar="NAME", help="Who did it, by the `sub` of the token.")]
Action = Annotated[str, typer.Option(metavar="WORD", help='What was done: "auth.login", "http.POST".')]
Outcome = Annotated[str, typer.Option(metavar="WORD", help="success, refused, failed, intent, or a word of the app's.")]
Resource = Annotated[str, typer.Option(metavar="NAME", help='To what, such as a path; "/orders/*" for all below.')]
RequestId = Annotated[str, typer.Option(metavar="ID", help="In which request.")]
Since = Annotated[str, typer.Option(metavar="TIME", help="Then or later: 2026-01-31, 2026-01-31T12:00:00Z.")]
Until = Annotated[str, typer.Option(metavar="TIME", help="Before then.")]


def list_(  # noqa: PLR0913, PLR0917  each is an option
    actor: Actor = "",
    action: Action = "",
    outcome: Outcome = "",
    resource: Resource = "",
    request_id: RequestId = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest first.")] = 20,
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on where the page before ended.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print records: when, who, what, to what, and what came of it."""
    query = _query(actor, action, outcome, resource, request_id, since, until)

    async def work(plugin: Audit) -> tuple[Sequence[Row], str | None]:
        async with plugin.visited() as reader:
            found = await reader.page(query, limit, cursor)
        return found.rows, found.following

    try:
        rows, following = visit(config, instance, Audit, tables, work)
    except Unreadable as error:
        raise ConfigError(str(error)) from None
    if as_json:
        typer.echo(json.dumps({"records": [document(row) for row in rows], "next": following}, indent=1))
        return
    for row in rows:
        typer.echo(line(row))
    if following is not None:
        typer.echo(f"there are more: --cursor {following}", err=True)


def export(  # noqa: PLR0913, PLR0917  each is an option
    actor: Actor = "",
    action: Action = "",
    outcome: Outcome = "",
    resource: Resource = "",
    request_id: RequestId = "",
    since: Since = "",
    until: Until = "",
    kind: Annotated[str, typer.Option("--format", metavar="jsonl|csv", help="Lines of JSON, or CSV.")] = "jsonl",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="A new file; else standard output.")] = None,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Write every record that fits, the oldest first, with where it stands in the log.

    Memory stays the same however many there are.
    """
    query = _query(actor, action, outcome, resource, request_id, since, until)
    try:
        form = format_of(kind)
    except Unreadable as error:
        raise ConfigError(str(error)) from None

    async def work(plugin: Audit) -> int:
        count = 0
        async with plugin.visited() as reader:
            with _opened(output) as file:
                async for records, some in written(reader, query, form):
                    file.write(some)
                    count += records
        return count

    count = visit(config, instance, Audit, tables, work)
    typer.echo(f"{count} record{'' if count == 1 else 's'} written", err=True)


def line(row: Row) -> str:
    """A record on one line, for people."""
    facts = row.facts
    status = facts["details"].get("status", facts["details"].get("code", ""))
    what = f"{facts['action']} {facts['resource'] or ''}".strip()
    came = f"{facts['outcome']} {status}".strip()
    told = f"{row.position}  {facts['time'][:19]}Z  {facts['actor'] or '-'}  {what}  {came}  {facts['reason']}".rstrip()
    return "".join(one if one.isprintable() else "?" for one in told)


@contextmanager
def _opened(path: Path | None) -> Generator[BinaryIO]:
    """A new file that only its owner may read, or standard output, which stays open."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        yield file


def _query(actor: str, action: str, outcome: str, resource: str, request_id: str, since: str, until: str) -> Query:
    given = {"actor": actor, "action": action, "outcome": outcome, "resource": resource, "request_id": request_id}
    try:
        moments = {"since": moment(since) if since else None, "until": moment(until) if until else None}
    except Unreadable as error:
        raise ConfigError(str(error)) from None
    return query_of(given, moments)
