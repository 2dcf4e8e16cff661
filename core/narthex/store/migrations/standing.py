"""Where a database stands against the code of this release. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from narthex.errors import StartError
from narthex.store.migrations.history import History, Revision
from narthex.store.migrations.ledger import Noted


@dataclass(frozen=True, slots=True)
class UpToDate:
    """The database has what the code knows."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The code knows revisions that the database has not."""

    missing: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class Ahead:
    """A later release has been here.

    Attributes:
        above: what it applied beyond the code's head, in order; never empty.
    """

    above: tuple[Noted, ...]

    @property
    def blocking(self) -> tuple[Noted, ...]:
        """Those that this release cannot run on."""
        return tuple(noted for noted in self.above if not noted.compatible)


@dataclass(frozen=True, slots=True)
class Stranger:
    """The database is at a revision that does not follow from any the code knows."""

    revision: str


Standing = UpToDate | Behind | Ahead | Stranger


def judge(history: History, applied: str | None, noted: Sequence[Noted]) -> Standing:
    """Compare.

    Args:
        history: what the code knows.
        applied: the revision in the plugin's version table.
        noted: the plugin's lines of the ledger, in order.
    """
    ids = history.ids
    if applied is None or applied in ids:
        missing = history.revisions[0 if applied is None else ids.index(applied) + 1 :]
        return Behind(missing) if missing else UpToDate()
    lineage = [one.id for one in noted]
    if history.head not in lineage or lineage[-1] != applied:
        return Stranger(applied)
    return Ahead(tuple(noted[lineage.index(history.head) + 1 :]))


def may_run(name: str, standing: Standing) -> None:
    """Let pass what this release can run on, once what is missing has been applied.

    Raises:
        StartError: a later release has changed the tables and did not say that this one can run on them, or the
            revision is unknown altogether.
    """
    match standing:
        case Ahead() if standing.blocking:
            first = standing.blocking[0].id
            raise StartError(
                f"the tables of {name!r} are at revision {standing.above[-1].id!r}, which a later release made, and "
                f"this release cannot run on {first!r}",
                hint=f"start the later release again, or with it run: narthex db downgrade {name} {_before(standing)}",
            )
        case Stranger(revision):
            raise StartError(
                f"the tables of {name!r} are at revision {revision!r}, of which this release knows nothing",
                hint="is this another deployment's store? else start the release that made it, or restore a backup",
            )
        case _:
            pass


def _before(standing: Ahead) -> str:
    """As an argument of `downgrade`: back below the first revision that is in the way."""
    return f"-{len(standing.above) - standing.above.index(standing.blocking[0])}"
