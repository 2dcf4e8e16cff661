"""A plugin's revisions in their order, as this release has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError, RevisionMap
from alembic.util import CommandError

from narthex.errors import PluginError
from narthex.store.migrations.tables import Tables


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of a plugin's schema.

    Attributes:
        id: as in the script, at most 32 characters.
        down: the revision before it, None for the first.
        compatible: whether the release before this revision can run on a schema that has it.
        script: Alembic's.
    """

    id: str
    down: str | None
    compatible: bool
    script: Script


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """All of a plugin's revisions, the first one first: no branches.

    Attributes:
        map: Alembic's, which steps are made from.
    """

    tables: Tables
    map: RevisionMap
    revisions: tuple[Revision, ...]

    @property
    def name(self) -> str:
        """The plugin's."""
        return self.tables.name

    @property
    def ids(self) -> tuple[str, ...]:
        """Every revision's id, in order."""
        return tuple(revision.id for revision in self.revisions)

    @property
    def head(self) -> str:
        """The last revision's id."""
        return self.revisions[-1].id


def history(tables: Tables) -> History:
    """Read a plugin's revision scripts. Imports each of them.

    Raises:
        PluginError: there are none, one cannot be imported, or they are not one line from first to last.
    """
    places = _places(tables)
    directory = ScriptDirectory(places[0], version_locations=places)
    try:
        scripts = list(directory.walk_revisions())[::-1]
        ends = (*directory.get_bases(), *directory.get_heads())
    except Exception as error:  # a script may raise whatever it likes while it is imported
        reason = str(error) if isinstance(error, (CommandError, RevisionError)) else f"{type(error).__name__}: {error}"
        raise PluginError(f"the revisions of {tables.name!r} cannot be read: {reason}") from error
    if not scripts:
        raise PluginError(f"{tables.name!r} has tables, but no revision in {tables.revisions}")
    if ends != (scripts[0].revision, scripts[-1].revision):
        heads = ", ".join(sorted(directory.get_heads()))
        hint = f"they end in {heads}; each but the first names the one before it as its down_revision"
        raise PluginError(f"the revisions of {tables.name!r} are not one line", hint=hint)
    return History(tables, directory.revision_map, tuple(_revision(tables, script) for script in scripts))


def _places(tables: Tables) -> Sequence[str]:
    try:
        spec = find_spec(tables.revisions)
    except ImportError as error:
        raise PluginError(f"the revisions of {tables.name!r} cannot be imported: {error}") from error
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        raise PluginError(f"the revisions of {tables.name!r} should be in {tables.revisions}, which is not a package")
    return places


def _revision(tables: Tables, script: Script) -> Revision:
    def wrong(message: str) -> PluginError:
        return PluginError(f"revision {script.revision!r} of {tables.name!r} {message}")

    down = script.down_revision
    compatible: object = getattr(script.module, "compatible", False)
    if isinstance(down, tuple | list):
        raise wrong("follows several others")
    if script.dependencies:
        raise wrong("says `depends_on`, but plugins are switched on and off one by one")
    if len(script.revision) > 32:
        raise wrong("has an id of more than 32 characters")
    if not isinstance(compatible, bool):
        raise wrong(f"says `compatible = {compatible!r}`, which is neither True nor False")
    for function in ("upgrade", "downgrade"):
        if not callable(getattr(script.module, function, None)):
            raise wrong(f"has no function {function!r}")
    return Revision(script.revision, down, compatible, script)
