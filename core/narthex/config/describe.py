"""Settings as rows for people: what the example file and the reference are made of."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final, cast

from narthex.config.schema import Schema, model_schemas, resolved
from narthex.config.settings import Settings
from narthex.config.units import duration_text, size_text

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KINDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "table",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One key of a table.

    Attributes:
        key: as it is written below its table's header.
        kind: "whole number", "duration", "list of path patterns"...
        default: as it would be written in the file, or "" where there is none.
        example: something to write there, as TOML: the default, or an example where the default is nothing.
        meaning: the field's description.
        required: the table does not do without it.
        below: of a table within the table its rows; else none.
        many: that table is one of a list.
    """

    key: str
    kind: str
    default: str
    example: str
    meaning: str
    required: bool
    below: tuple["Row", ...] = ()
    many: bool = False


def rows(settings: type[Settings]) -> tuple[Row, ...]:
    """Describe every key of a table, in the order of its class."""
    own, definitions = model_schemas([settings])
    return tuple(_rows(own[settings], definitions))


def _rows(table: Schema, definitions: Mapping[str, Schema]) -> Iterator[Row]:
    for key, schema in cast("dict[str, Schema]", table.get("properties", {})).items():
        inner = _table_in(schema, definitions)
        default = _written(schema, schema["default"]) if "default" in schema else ""
        nothing = schema.get("default") in (None, "", [], {})
        yield Row(
            key=_toml_key(key),
            kind=_kind(schema, definitions),
            default=default,
            example=_written(schema, schema["examples"][0]) if nothing and "examples" in schema else default,
            meaning=str(schema.get("description", "")),
            required=key in table.get("required", ()),
            below=tuple(_rows(inner, definitions)) if inner else (),
            many=schema.get("type") == "array",
        )


def _table_in(schema: Schema, definitions: Mapping[str, Schema]) -> Schema | None:
    """The table that a key holds, alone or many of it; None where it holds something else."""
    found = resolved(schema.get("items", schema), definitions)
    return found if "properties" in found else None


def _written(schema: Schema, value: object) -> str:
    kind = schema.get("x-narthex-type")
    if kind == "duration" and isinstance(value, int | float):
        return toml(duration_text(value))
    if kind == "size" and isinstance(value, int):
        return toml(size_text(value))
    return toml(value)


def toml(value: Any) -> str:
    """A value as TOML, on one line: whatever `tomllib` gives is read as the same again."""
    match value:
        case dict():
            pairs = (f"{_toml_key(key)} = {toml(item)}" for key, item in cast("dict[str, Any]", value).items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case list() | tuple():
            return f"[{', '.join(toml(item) for item in cast('list[Any]', value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case date() | time():
            return value.isoformat()
        case _:
            return repr(value)


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else toml(key)


def _kind(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    schema = resolved(schema, definitions)
    if "x-narthex-type" in schema:
        return str(schema["x-narthex-type"])
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(f"`{toml(choice)}`" for choice in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(branch, definitions) for branch in schema["anyOf"]))
    if schema.get("type") == "array":
        each = _kind(schema.get("items", {}), definitions)
        return f"list, each {each}" if " " in each.removeprefix("path ") else f"list of {each}s"
    return _KINDS.get(str(schema.get("type")), "any value") + _bounds(schema)


def _bounds(schema: Schema) -> str:
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return "".join(f", {mark} {schema[key]}" for key, mark in marks.items() if key in schema)
