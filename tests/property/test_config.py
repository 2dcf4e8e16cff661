"""Whatever stands in a file or in the environment, the answer is a configuration or a ConfigError."""

import tempfile
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from narthex.config import Duration, NarthexSettings, PathPattern, Secret, Settings, Size, load, plugin_settings
from narthex.config.describe import toml
from narthex.config.places import key_text
from narthex.errors import ConfigError

JARGON = ("pydantic", "Input should", "unable to parse", "function-", "errors.", "lax", "Traceback")


class Inner(Settings):
    name: str = ""
    key: Secret | None = None


class Everything(Settings):
    number: int = Field(default=1, ge=0)
    share: float | None = None
    on: bool = False
    wait: Duration = 1.0
    limit: Size = 1
    word: Literal["a", "b"] = "a"
    when: datetime | date | None = None
    path: PathPattern = "/"
    key: Secret | None = None
    file: Path = Path()
    inner: Inner = Inner()
    many: tuple[Inner | str, ...] = ()
    named: Mapping[str, Inner] = Field(default_factory=dict)
    words: frozenset[str] = frozenset()


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
names = st.one_of(st.sampled_from(["env", "file", "name", "key", *Everything.model_fields]), text)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(),
    text,
    st.sampled_from(["1m", "/a", "memory", "a", "uvicorn", "a:b", "10.0.0.0/8", "postgresql://u:p@h/d"]),
    st.sampled_from([date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), time(1)]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
houses = st.dictionaries(st.sampled_from([*NarthexSettings.model_fields, "other"]), values, max_size=4)
tables = st.dictionaries(st.sampled_from([*Everything.model_fields, "other", "mode", "timeout"]), values, max_size=4)
documents = st.fixed_dictionaries(
    {"plugins": st.dictionaries(st.sampled_from(["a", "b-c", "D"]), tables, max_size=2)}
).flatmap(lambda document: houses.map(lambda house: {"narthex": house, **document}))
variables = st.dictionaries(
    st.sampled_from([f"NARTHEX_{key.upper()}" for key in NarthexSettings.model_fields])
    | st.sampled_from([f"NARTHEX_PLUGINS__A__{key.upper()}" for key in Everything.model_fields])
    | st.sampled_from(
        ["NARTHEX_PLUGINS__A__INNER__NAME", "NARTHEX_PLUGINS__B_C__NUMBER", "NARTHEX_X", "NARTHEX_PLUGINS"]
    ),
    st.one_of(st.text(max_size=8), st.sampled_from(["1", "true", "[]", "{}", '["/"]', '{"name": "x"}', "[[1]]"])),
    max_size=3,
)


def written(document: Mapping[str, Any]) -> str:
    """The document as a file, one key per line."""
    tables = {"narthex": document["narthex"]} | {f"plugins.{name}": at for name, at in document["plugins"].items()}
    lines: list[str] = []
    for header, table in tables.items():
        lines += [f"[{header}]", *(f"{key} = {toml(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)


def boot(source: Any, environ: Mapping[str, str]) -> str:
    """What goes wrong, or ""."""
    try:
        config = load(source, environ)
        for table in config.plugins:
            plugin_settings(config, table, Everything)
    except ConfigError as error:
        return str(error)
    return ""


@settings(deadline=None)
@given(documents, variables)
@example({"plugins": {}}, {"NARTHEX_APP": "\x1b[2J"})
def test_a_mapping_is_a_configuration_or_a_config_error(document: dict[str, Any], environ: dict[str, str]) -> None:
    message = boot(document, environ)
    assert not any(word in message for word in JARGON)
    assert not any(ord(character) < 32 and character != "\n" for character in message)


@settings(deadline=None)
@given(documents)
def test_every_error_of_a_file_has_its_line(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "narthex.toml")
        file.write_text(written(document), encoding="utf-8")
        message = boot(file, {})
        assert boot(document, {}).count("\n") == message.count("\n") or "password" in message or "secret" in message
    assert all(line.startswith(f"{file}:") and line[len(str(file)) + 1].isdigit() for line in message.splitlines())


@settings(deadline=None)
@given(values)
def test_a_value_survives_being_written_and_read(value: object) -> None:
    read = tomllib.loads(f"value = {toml(value)}")["value"]
    assert repr(read) == repr(value)


@settings(deadline=None)
@given(st.text(min_size=1))
def test_a_key_is_shown_on_one_line(key: str) -> None:
    assert all(character.isprintable() for character in key_text((key,)))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_file_or_a_config_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "narthex.toml")
        file.write_bytes(data)
        message = boot(file, {})
    assert not message or message.startswith(str(file))
    assert not any(word in message for word in JARGON)
