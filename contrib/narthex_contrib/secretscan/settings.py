"""What may be said in `[scan]` of narthex.toml, or in `[tool.narthex.scan]` of pyproject.toml."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from narthex.config import Size, read_text
from narthex.detectors.kinds import KINDS, NAMED, Kind
from narthex.errors import ConfigError

KNOWN: Final = frozenset({*(one.id for one in KINDS), *(one.id for one in NAMED)})
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHORTEST: Final = 3  # characters of a keyword, or every text would have to be gone through by the pattern


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exempt(_Table):
    """Something that looks like a secret and is none, or is known."""

    path: str = Field("**", description="Where: a path from the top of the scan, with `*`, `?` and `**`.")
    kind: str = Field("*", description="Which kind, by its id; `*` and `?` may stand for a part.")
    pattern: str = Field("", description="What the whole secret is like, as a regular expression; anything without it.")
    reason: str = Field(min_length=3, description="Why it may stay.")
    until: date | None = Field(None, description="The last day on which it holds.")

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        return compiled(pattern) and pattern


class OwnDetector(_Table):
    """A kind of secret of your own."""

    id: str = Field(description="Lower case with hyphens.")
    description: str = Field(description="A short noun phrase.")
    pattern: str = Field(description="A regular expression; the group `secret` is the secret, or all of it.")
    keywords: list[str] = Field(min_length=1, description="One of them begins every such secret, or stands in it.")
    entropy: float = Field(0.0, ge=0, le=8, description="Bits a character that it has at least.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not _NAME.fullmatch(self.id) or self.id in KNOWN:
            raise ValueError(f"{self.id!r} is taken, or not lower case with hyphens")
        if any(len(word) < _SHORTEST for word in self.keywords):
            raise ValueError(f"a keyword has at least {_SHORTEST} characters")
        compiled(self.pattern)
        return self

    def kind(self) -> Kind:
        """The same as scanning takes it."""
        pattern = re.compile(self.pattern, re.ASCII)
        return Kind(
            self.id,
            self.description,
            "your configuration",
            tuple(self.keywords),
            pattern,
            entropy=self.entropy,
            back=200,
            whole=True,
        )


class ScanSettings(_Table):
    """How a repository is scanned."""

    exclude: list[str] = Field([], description="Paths that are not looked at, with `*`, `?` and `**`.")
    max_size: Size = Field(10 * 1024 * 1024, description="Larger files are not looked at, and counted.")
    baseline: str = Field("", description="File of findings that are known, made by `--write-baseline`.")
    disable: list[str] = Field([], description="Ids of kinds that are not looked for.")
    checksums: bool = Field(False, description="Whether a token whose issuer's checksum is wrong is left alone.")
    exempt: list[Exempt] = Field([], description="What looks like a secret and may stay, with the reason.")
    detector: list[OwnDetector] = Field([], description="Kinds of secrets of your own.")

    @field_validator("disable")
    @classmethod
    def _are_known(cls, disable: list[str]) -> list[str]:
        unknown = [one for one in disable if one not in KNOWN]
        if unknown:
            raise ValueError(f"no kind is called {', '.join(unknown)}; `narthex scan --list` names them")
        return disable


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile what somebody wrote.

    Raises:
        ValueError: it is no regular expression.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None


def find_settings(start: Path, named: Path | None = None) -> tuple[ScanSettings, Path | None]:
    """The settings that hold for a scan, and the file they are from.

    Args:
        start: where to look for `narthex.toml` with `[scan]`, else `pyproject.toml` with `[tool.narthex.scan]`.
        named: the file itself, where somebody named it; a table is asked for then.

    Raises:
        ConfigError: the file cannot be read, or what is wrong with it.
    """
    if named is not None:
        table = _table(named)
        if table is None:
            raise ConfigError(
                "has no table for scanning", where=str(named), hint="[scan], or [tool.narthex.scan] in pyproject.toml"
            )
        return _checked(table, named), named
    for name in ("narthex.toml", "pyproject.toml"):
        file = start / name
        table = _table(file) if file.is_file() else None
        if table is not None:
            return _checked(table, file), file
    return ScanSettings.model_validate({}), None


def _table(file: Path) -> Mapping[str, Any] | None:
    try:
        document: object = tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", where=str(file)) from None
    steps: tuple[str, ...] = ("tool", "narthex", "scan") if file.name == "pyproject.toml" else ("scan",)
    for step in steps:
        document = cast("Mapping[str, Any]", document).get(step) if isinstance(document, Mapping) else None
    if document is not None and not isinstance(document, Mapping):
        raise ConfigError("scan is not a table", where=str(file))
    return cast("Mapping[str, Any] | None", document)


def _checked(table: Mapping[str, Any], file: Path) -> ScanSettings:
    try:
        return ScanSettings.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "scan"
        allowed = f"allowed: {', '.join(ScanSettings.model_fields)}" if first["type"] == "extra_forbidden" else ""
        raise ConfigError(
            f"scan, {key}: {first['msg'].removeprefix('Value error, ')}", where=str(file), hint=allowed
        ) from None
