"""What the file says is taken strictly, what the environment says is read by the type of the setting.

TOML has types, so `workers = "4"` and `workers = true` are mistakes where a whole number is wanted. Variables
of the environment are text, whatever they stand for. Both meet in the same pydantic model: `GivenText` marks
text that came from the environment, and `strictly` makes scalars strict but for such text.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from pydantic_core import CoreSchema, core_schema


class GivenText(str):
    """Text of an environment variable. It may be a secret, so `repr` does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<text from the environment>"


@dataclass(frozen=True, slots=True)
class Given:
    """Round what a setting is read: pydantic's validation context.

    Attributes:
        directory: what relative paths of the file are relative to.
        environ: where `{ env = "..." }` is looked up.
        written: the values stand in a file, where a secret must not; else a program made them.
    """

    directory: Path
    environ: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    written: bool = False


def _whole(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        return text


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _truth(text: str) -> object:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower(), text)


def json_value(text: str) -> object:
    """Read a list or table, which stands as one JSON value; the texts in it are marked as the whole was.

    What is no JSON stays text, for pydantic to find fault with.
    """
    try:
        return _marked(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _marked(value: Any) -> object:  # whatever JSON holds
    if isinstance(value, str):
        return GivenText(value)
    if isinstance(value, list):
        return [_marked(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in cast("dict[str, object]", value).items()}
    return value


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "any": str.__str__,
    **dict.fromkeys(("list", "tuple", "set", "frozenset", "dict"), json_value),
}
"""How text becomes what a node of pydantic's schema wants. Other nodes read text as it is."""

_STRICT: Final = frozenset({"int", "float", "bool"})
_ONE_BELOW: Final = ("schema", "keys_schema", "values_schema", "lax_schema", "python_schema")
_MANY_BELOW: Final = ("items_schema", "choices", "steps")


# A core schema is a union of seventy TypedDicts, walked here by key: hence the `Any`.
def strictly(schema: Any) -> Any:
    """Copy pydantic's schema so that numbers and truth values are strict, and environment text is read.

    What is behind a `definition-ref` stays as it is: nested `Settings` have been through here themselves.
    Cost: once per settings class, when it is defined.
    """
    node = dict(schema)
    kind = node["type"]
    if kind in _STRICT:
        node.setdefault("strict", True)
    for key in _ONE_BELOW:
        if isinstance(node.get(key), dict):
            node[key] = strictly(node[key])
    for key in _MANY_BELOW:
        if isinstance(node.get(key), list):
            node[key] = [strictly(below) if isinstance(below, dict) else below for below in node[key]]
    if kind == "model-fields":
        node["fields"] = {name: strictly(below) for name, below in node["fields"].items()}
    reader = _READERS.get(kind)
    return _reading(reader, node) if reader else node


def _reading(reader: Callable[[str], object], schema: Any) -> CoreSchema:
    def read(value: object) -> object:
        return reader(value) if isinstance(value, GivenText) else value

    return core_schema.no_info_before_validator_function(read, schema)
