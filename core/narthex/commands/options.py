"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT: Final = Path("narthex.toml")

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", envvar="NARTHEX_CONFIG", help="The configuration file.")
]
