"""`narthex audit verify`, `prove` and `key`: whether the log is what was recorded, and how others can tell."""

import json
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from sqlalchemy import Connection

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.terminal import paint
from narthex.commands.visiting import Instance, visit
from narthex.errors import ConfigError, NarthexError
from narthex.serve.exits import Exit
from narthex_plugins.audit.checkpoints import LONGEST, Checkpoint, CheckpointError, parse
from narthex_plugins.audit.keys import LogKeys
from narthex_plugins.audit.plugin import Audit
from narthex_plugins.audit.proving import prove as proof_of
from narthex_plugins.audit.publickey import pem, read_key
from narthex_plugins.audit.reading import LONGEST as LONGEST_LINE
from narthex_plugins.audit.reading import verify_lines, verify_store
from narthex_plugins.audit.tables import tables
from narthex_plugins.audit.verifying import Bad, Report, Verifier

PublicKey = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The key that checkpoints have to be signed by: what `narthex audit key` prints."
    ),
]
Checkpoints = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Checkpoints that were published: they show that nothing was cut off since."),
]
_SHOWN: Final = 20


def verify(
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Verify what `narthex audit export` wrote; - for standard input."),
    ] = None,
    public_key: PublicKey = None,
    checkpoints: Checkpoints = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Verify every record, link and checkpoint; name the first that is not what was recorded.

    With --export and --public-key neither the store nor the configuration is needed. Exit code 1 where something is
    wrong.
    """
    published = [] if checkpoints is None else list(_published(checkpoints))
    trusted = None if public_key is None else read_key(_bytes(public_key))
    try:
        if export is not None and trusted is not None:
            report = _of_export(export, Verifier([trusted], published))
        elif export is not None:
            known = _keys(config, instance)
            report = _of_export(export, Verifier([known.public], published))
        else:
            report = _of_store(config, instance, trusted, published)
    except Bad as bad:  # a published checkpoint that is none
        report = Verifier([]).report(bad.finding)
    typer.echo(json.dumps(_document(report), indent=1)) if as_json else _tell(report)
    if report.finding is not None:
        raise typer.Exit(Exit.FINDING)


def prove(
    record: Annotated[str, typer.Argument(metavar="ID", help="The record, by its id.")],
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print what proves that a record is in the log, and that the log has only grown since: one JSON object.

    Exit code 1 where there is no proof: no such record, or no checkpoint covers it yet.
    """

    async def work(plugin: Audit) -> object:
        async with plugin.visited() as reader:
            return await reader.store.read(partial(proof_of, instance=reader.instance, record=record))

    typer.echo(json.dumps(_or_exit(lambda: visit(config, instance, Audit, tables, work)), indent=1))


def key(
    as_hex: Annotated[
        bool, typer.Option("--hex", help="64 hex digits, as checkpoints have it, instead of PEM.")
    ] = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the public key that the log is signed with: give it to whoever is to verify."""
    public = _keys(config, instance).public
    typer.echo(public if as_hex else pem(public), nl=as_hex)


def _of_store(config: Path, instance: str, trusted: str | None, published: Sequence[Checkpoint]) -> Report:
    async def work(plugin: Audit) -> Report:
        async with plugin.visited() as reader:
            known = await plugin.trail.look()
            keys = [trusted] if trusted is not None else [] if known is None else [known.public]
            verifier = Verifier(keys, published, None if known is None else known.marking)
            with _progress() as tell:

                def job(connection: Connection) -> Report:
                    return verify_store(connection, reader.instance, verifier, tell)

                return await reader.store.read(job)

    return visit(config, instance, Audit, tables, work)


def _of_export(path: Path, verifier: Verifier) -> Report:
    with _opened(path) as file, _progress() as tell:
        return verify_lines(iter(partial(file.readline, LONGEST_LINE + 2), b""), verifier, tell)


def _keys(config: Path, instance: str) -> LogKeys:
    async def work(plugin: Audit) -> LogKeys | None:
        async with plugin.visited():
            return await plugin.trail.look()

    found = visit(config, instance, Audit, tables, work)
    if found is None:
        raise ConfigError("the log has no key yet", hint="the first start of the server makes one")
    return found


def _published(path: Path) -> Iterator[Checkpoint]:
    """Checkpoints from a file: one on each line, maybe behind what a log puts there."""
    for number, line in enumerate(_bytes(path).splitlines(), 1):
        at = line.find(b"{")
        if at < 0:
            if line.strip():
                raise ConfigError(f"{path}: line {number} holds no checkpoint")
            continue
        try:
            yield parse(line[at : at + LONGEST + 1].rstrip())
        except CheckpointError as error:
            raise ConfigError(f"{path}: line {number} is no checkpoint: {error}") from None


@contextmanager
def _progress() -> Generator[Callable[[int, int], None]]:
    """A bar on the terminal, if there is one."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with typer.progressbar(length=1, label="verifying", file=sys.stderr) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = max(total, done, 1)
            bar.update(done - bar.pos)

        yield tell


@contextmanager
def _opened(path: Path) -> Generator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield file


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _or_exit(work: Callable[[], object]) -> object:
    try:
        return work()
    except NarthexError as error:
        if not error.code.startswith("audit_"):
            raise
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.FINDING) from None


def _tell(report: Report) -> None:
    """The report, for people."""
    finding = report.finding
    if finding is not None:
        typer.echo(f"{paint('bad', 'red')}: {finding.says}")
        where = f"record {finding.record}" if finding.record else "record"
        place = (
            f"position {finding.first}"
            if finding.first == finding.last
            else (f"positions {finding.first} to {finding.last}")
        )
        if finding.chain:
            place += f", chain {finding.chain}, number {finding.sequence}"
        typer.echo(f"     {where} at {place}")
        typer.echo(f"     {report.records} records before it are as they were recorded")
        return
    left = report.records - report.covered
    counted = (report.records, "record"), (report.chains, "chain"), (report.checkpoints, "checkpoint")
    says = ", ".join(_many(*one) for one in counted)
    typer.echo(f"{paint('good', 'green')}: {says}")
    if report.first:
        typer.echo(f"      from position {report.first} on; those before were let go by a checkpoint")
    if left:
        typer.echo(f"      {left} of them are not covered by a checkpoint yet")
    if report.unknown_count:
        typer.echo(f"{_many(report.unknown_count, 'intent')} without a known outcome:")
        for one in report.unknown[:_SHOWN]:
            typer.echo(f"      {one.position}  {one.time}  {one.action}  request {one.request_id}")
        if report.unknown_count > _SHOWN:
            typer.echo("      ... --json lists 1,000 of them")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _document(report: Report) -> dict[str, object]:
    finding = report.finding
    return {
        "log": report.log,
        "first": report.first,
        "records": report.records,
        "chains": report.chains,
        "checkpoints": report.checkpoints,
        "covered": report.covered,
        "finding": None if finding is None else {name: getattr(finding, name) for name in finding.__slots__},
        "unknown": [{name: getattr(one, name) for name in one.__slots__} for one in report.unknown],
        "unknown_count": report.unknown_count,
    }
