"""Broken files: for each one clear message, with the right line."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, field_validator, model_validator

from narthex.config import Config, ConfigErrors, Duration, PathPattern, Secret, Settings, Size, load, plugin_settings
from narthex.errors import ConfigError, PluginError


class Rule(Settings):
    path: PathPattern
    roles: tuple[str, ...] = ()


class Curfew(Settings):
    """Settings of a plugin, with one of everything."""

    from_hour: int = Field(default=22, ge=0, le=23)
    share: float = 0.5
    grace: Duration = 60.0
    limit: Size = 1024
    engine: Literal["otel", "lean"] = "lean"
    key: Secret | None = None
    rules: tuple[Rule, ...] = ()
    who: str | Rule = "all"
    named: dict[str, Rule] = Field(default_factory=dict)
    code: str = Field(default="ab", min_length=2, max_length=4, pattern="^[a-z]+$")

    @field_validator("share")
    @classmethod
    def _not_a_third(cls, value: float) -> float:
        if value == 0.3:
            raise ValueError("a third is not allowed")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "Curfew":
        if self.from_hour == 13:
            raise ValueError("13 does not go with anything")
        return self


def write(directory: Path, text: str) -> Path:
    file = directory / "narthex.toml"
    file.write_text(text)
    return file


def boot(file: Path, environ: dict[str, str] | None = None) -> Config:
    config = load(file, environ or {})
    for table in config.plugins:
        plugin_settings(config, table, Curfew)
    return config


BROKEN = {
    "unknown key of narthex": (
        "\n[narthex]\ndrian = 3",
        3,
        "[narthex] drian: unknown key (did you mean drain? allowed: app,",
    ),
    "unknown key of a plugin": (
        "[plugins.curfew]\n\nfrom_huor = 3",
        3,
        "[plugins.curfew] from_huor: unknown key (did you mean from_hour? allowed: from_hour, share, grace, limit, ",
    ),
    "unknown key in a table of a table": (
        '[plugins.curfew]\n[[plugins.curfew.rules]]\npath = "/"\nrole = []',
        4,
        "[plugins.curfew] rules[0].role: unknown key (did you mean roles? allowed: path, roles)",
    ),
    "unknown table at the top": (
        "[narthex]\n[plugin.curfew]",
        2,
        "unknown key plugin (did you mean plugins? allowed: [narthex], [plugins.<name>])",
    ),
    "key at the top": ('app = "a:b"', 1, "unknown key app (it belongs under [narthex])"),
    "wrong type": (
        '[plugins.curfew]\nfrom_hour = "ten"',
        2,
        '[plugins.curfew] from_hour: expected a whole number, got "ten"',
    ),
    "number as text": (
        '[plugins.curfew]\nfrom_hour = "10"',
        2,
        '[plugins.curfew] from_hour: expected a whole number, got "10"',
    ),
    "truth for a number": ("[plugins.curfew]\nshare = true", 2, "[plugins.curfew] share: expected a number, got true"),
    "text for a truth": (
        '[narthex]\nstrict_paths = "no"',
        2,
        '[narthex] strict_paths: expected true or false, got "no"',
    ),
    "text for a list": ('[narthex]\nopen = "/"', 2, '[narthex] open: expected a list, got "/"'),
    "out of bounds": ("[plugins.curfew]\nfrom_hour = 24", 2, "[plugins.curfew] from_hour: must be at most 23, got 24"),
    "too long": (
        '[plugins.curfew]\ncode = "abcde"',
        2,
        '[plugins.curfew] code: must have at most 4 characters, got "abcde"',
    ),
    "bad duration": (
        '[narthex]\n\n# how long\ndrain = "30 sec"',
        4,
        '[narthex] drain: a duration is written as "250ms", "30s", "15m", "1h30m", "2d", or a number of',
    ),
    "negative duration": (
        "[plugins.curfew]\ngrace = -1",
        2,
        "[plugins.curfew] grace: a duration is 0 or more, and at most a ",
    ),
    "bad size": (
        '[plugins.curfew]\nlimit = "1M"',
        2,
        '[plugins.curfew] limit: "M" is no unit of size: KiB, MiB, GiB, TiB (1024)',
    ),
    "missing variable of a secret": (
        '[plugins.curfew]\nkey = { env = "NO_SUCH" }',
        2,
        "[plugins.curfew] key: environment variable NO_SUCH is not set (the secret is read from there)",
    ),
    "missing file of a secret": (
        '[plugins.curfew]\nkey.file = "no/such"',
        2,
        '[plugins.curfew] key: secret file "no/such" does not exist (a relative path starts at the directory of this',
    ),
    "secret written out": (
        '[narthex]\nsecret_key = "hunter2"',
        2,
        '[narthex] secret_key: a secret is not written out here (write { env = "NAME" } or { file = "path" }, and keep',
    ),
    "password in the store": (
        '[narthex]\nstore = "postgresql://me:hunter2@db/shop"',
        2,
        "[narthex] store: a password must not stand in the file (write { env",
    ),
    "bad name of an instance": (
        "[plugins.my_auth]",
        1,
        '"my_auth" cannot name a plugin\'s table (did you mean my-auth? names are lower-case words joined by single',
    ),
    "plugin that is no table": ("[plugins]\ncurfew = true", 2, "[plugins.curfew] is no table (write [plugins.curfew])"),
    "narthex that is no table": ("narthex = 3", 1, "[narthex] is no table (write [narthex])"),
    "bad pattern": (
        '[narthex]\nquiet = [\n  "/a",\n  "b/**",\n]',
        4,
        "[narthex] quiet[1]: the path pattern 'b/**' does not start with",
    ),
    "bad network": ('[narthex]\ntrusted_proxies = ["10.0.0.1/8"]', 2, "[narthex] trusted_proxies[0]: '10.0.0.1/8'"),
    "malformed network": (
        '[narthex]\ntrusted_proxies = ["proxy"]',
        2,
        "[narthex] trusted_proxies[0]: 'proxy' in trusted_proxies is not",
    ),
    "bad mode": (
        '[plugins.curfew]\nmode = "shadwo"',
        2,
        '[plugins.curfew] mode: "shadwo" is not one of "enforce", "shadow" (did you mean shadow?)',
    ),
    "bad choice": (
        '[plugins.curfew]\nengine = "fast"',
        2,
        '[plugins.curfew] engine: "fast" is not one of "otel", "lean"',
    ),
    "bad prefix": (
        '[narthex]\nprefix = "x/"',
        2,
        "[narthex] prefix: the path pattern 'x/' does not start with a slash",
    ),
    "prefix with a slash at its end": (
        '[narthex]\nprefix = "/x/"',
        2,
        '[narthex] prefix: "/x/" does not begin with a slash, or ends',
    ),
    "no app": ('[narthex]\napp = "shop.main"', 2, '[narthex] app: "shop.main" does not name an app (write'),
    "no plugin": ('[plugins.a]\nuse = "a b"', 2, '[plugins.a] use: "a b" names no plugin (write'),
    "no time at all": ("[plugins.a]\ntimeout = 0", 2, "[plugins.a] timeout: must be more than 0"),
    "key missing in a list of tables": (
        "[plugins.curfew]\n[[plugins.curfew.rules]]",
        2,
        "[plugins.curfew] rules[0].path: is required, and missing",
    ),
    "neither branch of a union": (
        "[plugins.curfew]\nwho = 5",
        2,
        "[plugins.curfew] who: expected a text or a table, got 5",
    ),
    "the nearer branch of a union": (
        "[plugins.curfew]\nwho = { path = 5 }",
        2,
        "[plugins.curfew] who.path: expected a text, got 5",
    ),
    "key of a named table": (
        "[plugins.curfew]\nnamed.x.path = '/'\nnamed.x.pth = 5",
        3,
        "[plugins.curfew] named.x.pth: unknown key (did you mean path?",
    ),
    "a plugin's own check": (
        "[plugins.curfew]\nshare = 0.3",
        2,
        "[plugins.curfew] share: a third is not allowed, got 0.3",
    ),
    "a plugin's check of all": (
        "\n[plugins.curfew]\nfrom_hour = 13",
        2,
        "[plugins.curfew]: 13 does not go with anything",
    ),
    "date for a text": ("[plugins.curfew]\ncode = 2026-01-01", 2, "[plugins.curfew] code: expected a text, got a date"),
    "control characters": (
        '[plugins.curfew]\nengine = "a\\u001b[2J"',
        2,
        '[plugins.curfew] engine: "a\\x1b[2J" is not one of',
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_clear_message_with_its_line(name: str, tmp_path: Path) -> None:
    text, line, message = BROKEN[name]
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        boot(file)
    assert not isinstance(caught.value, ConfigErrors)
    assert str(caught.value).startswith(f"{file}:{line}: {message}")
    assert caught.value.where == f"{file}:{line}"
    for jargon in ("pydantic", "Input", "input", "hunter2", "\n", "\x1b"):
        assert jargon not in str(caught.value).replace(str(file), "")


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        (b"[narthex]\napp = \n", ":2:7", "is not TOML: Invalid value"),
        (b"[narthex", ":1", "is not TOML: Expected ']' at the end of a table declaration"),
        (b"a = 1\na = 2\n", ":2:6", "is not TOML: Cannot overwrite a value (a key, or a table, stands here twice)"),
        (b"[plugins.a]\n[plugins.a]\n", ":2:11", "is not TOML: Cannot declare ('plugins', 'a') twice (a key, or"),
        (b"# \xe4\n", ":1", "is not UTF-8 text (save it as UTF-8)"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "", "tables are nested too deeply"),
        (b"[" + b".".join([b"a"] * 5000) + b"]", "", "tables are nested too deeply"),
    ],
)
def test_what_is_no_toml_is_named_with_line_and_column(tmp_path: Path, data: bytes, where: str, message: str) -> None:
    file = tmp_path / "narthex.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value).startswith(f"{file}{where}: {message}")


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such file"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match=r"is a directory, not a file \(did you mean .*/narthex.toml\?\)"):
        load(str(tmp_path), {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load("a\0b", {})


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[plugins.x]\nmode = 1\n[narthex]\nopne = []\ndrain = "x"\n[other]\n')
    with pytest.raises(ConfigErrors) as caught:
        load(file, {"NARTHEX_NO": "1"})
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0].rpartition(":")[2] for line in lines] == ["environment NARTHEX_NO", "2", "4", "5", "6"]
    assert [str(problem) for problem in caught.value.problems] == lines


def test_a_plugin_may_not_define_what_core_reads_itself() -> None:
    class Greedy(Settings):
        timeout: Duration = 1.0

    config = load({"plugins": {"greedy": {}}}, {})
    with pytest.raises(PluginError, match="Greedy defines timeout, which core reads itself"):
        plugin_settings(config, config.plugins[0], Greedy)


def test_a_mapping_has_no_lines_and_its_errors_say_the_key() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"narthex": {"drain": "soon"}}, {})
    assert str(caught.value).startswith("[narthex] drain: a duration is written as")
    assert caught.value.where == ""


def test_a_short_secret_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"narthex": {"secret_key": {"env": "SHOP_KEY"}}}, {"SHOP_KEY": "hunter2"})
    assert "secret_key: must have at least 32 characters" in str(caught.value)
    assert "hunter2" not in str(caught.value)
