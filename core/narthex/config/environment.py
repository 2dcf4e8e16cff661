"""Laying the environment over the file.

`NARTHEX_STORE` sets `store` of `[narthex]`; `NARTHEX_PLUGINS__<INSTANCE>__<KEY>` a key of a plugin's table, with
`-` in the instance written `_`; further `__` go into tables within the table. The text is read by the type of
the setting (`narthex.given`); a list or table is one JSON value, which replaces the key. The environment changes
what the file switches on, and never switches on what the file lacks: a name that nothing answers to is an error,
since it is most likely a misspelt one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from narthex.config.errors import did_you_mean, what_is_known
from narthex.config.places import KeyPath, key_text
from narthex.errors import ConfigError
from narthex.given import GivenText

PREFIX: Final = "NARTHEX_"
NOT_SETTINGS: Final = frozenset({"NARTHEX_CONFIG"})
"""Variables that say something else: which file is read."""

_KUBERNETES: Final = re.compile(r"NARTHEX_(.*_)?(SERVICE_(HOST|PORT)|PORT)(_.*)?")


class Overlay:
    """The file's tables with the environment laid over them.

    Attributes:
        tables: a copy of the document with the environment's texts in place, marked as `GivenText`.
        variables: of each key so set, by which variable.
        problems: one for each variable that cannot be followed.
    """

    def __init__(self, document: Mapping[str, Any], environ: Mapping[str, str], known: Iterable[str]) -> None:
        self.tables: dict[str, Any] = _copy(document)
        self.variables: dict[KeyPath, str] = {}
        self.problems: list[ConfigError] = []
        self._known = tuple(known)
        named = frozenset(_secrets_of(document))
        for name in sorted(environ):  # a table's variable comes before those of the keys in it
            if name.startswith(PREFIX) and name not in NOT_SETTINGS | named:
                try:
                    self._lay(name, environ[name])
                except ConfigError as problem:
                    self.problems.append(problem)

    def _lay(self, name: str, text: str) -> None:
        path = self._path(name)
        table = self._table(name, path)
        table[path[-1]] = GivenText(text)
        self.variables[path] = name

    def _path(self, name: str) -> tuple[str, ...]:
        steps = name.removeprefix(PREFIX).lower().split("__")
        if steps[0] != "plugins":
            if steps[0] not in self._known:
                raise _unknown(name, steps[0], self._known)
            return ("narthex", *steps)
        if len(steps) < 3 or not all(steps):
            raise _error(name, "names no setting", f"write {PREFIX}PLUGINS__<INSTANCE>__<KEY>")
        instance, *keys = steps[1:]
        if keys == ["use"]:
            raise _error(name, "the environment does not choose plugins", "set `use` in the file")
        return ("plugins", self._instance(name, instance), *keys)

    def _instance(self, name: str, instance: str) -> str:
        plugins: Any = self.tables.get("plugins")
        instances: dict[str, str] = {}
        if isinstance(plugins, dict):
            instances = {found.replace("-", "_"): found for found in cast("dict[str, Any]", plugins)}
        if instance not in instances:
            near = did_you_mean(instance, instances)
            hint = "the environment switches on nothing that the file lacks"
            raise _error(name, f"there is no [plugins.{instance.replace('_', '-')}]", f"{near} {hint}".strip())
        return instances[instance]

    def _table(self, name: str, path: tuple[str, ...]) -> dict[str, Any]:
        """The table that holds the last key of the path; tables on the way are made where there are none."""
        table = self.tables
        for depth, step in enumerate(path[:-1], start=1):
            below = table.setdefault(step, {})
            if not isinstance(below, dict):
                what = self.variables.get(path[:depth], "the file")
                raise _error(name, f"{key_text(path[:depth])} is no table ({what} says so)", "")
            table = cast("dict[str, Any]", below)
        return table


def _copy(value: Any) -> Any:  # whatever TOML holds
    if isinstance(value, Mapping):
        return {str(key): _copy(below) for key, below in cast("Mapping[object, Any]", value).items()}
    return value


def _secrets_of(value: Any) -> Iterator[str]:
    """Names of the variables that the file reads secrets from; they may begin with our prefix too."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        if len(table) == 1 and isinstance(table.get("env"), str):
            yield table["env"]
        for below in table.values():
            yield from _secrets_of(below)
    elif isinstance(value, list | tuple):
        for below in cast("list[Any]", value):
            yield from _secrets_of(below)


def _unknown(name: str, key: str, known: tuple[str, ...]) -> ConfigError:
    if _KUBERNETES.fullmatch(name):
        return _error(
            name,
            "is no setting",
            "Kubernetes sets it for a service called narthex: enableServiceLinks: false",
        )
    return _error(name, f"[narthex] has no key {key}", what_is_known(key, known))


def _error(name: str, message: str, hint: str) -> ConfigError:
    return ConfigError(message, where=f"environment {name}", hint=hint)
