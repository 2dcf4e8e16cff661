from collections.abc import Mapping
from typing import Literal

import pytest
from pydantic import Field

from narthex.config import Duration, Secret, Settings, load, plugin_settings
from narthex.errors import ConfigError


class Tier(Settings):
    name: str = ""
    level: int = 0
    key: Secret | None = None


class Door(Settings):
    width: int = 1
    share: float = 0.5
    locked: bool = True
    name: str = ""
    grace: Duration = 1.0
    kind: Literal["wood", "steel"] = "wood"
    steps: tuple[int, ...] = ()
    keys: Mapping[str, str] = Field(default_factory=dict)
    key: Secret | None = None
    tier: Tier = Tier()
    tiers: tuple[Tier, ...] = ()
    maybe: int | None = None
    either: int | bool = 0


def door(environ: dict[str, str], table: dict[str, object] | None = None) -> Door:
    variables = {f"NARTHEX_PLUGINS__FRONT_DOOR__{key}": text for key, text in environ.items()}
    config = load({"plugins": {"front-door": table or {}}}, variables)
    return plugin_settings(config, config.plugins[0], Door)


def refusal(environ: dict[str, str], source: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load({"plugins": {"auth": {"key": 1}}} if source is None else source, environ)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("WIDTH", "7", 7),
        ("SHARE", "0.25", 0.25),
        ("LOCKED", "false", False),
        ("LOCKED", "1", True),
        ("NAME", "7", "7"),
        ("NAME", '{"a"}', '{"a"}'),
        ("GRACE", "15m", 900.0),
        ("GRACE", "3", 3.0),
        ("KIND", "steel", "steel"),
        ("STEPS", "[1, 2]", (1, 2)),
        ("KEYS", '{"a": "b"}', {"a": "b"}),
        ("KEY", "hunter2", Secret("hunter2")),
        ("TIER", '{"name": "a", "level": 2, "key": "k"}', Tier(name="a", level=2, key=Secret("k"))),
        ("TIERS", '[{"level": 1}]', (Tier(level=1),)),
        ("MAYBE", "3", 3),
        ("EITHER", "3", 3),
    ],
)
def test_text_is_read_by_the_type_of_the_setting(key: str, text: str, value: object) -> None:
    read = getattr(door({key: text}), key.lower())
    assert read == value
    assert type(read) is type(value)


def test_the_environment_wins_and_a_list_replaces_the_whole_key() -> None:
    assert door({"STEPS": "[9]", "WIDTH": "2"}, {"steps": [1, 2], "width": 1, "name": "x"}) == Door(
        steps=(9,), width=2, name="x"
    )


def test_further_underscores_go_into_tables() -> None:
    assert door({"TIER__LEVEL": "3"}, {"tier": {"name": "a"}}).tier == Tier(name="a", level=3)
    assert door({"TIER__LEVEL": "3"}).tier == Tier(level=3)
    assert door({"KEYS__B": "2"}, {"keys": {"a": "1"}}).keys == {"a": "1", "b": "2"}


def test_keys_of_narthex_are_set_without_a_table() -> None:
    settings = load(None, {"NARTHEX_STORE": "memory", "NARTHEX_OPEN": '["/"]', "NARTHEX_DRAIN": "1m"}).settings
    assert (settings.store.reveal(), settings.open, settings.drain) == ("memory", ("/",), 60.0)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("WIDTH", "wide", 'width: expected a whole number, got "wide"'),
        ("LOCKED", "yes", 'locked: expected true or false, got "yes"'),
        ("STEPS", "1,2", 'steps: expected a list, got "1,2"'),
        ("STEPS", "[true]", "steps[0]: expected a whole number, got true"),
        ("TIERS", '[{"level": "x"}]', 'tiers[0].level: expected a whole number, got "x"'),
        ("TIERS", "[" * 5000, 'tiers: expected a list, got "[[['),
        ("WIDHT", "1", "widht: unknown key (did you mean width? allowed: "),
        ("GRACE", "soon", "grace: a duration is written as"),
        ("KEY__ENV", "NO_SUCH", "key: environment variable NO_SUCH is not set"),
    ],
)
def test_an_error_names_the_variable(key: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        door({key: text})
    assert str(caught.value).startswith(
        f"environment NARTHEX_PLUGINS__FRONT_DOOR__{key}: [plugins.front-door] {message}"
    )


def test_what_the_file_lacks_is_not_switched_on() -> None:
    message = refusal({"NARTHEX_PLUGINS__AUTHN__KEY": "1"})
    assert message.startswith(
        "environment NARTHEX_PLUGINS__AUTHN__KEY: there is no [plugins.authn] (did you mean auth?"
    )
    assert "there is no" in refusal({"NARTHEX_PLUGINS__AUTH__ENABLED": "true"}, {})
    assert "does not choose plugins" in refusal({"NARTHEX_PLUGINS__AUTH__USE": "other"})


def test_what_the_file_has_is_switched_on_and_off() -> None:
    source = {"plugins": {"a": {"enabled": False}, "b": {}}}
    config = load(source, {"NARTHEX_PLUGINS__A__ENABLED": "true", "NARTHEX_PLUGINS__B__ENABLED": "false"})
    assert [table.instance for table in config.plugins] == ["a"]


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("NARTHEX_STOER", "[narthex] has no key stoer (did you mean store? allowed: app, store"),
        ("NARTHEX_", "[narthex] has no key"),
        ("NARTHEX_PLUGINS", "names no setting (write NARTHEX_PLUGINS__<INSTANCE>__<KEY>)"),
        ("NARTHEX_PLUGINS__AUTH", "names no setting"),
        ("NARTHEX_PLUGINS__AUTH__", "names no setting"),
        ("NARTHEX_PLUGINS__AUTH__KEY__X", "plugins.auth.key is no table (the file says so)"),
        ("NARTHEX_SERVICE_HOST", "is no setting (Kubernetes sets it for a service called narthex: enableServiceLinks"),
        ("NARTHEX_PORT_80_TCP_ADDR", "is no setting (Kubernetes"),
    ],
)
def test_a_variable_that_sets_nothing_is_an_error(variable: str, message: str) -> None:
    assert refusal({variable: "1"}).startswith(f"environment {variable}: {message}")


def test_a_key_and_a_part_of_it_do_not_both_come_from_the_environment() -> None:
    with pytest.raises(ConfigError, match="is no table \\(NARTHEX_PLUGINS__FRONT_DOOR__TIER says so\\)"):
        door({"TIER": "{}", "TIER__LEVEL": "1"})


def test_other_variables_are_none_of_our_business() -> None:
    environ = {
        "NARTHEX_CONFIG": "x.toml",
        "PATH": "/bin",
        "narthex_store": "x",
        "NARTHEXSTORE": "x",
        "NARTHEX_KEY": "k" * 32,
    }
    config = load({"narthex": {"secret_key": {"env": "NARTHEX_KEY"}}}, environ)
    assert config.settings.secret_key == Secret("k" * 32)
