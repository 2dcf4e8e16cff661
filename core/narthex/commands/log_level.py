from typing import Annotated

import typer

from narthex import levels
from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.ordering import order_all
from narthex.errors import ConfigError

_LEVELS = (*levels.LEVELS, levels.DEFAULT)


def log_level(
    logger: Annotated[
        str, typer.Argument(help='Its name, as lines have it under "logger"; "root" for all.', show_default=False)
    ] = "",
    level: Annotated[str, typer.Argument(metavar="LEVEL", help=f"{', '.join(_LEVELS)}.", show_default=False)] = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Change the level of a logger in every `narthex run` that follows the file.

    It holds for the loggers below as well, in all workers, those that begin later too; a reload keeps it, "default"
    takes it back. Without arguments: which levels were changed.
    """
    if bool(logger) != bool(level) or (level and level not in _LEVELS):
        raise ConfigError(
            f"no level is called {level!r}" if level else "to what level?", hint=f"one of {', '.join(_LEVELS)}"
        )
    order = {"do": "log-level", "logger": logger, "level": level} if logger else {"do": "log-level"}
    order_all(config, order)
