"""Reading the file as `run` does, so that what one command takes the others take."""

from pathlib import Path

from narthex.config import Config, load
from narthex.serve.application import extend_path


def read(config: Path) -> Config:
    """Load the file, and let the plugins it names be found where `run` would find them.

    Raises:
        ConfigError: what is wrong with the file.
    """
    loaded = load(config)
    extend_path(config.absolute().parent)
    return loaded
