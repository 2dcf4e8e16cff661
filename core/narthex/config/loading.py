"""One TOML file and the environment, read, checked and frozen.

Whatever is wrong is said at once, each with its line: first of `[narthex]` and of what all plugins have in common
(`load`), then of each plugin's own settings (`plugin_settings`), for which its class must be known.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, cast

from pydantic import ValidationError

from narthex.config.environment import Overlay
from narthex.config.errors import Table, did_you_mean, raise_all
from narthex.config.places import KeyPath, Places, key_text, quoted
from narthex.config.settings import COMMON_KEYS, INSTANCE, NarthexSettings, PluginKeys, Settings
from narthex.config.toml_lines import Line, locate
from narthex.errors import ConfigError, PluginError
from narthex.given import Given

S = TypeVar("S", bound=Settings)
Source = str | Path | Mapping[str, Any] | None

_HOUSE_KEYS: Final = frozenset(NarthexSettings.model_fields)
_LONGEST: Final = 1024 * 1024  # bytes; a serving process reads it beside its requests
_OF_COMMANDS: Final = frozenset({"scan"})  # read by `narthex scan` alone, and checked there
_AT_LINE: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class PluginTable:
    """One `[plugins.<instance>]` table that is switched on.

    Attributes:
        instance: the table's name.
        use: entry point name, or "package.module:Class"; the instance's name where the table does not say.
        enabled: always true here.
        mode: "shadow" lets through what the plugin would refuse.
        timeout: seconds one async call may take.
        raw: the plugin's own keys, not yet checked.
        where: "narthex.toml:12", the line of the table; "" for a mapping made by a program.
        lines: the table's keys and their lines, or None without a file.
    """

    instance: str
    use: str
    enabled: bool
    mode: Literal["enforce", "shadow"]
    timeout: float
    raw: Mapping[str, Any] = field(repr=False)
    where: str = ""
    lines: Line | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that holds together.

    Attributes:
        settings: the `[narthex]` table.
        plugins: the tables that are switched on, in the order of the file.
        directory: what relative paths in the file are relative to: where it lies, or the working directory.
        source: the file as it was named, or "" for a mapping.
        places: where each setting was said.
    """

    settings: NarthexSettings
    plugins: tuple[PluginTable, ...]
    directory: Path
    source: str
    places: Places = field(repr=False)
    given: Given = field(repr=False)

    def where(self, path: KeyPath) -> str:
        """Give "narthex.toml:12" of a key, of the table it is missing in, or the variable that set it."""
        return self.places.where(path)


@dataclass(frozen=True, slots=True)
class _Document:
    """What was read, before anything of it is believed."""

    tables: Mapping[str, Any]
    given: Given
    source: str = ""
    lines: Line | None = None


def load(source: Source = None, environ: Mapping[str, str] = os.environ, *, text: str | None = None) -> Config:
    """Read a configuration and check all of it that core knows.

    Args:
        source: path of a TOML file, a mapping of the same shape, or None for no plugins at all.
        environ: variables that begin with NARTHEX_ are laid over it; `{ env = "..." }` is looked up in it.
        text: what the file at the path holds, where it has been read already: several processes follow one text.

    Raises:
        ConfigError: one problem; ConfigErrors: several, each a line of its text.
    """
    document = _read(source, environ, text)
    try:
        overlay = Overlay(document.tables, environ, NarthexSettings.model_fields)
    except RecursionError:
        raise _too_deep(document.source) from None
    places = Places(document.source, document.lines, MappingProxyType(overlay.variables))
    problems = [*_shape(overlay.tables, places), *overlay.problems]
    settings = _settings(overlay.tables, places, document.given, problems)
    plugins = _plugins(overlay.tables, places, document.given, problems)
    raise_all(sorted(problems, key=_line_of))
    return Config(settings, plugins, document.given.directory, document.source, places, document.given)


def plugin_settings(config: Config, table: PluginTable, kind: type[S]) -> S:
    """Check a plugin's table against the plugin's own settings class.

    Raises:
        PluginError: the class uses a key that core takes for itself.
        ConfigError, ConfigErrors: what is wrong with the table.
    """
    taken = sorted(COMMON_KEYS & set(kind.model_fields))
    if taken:
        raise PluginError(f"{kind.__name__} defines {', '.join(taken)}, which core reads itself", where=table.where)
    at = ("plugins", table.instance)
    try:
        return kind.model_validate(dict(table.raw), context=config.given)
    except ValidationError as error:
        problems = Table(table.raw, at, config.places, kind, tuple(PluginKeys.model_fields), _HOUSE_KEYS).explain(error)
    raise_all(problems)
    raise AssertionError("pydantic found fault and named none")


def _read(source: Source, environ: Mapping[str, str], text: str | None) -> _Document:
    if source is None:
        return _Document({}, Given(Path.cwd(), environ))
    if isinstance(source, Mapping):
        return _Document(source, Given(Path.cwd(), environ))
    path, name = Path(source), str(source)
    text = read_text(path) if text is None else text
    return _Document(_tables(text, name), Given(path.parent, environ, written=True), name, locate(text))


