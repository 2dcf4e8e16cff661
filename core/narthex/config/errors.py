"""Pydantic's findings in words for the person who wrote the file.

Each becomes one ConfigError: place, table and key, what is wrong, what is allowed, the nearest known name. A
value is shown only where nothing about its setting smells of a secret.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import Any, Final, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from narthex.config.places import KeyPath, Places, printable, quoted, setting_text
from narthex.errors import ConfigError
from narthex.given import GivenText
from narthex.secrets import Secret


class ConfigErrors(ConfigError):
    """Everything that is wrong with a file, each on its own line.

    Attributes:
        problems: at least two, in the order of the file.
    """

    def __init__(self, problems: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def problems_of(error: ConfigError) -> tuple[ConfigError, ...]:
    """The single errors that an error stands for."""
    return error.problems if isinstance(error, ConfigErrors) else (error,)


def raise_all(errors: Iterable[ConfigError]) -> None:
    """Raise what was found: nothing, the one error, or all of them as one."""
    problems = [problem for error in errors for problem in problems_of(error)]
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ConfigErrors(problems)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest of the known names, as a question, or "" where none is near."""
    near = get_close_matches(word.lower(), list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def what_is_known(word: str, known: Iterable[str]) -> str:
    """The nearest of the known names, and all of them."""
    names = list(known)
    allowed = f"allowed: {', '.join(names)}" if names else "no key is allowed here"
    return f"{did_you_mean(word, names)} {allowed}".strip()


_EXPECTED: Final = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "path_type": "a path",
    "date_type": "a date",
    "date_from_datetime_parsing": "a date",
    "time_type": "a time of day",
    "time_parsing": "a time of day",
    "datetime_type": "a date with time",
    "datetime_from_date_parsing": "a date with time",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "none_required": "nothing",
}
_RULES: Final = {
    "missing": "is required, and missing",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "does not look as it must: {pattern}",
    "too_short": "must have at least {min_length} entries, has {actual_length}",
    "too_long": "must have at most {max_length} entries, has {actual_length}",
}
_SECRETIVE: Final = re.compile(r"secret|passw|token|key|credential|dsn|url|store|link|auth", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """One table that pydantic has found fault with.

    Attributes:
        values: what it holds.
        at: where it stands in the file.
        settings: the model it was held against.
        also: keys that it may hold beside those of the model.
        of_house: keys that stand in [narthex], for whoever has put one here.
    """

    values: Mapping[str, object] = field(repr=False)
    at: KeyPath
    places: Places
    settings: type[BaseModel]
    also: tuple[str, ...] = ()
    of_house: frozenset[str] = frozenset()

    def explain(self, error: ValidationError) -> list[ConfigError]:
        """Give one ConfigError for each setting at fault, in the order of the file."""
        found: dict[KeyPath, list[ErrorDetails]] = {}
        for details in error.errors(include_url=False):
            found.setdefault(self._path(details), []).append(details)
        # Of a union, the branch that got further into the table has more to say than "expected a text".
        told = [path for path, group in found.items() if not (_is_above(path, found) and _only_types(group))]
        told.sort(key=lambda path: self.places.line((*self.at, *path)))
        return [self._problem(path, found[path]) for path in told]

    def _path(self, details: ErrorDetails) -> KeyPath:
        """Pydantic's location, less the names it gives to branches of a union."""
        here: Any = self.values
        path: list[str | int] = []
        for step in details["loc"]:
            if isinstance(here, GivenText):
                path.append(step)
            elif _holds(here, step):
                path.append(step)
                here = here[step]
        if details["type"] == "missing":
            path.append(details["loc"][-1])
        return tuple(path)

    def _problem(self, path: KeyPath, group: list[ErrorDetails]) -> ConfigError:
        message, hint = self._words(path, group)
        whole = (*self.at, *path)
        return ConfigError(f"{setting_text(whole)}: {printable(message)}", where=self.places.where(whole), hint=hint)

    def _words(self, path: KeyPath, group: list[ErrorDetails]) -> tuple[str, str]:
        """What is wrong, and a hint."""
        others = [details for details in group if details["type"] not in _EXPECTED]
        if not others:
            expected = dict.fromkeys(_EXPECTED[details["type"]] for details in group)
            return f"expected {' or '.join(expected)}, got {self._shown(path, group[0]['input'])}", self._as_list(
                path, group
            )
        details = others[0]
        kind, context = details["type"], details.get("ctx", {})
        if kind == "extra_forbidden":
            in_house = len(path) == 1 and path[0] in self.of_house
            known = what_is_known(str(path[-1]), self._keys(path[:-1]))
            return "unknown key", "it belongs to [narthex]" if in_house else known
        if kind in {"literal_error", "enum"}:
            return self._choice(path, str(context["expected"]), details["input"])
        if kind in _RULES:
            return _RULES[kind].format_map(context) + self._got(path, details["input"]), ""
        if "message" in context:  # raised by core's own checks
            return str(context["message"]), str(context["hint"])
        return f"{context.get('error', details['msg'])}{self._got(path, details['input'])}", ""

    def _as_list(self, path: KeyPath, group: Sequence[ErrorDetails]) -> str:
        """How one text is written where a list of them is wanted."""
        value = group[0]["input"]
        a_list = all(_EXPECTED[details["type"]] == "a list" for details in group)
        shown = self._value(path, value) if a_list and isinstance(value, str) else ""
        return f"write [{shown}]" if shown else ""

    def _choice(self, path: KeyPath, expected: str, value: object) -> tuple[str, str]:
        choices = re.findall(r"'([^']*)'", expected)
        allowed = ", ".join(map(quoted, choices)) or expected
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        return f"{self._shown(path, value)} is not one of {allowed}", hint

    def _got(self, path: KeyPath, value: object) -> str:
        """The value behind a message that can do without it."""
        shown = self._value(path, value)
        return f", got {shown}" if shown else ""

    def _shown(self, path: KeyPath, value: object) -> str:
        return self._value(path, value) or _kind(value)

    def _value(self, path: KeyPath, value: object) -> str:
        """A value that is short and no secret, else ""."""
        secretive = _holds_secret(self.settings, path) or any(
            isinstance(step, str) and _SECRETIVE.search(step) for step in path
        )
        match value:
            case bool():
                return str(value).lower()
            case str() if not secretive:
                return quoted(str.__str__(value))
            case int() | float() if not secretive:
                return str(value)[:60]
            case _:
                return ""

    def _keys(self, path: KeyPath) -> list[str]:
        """The keys that the table at `path` may hold."""
        names = [name for model in _models_at(self.settings, path) for name in model.model_fields]
        return [*dict.fromkeys(names), *(self.also if not path else ())]


def _is_above(path: KeyPath, others: Iterable[KeyPath]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in others)


def _only_types(group: Iterable[ErrorDetails]) -> bool:
    return all(details["type"] in _EXPECTED for details in group)


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(cast("list[object]", value))


def _kind(value: object) -> str:
    kinds: tuple[tuple[Any, str], ...] = (
        (str, "a text"),
        (int | float, "a number"),
        (Mapping, "a table"),
        (list, "a list"),
        (tuple, "a list"),
        (datetime, "a date with time"),
        (date, "a date"),
        (time, "a time of day"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def _types_in(annotation: object) -> list[object]:
    """An annotation and all that it is made of."""
    return [annotation, *(found for part in get_args(annotation) for found in _types_in(part))]


def _models_at(settings: type[BaseModel], path: KeyPath) -> list[type[BaseModel]]:
    """The models that a table at `path` is held against; several where it is a union."""
    models = [settings]
    for step in path:
        fields = [model.model_fields[step] for model in models if isinstance(step, str) and step in model.model_fields]
        if fields:  # else an index, or a key of a dict: the models are those of its values already
            parts = [part for found in fields for part in _types_in(found.annotation)]
            models = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    return models


def _holds_secret(settings: type[BaseModel], path: KeyPath) -> bool:
    fields = [
        model.model_fields.get(step)
        for depth, step in enumerate(path)
        if isinstance(step, str)
        for model in _models_at(settings, path[:depth])
    ]
    return any(found is not None and Secret in _types_in(found.annotation) for found in fields)
