"""The JSON Schema says the same as the code: what loads is valid, what does not is not."""

import json
import tomllib
from typing import Any, Literal

import pytest
from pydantic import Field

from narthex.config import Duration, NarthexSettings, Secret, Settings, Size, load, plugin_settings
from narthex.config.schema import json_schema
from narthex.errors import ConfigError


class Rule(Settings):
    """A rule."""

    path: str
    inner: "Rule | None" = None


class Auth(Settings):
    """Who asks."""

    issuer: str = Field(description="Who issued it.")
    key: Secret | None = None
    lease: Duration = 1.0
    limit: Size = 1024
    level: Literal["low", "high"] = "low"
    rules: tuple[Rule, ...] = ()


PLUGINS: dict[str, type[Settings]] = {"auth": Auth}
FINE = [
    "",
    "[narthex]",
    '[narthex]\ndrain = "1m"\nstore = { env = "X" }\nopen = ["/"]\nsecret_key = { file = "narthex.toml" }',
    '[plugins.auth]\nissuer = "a"\nmode = "shadow"\ntimeout = 3\nlease = "2s"\nlimit = "1MiB"\nkey = { env = "X" }',
    "[plugins.auth]\nenabled = false",
    '[plugins.staff]\nuse = "auth"\nissuer = "a"',
    '[plugins.mine]\nuse = "my.package:Class"\nanything = 1',
    '[plugins.auth]\nuse = "another"\nanything = 1',
    '[plugins.auth]\nissuer = "a"\n[[plugins.auth.rules]]\npath = "/"\n[plugins.auth.rules.inner]\npath = "/b"',
]
BROKEN = [
    "other = 1",
    "[narthex]\ndrian = 1",
    "[narthex]\ndrain = -1",
    '[narthex]\ndrain = "soon"',
    '[narthex]\nopen = "/"',
    '[narthex]\nopen = ["docs"]',
    '[narthex]\nsecret_key = "hunter2"',
    '[narthex]\nserver = "unicorn"',
    "[plugins.auth]",
    '[plugins.auth]\nissuer = "a"\nmode = "off"',
    '[plugins.auth]\nissuer = "a"\nlevle = "low"',
    '[plugins.auth]\nissuer = "a"\nlimit = true',
    '[plugins.staff]\nuse = "auth"\nissuer = 1',
    '[plugins.auth]\nissuer = "a"\n[[plugins.auth.rules]]\npth = "/"',
    '[plugins.My_Auth]\nuse = "auth"\nissuer = "a"',
]


def validator() -> Any:
    return pytest.importorskip("jsonschema").Draft202012Validator(json_schema(PLUGINS))


def boot(text: str) -> None:
    config = load(tomllib.loads(text), {"X": "secret"})
    for table in config.plugins:
        if table.use in PLUGINS:
            plugin_settings(config, table, PLUGINS[table.use])


def test_the_schema_is_a_valid_schema_and_plain_json() -> None:
    schema = json_schema(PLUGINS)
    assert json.loads(json.dumps(schema)) == schema
    validator().check_schema(schema)


@pytest.mark.parametrize("text", [text for text in FINE if "narthex.toml" not in text])
def test_what_loads_is_valid(text: str) -> None:
    boot(text)
    assert list(validator().iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize("text", BROKEN)
def test_what_does_not_load_is_not_valid(text: str) -> None:
    with pytest.raises(ConfigError):
        boot(text)
    assert list(validator().iter_errors(tomllib.loads(text))) != []


def test_a_table_of_unknown_name_must_say_whose_it_is() -> None:
    assert list(validator().iter_errors({"plugins": {"staff": {}}})) != []


def test_every_reference_has_its_definition_and_no_definition_is_unused() -> None:
    schema = json_schema(PLUGINS)
    text = json.dumps(schema)
    used = {part.split('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert used == set(schema["$defs"])


def test_keys_carry_what_editors_show() -> None:
    house = json_schema({})["properties"]["narthex"]["properties"]
    assert set(house) == set(NarthexSettings.model_fields)
    assert all(key["description"] for key in house.values())
    assert house["store"]["default"] == "sqlite:///narthex.db"
    assert house["server"]["enum"] == ["uvicorn", "hypercorn", "granian"]
