"""What became of a wish to follow another configuration, in words that travel between processes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from narthex import config as configuration
from narthex.app import Narthex
from narthex.errors import BootError, ConfigError
from narthex.reload import Reloaded
from narthex.serve.exits import Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a reload went.

    Attributes:
        digest: of the configuration that is prepared, or followed.
        added, changed, removed: names of plugin instances.
        refused: why everything is as before; "" where it is not.
        exit: the code a command ends with.
    """

    digest: str = ""
    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    removed: Sequence[str] = ()
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
        if self.refused:
            return self.refused
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
        """Do one step of a reload that other processes do too."""
        try:
            match order["do"]:
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
