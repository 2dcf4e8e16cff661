"""The JSON Schema of the whole file, which editors complete and check by.

It accepts what `narthex.config.load` and the plugins accept, as far as a schema can say it: whether a variable is
set, a pattern is well-formed or two plugins want one path, only `narthex check` knows.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from narthex.config.settings import INSTANCE, NarthexSettings, PluginKeys, Settings
from narthex.secrets import Secret

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = re.compile(r'"\$ref": "#/\$defs/([^"]+)"')
Schema = dict[str, Any]


class _Generate(GenerateJsonSchema):
    """Pydantic's schema without a title per key, and with defaults that are no secrets in clear."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        return False

    def encode_default(self, dft: Any) -> Any:
        return dft.reveal() if isinstance(dft, Secret) else super().encode_default(dft)

    def nullable_schema(self, schema: Any) -> Schema:
        """TOML has no null: a key that may be None is a key that may be left out."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Schema:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found


def model_schemas(models: list[type[Settings]]) -> tuple[dict[type[Settings], Schema], dict[str, Schema]]:
    """The schema of each model, and the definitions they refer to with "#/$defs/..."."""
    references, whole = models_json_schema([(model, "validation") for model in models], schema_generator=_Generate)
    definitions: dict[str, Schema] = whole.get("$defs", {})
    own = {model: resolved(references[model, "validation"], definitions) for model in models}
    return own, definitions


def resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A schema itself, where it only refers to a definition; what stands beside the reference wins."""
    if "$ref" not in schema:
        return schema
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return resolved(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions) | beside


def json_schema(plugins: Mapping[str, type[Settings]]) -> Schema:
    """The schema of a file that may name these plugins.

    Args:
        plugins: entry point name to settings class. A table under another name must say `use`.

    Returns:
        JSON Schema, draft 2020-12, as a plain dict.
    """
    own, definitions = model_schemas([NarthexSettings, PluginKeys, *plugins.values()])
    common = own[PluginKeys]["properties"]
    tables = {f"plugins.{name}": _table(own[kind], common) for name, kind in plugins.items()}
    tables["plugins.other"] = _other(plugins, common)
    return {
        "$schema": DIALECT,
        "title": "narthex.toml",
        "type": "object",
        "properties": {
            "narthex": own[NarthexSettings],
            "plugins": {
                "type": "object",
                "description": "One table per plugin; its presence switches the plugin on, its place is its order.",
                "properties": {name: _named(name) for name in plugins},
                "propertyNames": {"pattern": f"^{INSTANCE.pattern}$"},
                "additionalProperties": {"$ref": "#/$defs/plugins.other"},
            },
            "scan": {"type": "object", "description": "What `narthex scan` looks for; it checks this table itself."},
        },
        "additionalProperties": False,
        "$defs": {**_used(definitions, [own[NarthexSettings], tables]), **tables},
    }


def _used(definitions: Mapping[str, Schema], schema: object) -> dict[str, Schema]:
    """The definitions that a schema refers to, and those they refer to."""
    used: dict[str, Schema] = {}
    waiting = [json.dumps(schema, default=str)]
    while waiting:
        for name in _REFERENCE.findall(waiting.pop()):
            if name in definitions and name not in used:
                used[name] = definitions[name]
                waiting.append(json.dumps(definitions[name], default=str))
    return dict(sorted(used.items()))


def _table(own: Schema, common: Schema) -> Schema:
    """A plugin's table: its own keys, and those that all plugins have."""
    table = {**own, "properties": {**own.get("properties", {}), **common}}
    required = table.pop("required", [])
    if required:  # not of a plugin that is switched off
        off = {"properties": {"enabled": {"const": False}}, "required": ["enabled"]}
        table["anyOf"] = [{"required": required}, off]
    return table


def _named(name: str) -> Schema:
    """A table that has the name of a plugin is that plugin's, unless it says otherwise."""
    elsewhere = {"required": ["use"], "properties": {"use": {"not": {"const": name}}}}
    other = {"allOf": [elsewhere, {"$ref": "#/$defs/plugins.other"}]}
    return {"anyOf": [{"$ref": f"#/$defs/plugins.{name}"}, other]}


def _other(plugins: Mapping[str, type[Settings]], common: Schema) -> Schema:
    """A table under a name of its own says whose it is; of a plugin from elsewhere the common keys are known."""
    known = [
        {"allOf": [{"$ref": f"#/$defs/plugins.{name}"}, {"properties": {"use": {"const": name}}}]} for name in plugins
    ]
    unknown = {"properties": {**common, "use": {**common["use"], "not": {"enum": list(plugins)}}}}
    return {"type": "object", "required": ["use"], "anyOf": [*known, unknown]}