def read_text(path: Path) -> str:
    """The text of a configuration file.

    Raises:
        ConfigError: there is none, it is too long, or it is not text.
    """
    name = str(path)
    try:
        # Asked first: to open a pipe waits for whoever writes to it, and a device may never end.
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise ConfigError("is not a regular file", where=name, hint="it is read again at every reload")
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except FileNotFoundError:
        hint = "--config FILE, or the variable NARTHEX_CONFIG, names another"
        raise ConfigError("there is no such file", where=str(path.absolute()), hint=hint) from None
    except IsADirectoryError:
        raise ConfigError("is a directory, not a file", where=name, hint=f"did you mean {name}/narthex.toml?") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"cannot be read: {reason}", where=name) from None
    if len(data) > _LONGEST:
        raise ConfigError(f"is longer than {_LONGEST >> 20} MiB", where=name, hint="is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8 text", where=f"{name}:{line}", hint="save it as UTF-8") from None


def _tables(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        raise _too_deep(name) from None
    match = _AT_LINE.search(message)
    line, column = match.groups() if match else (None, None)
    where = f"{name}:{line}:{column}" if line else f"{name}:{text.count(chr(10)) + 1}"
    raise ConfigError(f"is not TOML: {_AT_LINE.sub('', message)}", where=where, hint=_toml_hint(message))


def _toml_hint(message: str) -> str:
    if message.startswith(("Cannot overwrite", "Cannot declare")):
        return "a key, or a table, stands here twice"
    return "texts stand in quotes" if message.startswith("Invalid value") else ""


def _shape(tables: Mapping[str, Any], places: Places) -> list[ConfigError]:
    """Refuse what stands at the top of the file and is neither [narthex] nor [plugins], nor a command's own table."""
    problems: list[ConfigError] = []
    for key, value in tables.items():
        if key in {"narthex", "plugins"} or (key in _OF_COMMANDS and isinstance(value, Mapping)):
            continue
        near = did_you_mean(str(key), ("narthex", "plugins"))
        if key in NarthexSettings.model_fields:
            hint = "it belongs under [narthex]"
        elif isinstance(value, Mapping) and not near and INSTANCE.fullmatch(key):
            hint = f"did you mean [plugins.{key}]?"
        else:
            hint = f"{near} allowed: [narthex], [plugins.<name>]".strip()
        problems.append(ConfigError(f"unknown key {key_text((key,))}", where=places.where((key,)), hint=hint))
    return problems


def _settings(tables: Mapping[str, Any], places: Places, given: Given, problems: list[ConfigError]) -> NarthexSettings:
    table = _table(tables, ("narthex",), places, problems)
    try:
        return NarthexSettings.model_validate(table, context=given)
    except ValidationError as error:
        problems.extend(Table(table, ("narthex",), places, NarthexSettings).explain(error))
        return NarthexSettings()


def _plugins(
    tables: Mapping[str, Any], places: Places, given: Given, problems: list[ConfigError]
) -> tuple[PluginTable, ...]:
    found: list[PluginTable] = []
    plugins = _table(tables, ("plugins",), places, problems)
    for instance in plugins:
        at = ("plugins", instance)
        if not INSTANCE.fullmatch(instance):
            problems.append(_bad_instance(instance, places))
        table = _table(plugins, at, places, problems)
        common = {key: value for key, value in table.items() if key in COMMON_KEYS}
        try:
            keys = PluginKeys.model_validate(common, context=given)
        except ValidationError as error:
            problems.extend(Table(common, at, places, PluginKeys).explain(error))
            continue
        if keys.enabled:
            raw = MappingProxyType({key: value for key, value in table.items() if key not in COMMON_KEYS})
            use = keys.use or instance
            lines = places.lines.find(at) if places.lines else None
            found.append(
                PluginTable(instance, use, keys.enabled, keys.mode, keys.timeout, raw, places.where(at), lines)
            )
    return tuple(found)


def _table(parent: Mapping[str, Any], at: KeyPath, places: Places, problems: list[ConfigError]) -> Mapping[str, Any]:
    """The table under the last key of `at`, empty where there is none or something else."""
    value: object = parent.get(cast("str", at[-1]), {})
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    problems.append(
        ConfigError(f"[{key_text(at)}] is no table", where=places.where(at), hint=f"write [{key_text(at)}]")
    )
    return {}


def _too_deep(name: str) -> ConfigError:
    return ConfigError("tables are nested too deeply", where=name)


def _bad_instance(instance: str, places: Places) -> ConfigError:
    better = re.sub(r"[^a-z0-9]+", "-", instance.lower()).strip("-")
    hint = f"did you mean {better}? " if INSTANCE.fullmatch(better) else ""
    return ConfigError(
        f"{quoted(instance)} cannot name a plugin's table",
        where=places.where(("plugins", instance)),
        hint=f"{hint}names are lower-case words joined by single hyphens, such as auth or auth-staff",
    )


def _line_of(problem: ConfigError) -> int:
    """For sorting: what stands nowhere in the file comes first."""
    number = problem.where.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0
