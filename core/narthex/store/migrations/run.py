"""Bring tables to a revision: up to what the code knows, or down to what is asked for."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationInfo, MigrationStep, RevisionStep
from sqlalchemy import Connection, Engine

from narthex.errors import ConfigError, NarthexError, StartError
from narthex.store.migrations import ledger
from narthex.store.migrations.history import History, Revision, history
from narthex.store.migrations.lock import Turn, check_foreign_keys, locked
from narthex.store.migrations.losses import Loss, census, losses
from narthex.store.migrations.standing import Ahead, Behind, Standing, judge, may_run
from narthex.store.migrations.tables import with_core

_log = logging.getLogger("narthex.store")

_one_at_a_time: Final = threading.Lock()
"""`alembic.op`, which revision scripts import, is one for the whole process."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done to a plugin's tables.

    Attributes:
        before, after: revisions, None for no tables at all.
        steps: revisions that were run, in that order.
    """

    plugin: str
    before: str | None
    after: str | None
    steps: tuple[str, ...]


class WouldLose(NarthexError):
    """A downgrade that was not done, because data would be gone.

    Attributes:
        losses: what, and how much.
    """

    def __init__(self, found: tuple[Loss, ...]) -> None:
        super().__init__(f"{', '.join(str(loss) for loss in found)} would be gone")
        self.losses = found


def upgrade(engine: Engine, tables: Iterable[object], turn: Turn = nullcontext) -> tuple[Applied, ...]:
    """Bring core's tables and those given up to what this release knows, all or nothing.

    Args:
        engine: the writer's.
        tables: what `tables` hooks gave, in file order; core's own come first whatever is given.
        turn: the fair lock between the processes of a host.

    Returns:
        One for each plugin that had something missing.

    Raises:
        PluginError: the revisions of a plugin cannot be read.
        StartError: this release cannot run on what a later one has made, or a revision failed. Nothing was changed.
        SQLAlchemyError: the store does not answer.

    Cost: where nothing is due, two or three small reads for each plugin, and no commit.
    """
    histories = [history(one) for one in with_core(tables)]
    done: list[Applied] = []
    with locked(engine, turn) as connection:
        ledger.prepare(connection)
        for known in histories:
            applied, standing = _standing(connection, known)
            may_run(known.name, standing)
            match standing:
                case Behind(missing):
                    _run(
                        connection, known, [MigrationStep.upgrade_from_script(known.map, one.script) for one in missing]
                    )
                    done.append(Applied(known.name, applied, known.head, tuple(one.id for one in missing)))
                case Ahead(above):
                    text = "the tables of %s are at revision %s of a later release, which this one can run on"
                    _log.info(text, known.name, above[-1].id)
                case _:
                    pass
        if done:
            check_foreign_keys(connection)
    for one in done:
        _log.info("the tables of %s went from revision %s to %s", one.plugin, one.before, one.after)
    return tuple(done)


def downgrade(
    engine: Engine,
    tables: Iterable[object],
    plugin: str,
    target: str,
    turn: Turn = nullcontext,
    *,
    lose: bool = False,
) -> Applied:
    """Take a plugin's tables back to an earlier revision, all or nothing.

    Args:
        engine: the writer's.
        tables: what `tables` hooks gave.
        plugin: the name of its tables; "core" for core's own.
        target: a revision's id, "-1" for one step, "base" for no tables at all.
        turn: the fair lock between the processes of a host.
        lose: whether data may go. Unless it may, every table is counted before and after.

    Raises:
        ConfigError: no such plugin or revision.
        WouldLose: data would be gone; nothing was changed.
        StartError: a revision failed; nothing was changed.
    """
    names = {one.name: one for one in with_core(tables)}
    if plugin not in names:
        raise ConfigError(f"no plugin with tables is called {plugin!r}", hint=f"on are: {', '.join(names)}")
    known = history(names[plugin])
    with locked(engine, turn) as connection:
        applied = ledger.applied(connection, known)
        leaving = _leaving(known, applied, target)
        before = None if lose else census(connection)
        _run(connection, known, [MigrationStep.downgrade_from_script(known.map, one.script) for one in leaving])
        check_foreign_keys(connection)
        if before is not None and (found := losses(before, census(connection))):
            raise WouldLose(found)
    return Applied(plugin, applied, leaving[-1].down, tuple(one.id for one in leaving))


def current(connection: Connection, tables: Iterable[object]) -> Sequence[tuple[History, str | None, Standing]]:
    """Where core's tables and those given stand: their history, the revision they are at, how the two compare."""
    return [(known, *_standing(connection, known)) for known in map(history, with_core(tables))]


def _standing(connection: Connection, known: History) -> tuple[str | None, Standing]:
    applied = ledger.applied(connection, known)
    return applied, judge(known, applied, ledger.noted(connection, known.name))


def _leaving(known: History, applied: str | None, target: str) -> tuple[Revision, ...]:
    """The revisions to undo, the latest first."""
    if applied is None:
        raise ConfigError(f"{known.name!r} has no tables that could be taken back")
    if applied not in known.ids:
        hint = "downgrade with the release that made it"
        raise ConfigError(f"{known.name!r} is at revision {applied!r}, which this release does not know", hint=hint)
    there = known.ids.index(applied) + 1
    left = _left(known, there, target)
    if left is None or not 0 <= left < there:
        earlier = ", ".join(("base", *known.ids[: there - 1]))
        hint = f"it is at {applied!r}; before it: {earlier}"
        raise ConfigError(f"{known.name!r} cannot be taken back to {target!r}", hint=hint)
    return known.revisions[left:there][::-1]


def _left(known: History, there: int, target: str) -> int | None:
    """How many of the revisions remain; None for a target that is not understood."""
    if target in known.ids:
        return known.ids.index(target) + 1
    if target == "base":
        return 0
    return there - int(target[1:]) if target[:1] == "-" and target[1:].isdecimal() else None


def _run(connection: Connection, known: History, steps: Sequence[RevisionStep]) -> None:
    """Run the steps, and note each. The transaction is the caller's; Alembic sees that there is one and makes none."""
    at = ""

    def walk(_heads: object, _context: object) -> Iterator[RevisionStep]:
        nonlocal at
        for step in steps:
            at = f", revision {step.revision.revision!r},"
            yield step

    options = {
        "fn": walk,
        "on_version_apply": (_noting(connection, known),),
        "transactional_ddl": True,  # SQLite too can; it is Python's driver that could not
        "version_table": known.tables.version_table,
    }
    context = MigrationContext.configure(connection, opts=options)
    try:
        with _one_at_a_time, Operations.context(context):
            context.run_migrations()
    except Exception as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        message = f"the migration of {known.name!r}{at} failed: {type(error).__name__}: {reason}"
        raise StartError(message, hint="nothing was changed") from error


def _noting(connection: Connection, known: History) -> Callable[..., None]:
    """What Alembic calls after each step; by keyword, and with more than is needed."""

    def note(*, step: MigrationInfo, **_rest: object) -> None:
        ordinal = known.ids.index(str(step.up_revision_id)) + 1
        revision = known.revisions[ordinal - 1]
        if step.is_upgrade:
            ledger.note(connection, known.name, ordinal, revision)
        else:
            ledger.strike(connection, known.name, revision.id)

    return note
