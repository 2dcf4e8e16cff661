"""What became of a wish to follow another configuration, in words that travel between processes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from narthex import config as configuration
from narthex import levels
from narthex.app import Narthex
from narthex.errors import BootError, ConfigError
from narthex.reload import Reloaded
from narthex.serve.exits import Exit

_LINES: Final = frozenset({levels.ROOT, "narthex.access", "narthex.error"})  # no loggers, and yet named in lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a reload went.

    Attributes:
        digest: of the configuration that is prepared, or followed.
        added, changed, removed: names of plugin instances.
        said: what a process has to say that did something else than reload.
        refused: why everything is as before; "" where it is not.
        exit: the code a command ends with.
    """

    digest: str = ""
    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    removed: Sequence[str] = ()
    said: str = ""
    refused: str = ""
    exit: int = Exit.FINE

    @classmethod
    def of(cls, reloaded: Reloaded) -> Self:
        """One that went well."""
        return cls(**asdict(reloaded))

    @classmethod
    def refusal(cls, error: BootError) -> Self:
        """One that did not."""
        return cls(refused=str(error), exit=Exit.USAGE if isinstance(error, ConfigError) else Exit.FAILED_START)

    @classmethod
    def heard(cls, answer: dict[str, Any]) -> Self:
        """As another process told it."""
        return cls(**{field.name: answer[field.name] for field in fields(cls) if field.name in answer})

    @property
    def words(self) -> str:
        """One line for people; several where several things are wrong."""
        if self.refused or self.said:
            return self.refused or self.said
        parts = ((verb, getattr(self, verb)) for verb in ("added", "changed", "removed"))
        said = "; ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)
        return f"reloaded: {said or 'no plugin has changed'} ({self.digest})"


class Following:
    """The house of this process, led from one configuration to the next.

    Args:
        house: the app that is served.
        path: of the configuration file.
    """

    def __init__(self, house: Narthex, path: Path) -> None:
        self._house = house
        self._path = path

    async def reload(self) -> Outcome:
        """Follow what the file says now."""
        try:
            return Outcome.of(await self._house.reload(configuration.load(self._path)))
        except BootError as error:
            return Outcome.refusal(error)

    async def obey(self, order: dict[str, Any]) -> Outcome:
        """Do one step of what other processes do too."""
        try:
            match order["do"]:
                case "log-level":
                    return change_level(order)
                case "prepare":
                    succession = await self._house.prepare(configuration.load(self._path, text=order["text"]))
                    return Outcome(digest=succession.digest)
                case "commit":
                    return Outcome.of(self._house.commit())
                case _:
                    await self._house.abandon()
                    return Outcome()
        except BootError as error:
            return Outcome.refusal(error)


def change_level(order: Mapping[str, Any]) -> Outcome:
    """Give a logger of this process another level, or without one say which were given."""
    logger, level = order.get("logger"), order.get("level")
    if not (isinstance(logger, str) and isinstance(level, str)):
        said = ", ".join(f"{name} {given}" for name, given in levels.changed().items())
        return Outcome(said=said or "no level has been changed")
    known = logger in _LINES or logger in logging.Logger.manager.loggerDict
    try:
        levels.change(logger, level)
    except ValueError as error:
        return Outcome(refused=str(error), exit=Exit.USAGE)
    return Outcome(said=f"{logger} {level}{'' if known else ' (no logger of that name has logged yet)'}")
