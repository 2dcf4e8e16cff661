import logging
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.reading import read
from narthex.commands.terminal import paint
from narthex.config import Config
from narthex.loader import Built, survey
from narthex.services import Sessions, TokenRevoker


def check(config: ConfigPath = DEFAULT) -> None:
    """Check the file, the environment and the plugins; start nothing.

    Imports the plugins the file names, not the app; opens no store and no connection.
    """
    with _warnings() as found:
        loaded = read(config)
        built = survey(loaded)
    for warning in (*found, *_store(loaded, built), *_unrevoked(built)):
        typer.echo(f"{paint('warning', 'yellow')}: {warning}")
    for line in _taken(built):
        typer.echo(line)
    number = len(built.guests)
    typer.echo(f"{loaded.source}: {paint('fine', 'green')}, {number or 'no'} plugin{'' if number == 1 else 's'}")


def _taken(built: Built) -> Iterator[str]:
    """The app's paths that plugins answer instead."""
    for taken in built.chain.routes:
        methods = "WEBSOCKET" if taken.route.kind == "websocket" else ", ".join(taken.route.methods)
        yield f"{methods} {taken.path} is answered by {taken.instance} ({taken.where})"


def _store(config: Config, built: Built) -> Iterator[str]:
    """What will keep the store from being made."""
    if not any("tables" in guest.hooks for guest in built.guests):
        return
    from narthex.store.address import parse  # noqa: PLC0415  a house without a store does not import SQLAlchemy

    file = parse(config.settings.store.reveal(), config.directory).file
    if file is not None and not file.parent.is_dir():
        where = config.where(("narthex", "store"))
        yield f"{where}: [narthex] store: the directory {file.parent} does not exist"


def _unrevoked(built: Built) -> Iterator[str]:
    """What goes on being good when it should not."""
    services = built.tenancy.services
    if not services.offering(TokenRevoker):
        for guest in built.guests:
            if guest.name in services.offering(Sessions):
                yield (
                    f"{guest.table.where}: plugin {guest.name} keeps sessions, and nothing revokes their tokens: after "
                    "logout an access token is good until it expires; the plugin revocation ends it at once"
                )


@contextmanager
def _warnings() -> Generator[list[str]]:
    """Collect what plugins warn of, by the log or by `warnings`, while they are made."""
    found: list[str] = []
    house = logging.getLogger("narthex")
    collector = _Collector(found)
    house.addHandler(collector)
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield found
        found += [str(one.message) for one in caught]
    finally:
        house.removeHandler(collector)


class _Collector(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message; tracebacks have no place in a check."""
        self._found.append(record.getMessage())
