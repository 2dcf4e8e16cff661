"""`narthex scan`: no secret leaves."""

import contextlib
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from narthex.detectors.kinds import DESCRIPTIONS
from narthex.errors import ConfigError
from narthex.serve.exits import Exit
from narthex_contrib.secretscan import baseline as known
from narthex_contrib.secretscan import repository
from narthex_contrib.secretscan.exemptions import Exemptions, Stale
from narthex_contrib.secretscan.files import Item, Skipped, listed, matcher
from narthex_contrib.secretscan.progress import Progress
from narthex_contrib.secretscan.report import Outcome, as_json, descriptions, lines, summary
from narthex_contrib.secretscan.sarif import as_sarif
from narthex_contrib.secretscan.scanning import Finding
from narthex_contrib.secretscan.settings import ScanSettings, find_settings
from narthex_contrib.secretscan.workers import (
    FEW,
    Looked,
    look,
    look_at_blobs,
    look_at_files,
    look_through,
    processors,
)

INTERRUPTED: Final = 130


class Format(StrEnum):
    """How findings are told."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def scan(  # noqa: PLR0913, PLR0917  a command's options
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files and directories, or - for standard input; the current directory without any.",
            show_default=False,
        ),
    ] = None,
    staged: Annotated[bool, typer.Option("--staged", help="What the next commit would bring.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Every version of every file in git, each once.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How findings are told.")] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to, instead of standard output.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="narthex.toml with [scan], or pyproject.toml with [tool.narthex.scan]; both are looked for here.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="FILE", help="Findings that are known.")
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option("--write-baseline", metavar="FILE", help="Write what is found as known, and find nothing."),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="With --write-baseline: why they may stay.")
    ] = known.UNEXPLAINED,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="With --write-baseline: the last day.")
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="End at the first finding.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A stale exemption is a finding too.")] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, max=256, help="Processes; 0: one for each processor.")
    ] = 0,
    list_kinds: Annotated[bool, typer.Option("--list", help="Print the kinds of secrets, and stop.")] = False,
) -> None:
    """Find secrets in files, staged changes and history before they leave.

    None is printed. Exit code 0: none; 1: some; 2: an error in the command line, the configuration, or a file that
    cannot be read.
    """
    if list_kinds:
        typer.echo("\n".join(f"{name:34}{about}" for name, about in DESCRIPTIONS.items()))
        return
    given = paths or []
    _refuse_misuse(given, staged=staged, history=history)
    root = repository.top(Path()) if staged or history else Path()
    settings, source = find_settings(root, config)
    chosen = baseline or (root / settings.baseline if settings.baseline else None)
    chosen = None if write_baseline is not None or chosen is None else chosen
    today = datetime.now(UTC).date()
    asked = Asked(given, root, settings, jobs or processors(), staged=staged, history=history, fail_fast=fail_fast)
    judges = Judges(settings, source, chosen, today)
    try:
        outcome = run(asked, judges)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if write_baseline is not None:
        count = known.write(write_baseline, outcome.findings, reason, until.date() if until else None)
        typer.echo(f"{count} known in {write_baseline}", err=True)
        return
    _tell(outcome, form, output, settings)
    if outcome.unreadable:
        raise typer.Exit(Exit.USAGE)
    raise typer.Exit(Exit.FINDING if outcome.open or (strict and outcome.stale) else Exit.FINE)


class Asked:
    """What a command line asks for."""

    def __init__(
        self,
        paths: list[Path],
        root: Path,
        settings: ScanSettings,
        jobs: int,
        *,
        staged: bool,
        history: bool,
        fail_fast: bool,
    ) -> None:
        self.paths, self.root, self.settings, self.jobs = paths, root, settings, jobs
        self.staged, self.history, self.fail_fast = staged, history, fail_fast

    @property
    def everything(self) -> bool:
        """Whether all of a repository is looked at as it is, so that what exempts nothing is stale."""
        return not self.staged and not self.history and (not self.paths or self.paths == [Path()])

    def looked(self) -> Looked:
        """Look, with a bar for whoever waits."""
        if self.paths == [Path("-")]:
            return look("<stdin>", _standard_input(self.settings.max_size), self.settings)
        looked = Looked()
        if self.staged or self.history:
            blobs = repository.staged(self.root) if self.staged else repository.history(self.root)
            excluded = matcher(self.settings.exclude)
            blobs = [blob for blob in blobs if not excluded(blob.path)]
            bar = Progress(len(blobs), "objects")
            parts = look_through(
                look_at_blobs, blobs, self.settings, self.root, self.jobs, FEW if len(blobs) > 200 else 0
            )
        else:
            items = listed(self.paths or [Path()], self.settings.exclude)
            bar = Progress(len(items), "files")
            parts = look_through(look_at_files, items, self.settings, self.root, self.jobs, _size(items))
        with contextlib.closing(parts):  # type: ignore[type-var]  # a generator
            for part in parts:
                looked.add(part)
                bar.forward(part.seen)
                if self.fail_fast and any(not one.exempted for one in part.findings):
                    break
        bar.end()
        return looked


class Judges:
    """What may stay: by comment, by configuration, by the baseline."""

    def __init__(self, settings: ScanSettings, source: Path | None, baseline: Path | None, today: date) -> None:
        self.exemptions = Exemptions(settings.exempt, str(source or ""), today)
        self.baseline = known.load(baseline, today) if baseline is not None else None

    def judge(self, finding: Finding) -> Finding:
        """The finding, exempted where something says so."""
        judged = self.exemptions.judge(finding)
        return self.baseline.judge(judged) if self.baseline is not None else judged

    def stale(self, looked: Looked, *, everything: bool) -> list[Stale]:
        """What exempts nothing, as far as can be told from what was looked at."""
        stale = [Stale(f"{one.path}:{one.line}", "comment without a finding") for one in looked.comments]
        stale += self.exemptions.stale() if everything else []
        return stale + (self.baseline.stale(frozenset(looked.scanned), everything=everything) if self.baseline else [])


def run(asked: Asked, judges: Judges) -> Outcome:
    """Look, and judge what was found."""
    began = time.monotonic()
    looked = asked.looked()
    findings = sorted(map(judges.judge, looked.findings), key=lambda one: (one.path, one.line, one.column, one.commit))
    open_ = [one for one in findings if not one.exempted]
    if asked.fail_fast and open_:
        findings = open_[:1]
    if asked.history:
        findings = [replace(one, commit=repository.introduced(asked.root, one.commit)) for one in findings]
    elif asked.staged:
        findings = [replace(one, commit="") for one in findings]
    stopped = asked.fail_fast and bool(open_)
    stale = [] if stopped or asked.history else judges.stale(looked, everything=asked.everything)
    seconds = time.monotonic() - began
    return Outcome(findings, stale, sorted(looked.skipped), len(looked.scanned), looked.size, seconds, not stopped)


def _refuse_misuse(paths: list[Path], *, staged: bool, history: bool) -> None:
    if staged and history:
        raise ConfigError("--staged and --history are two scans", hint="one after the other")
    if (staged or history) and paths:
        raise ConfigError("--staged and --history look at all of a repository", hint="leave the paths out")
    if Path("-") in paths and len(paths) > 1:
        raise ConfigError("standard input goes alone", hint="- and no other path")


def _standard_input(limit: int) -> bytes | Skipped:
    data = sys.stdin.buffer.read(limit + 1)
    return Skipped.LARGE if len(data) > limit else data


def _size(items: list[Item]) -> int:
    """At least how many bytes there are, as far as it has to be known."""
    size = 0
    for item in items:
        with contextlib.suppress(OSError):
            size += Path(item.path).lstat().st_size
        if size >= FEW:
            break
    return size


def _tell(outcome: Outcome, form: Format, output: Path | None, settings: ScanSettings) -> None:
    told = descriptions(settings)
    if form is Format.TEXT:
        text = "".join(f"{line}\n" for line in lines(outcome, told))
    else:
        text = (as_json if form is Format.JSON else as_sarif)(outcome, told) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        try:
            output.write_text(text, "utf-8")
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(output)) from None
    typer.echo("\n".join(summary(outcome)), err=True)
