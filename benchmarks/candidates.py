"""The registry of rows. A candidate is a function that builds an ASGI app, and a few words about it."""

import contextlib
import fnmatch
import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from benchmarks.asgi import ASGIApp

BARE = "bare app"


@dataclass(frozen=True, slots=True)
class Peer:
    """What a row's added cost is divided by, and where both are served its requests a second too.

    Attributes:
        name: the other row.
        at_most: the bar the ratio of costs must keep, or None where it is only reported.
        at_least: the same for requests a second over uvicorn.
    """

    name: str
    at_most: float | None = None
    at_least: float | None = None


class NotThere(Exception):
    """What a row needs is not on this machine, such as a server of another project's; says what."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One row.

    Attributes:
        name: unique; what `--only` matches.
        group: the heading it stands under.
        build: makes the app. Raises ModuleNotFoundError where its package is not installed: the row is
            skipped. Raises NotThere for anything else that is missing.
        over: the row that is the same app bare; the added cost is the cost above this row's.
        against: peers it is compared with.
        around: entered round each of its blocks, off the clock: process-wide settings that only this row
            wants.
        background: other threads work for it; their processor time is waited for and counted.
        lifespan: wants lifespan events.
        paths: makes the paths of its requests; None means the usual ones.
        wire: also served by uvicorn in the second part.
        in_process: driven in the first part; not an app that waits, which would only make it long.
    """

    name: str
    group: str
    build: Callable[[], ASGIApp]
    over: str = BARE
    against: tuple[Peer, ...] = ()
    around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    background: bool = False
    lifespan: bool = False
    paths: Callable[[], Iterator[str]] | None = None
    wire: bool = False
    in_process: bool = True


_registry: dict[str, Candidate] = {}


def candidate(  # noqa: PLR0913  one keyword per fact of a row, all optional
    name: str,
    *,
    group: str,
    over: str = BARE,
    against: tuple[Peer, ...] = (),
    around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    background: bool = False,
    lifespan: bool = False,
    paths: Callable[[], Iterator[str]] | None = None,
    wire: bool = False,
    in_process: bool = True,
) -> Callable[[Callable[[], ASGIApp]], Callable[[], ASGIApp]]:
    """Add a row: decorate the function that builds its app."""

    def register(build: Callable[[], ASGIApp]) -> Callable[[], ASGIApp]:
        if name in _registry:
            raise ValueError(f"two rows are called {name!r}")
        _registry[name] = Candidate(
            name, group, build, over, against, around, background, lifespan, paths, wire, in_process
        )
        return build

    return register


def registered() -> dict[str, Candidate]:
    """Every row by name, in the order of the table. Imports the modules of `rows`."""
    rows = importlib.import_module("benchmarks.rows")
    found = {module.name for module in pkgutil.iter_modules(rows.__path__)}
    order = [f"benchmarks.rows.{module}" for module in (*rows.ORDER, *sorted(found.difference(rows.ORDER)))]
    for module in order:
        importlib.import_module(module)
    known = [row for row in _registry.values() if row.build.__module__ in order]
    return {row.name: row for row in sorted(known, key=lambda row: order.index(row.build.__module__))}


def select(patterns: Sequence[str] = ()) -> list[Candidate]:
    """Rows whose name matches, with what they stand over and are compared with, in the order of the table.

    Args:
        patterns: names, parts of names, shell patterns; none means all.
    """
    rows = registered()
    if not patterns:
        return list(rows.values())
    wanted: set[str] = set()
    todo = [name for name in rows if any(_matches(name, one, rows) for one in patterns)]
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += [rows[name].over, *(peer.name for peer in rows[name].against)]
    return [row for row in rows.values() if row.name in wanted]


def _matches(name: str, pattern: str, rows: Collection[str]) -> bool:
    if pattern in rows:
        return name == pattern
    return pattern in name or fnmatch.fnmatchcase(name, pattern)
