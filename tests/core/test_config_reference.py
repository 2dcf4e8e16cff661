import re
import tomllib
from pathlib import Path

import pytest
from pydantic import Field

import narthex
from narthex import testing
from narthex.config import Config, Duration, NarthexSettings, Secret, Settings, Size, load, plugin_settings
from narthex.config.api import read_doc
from narthex.config.describe import rows
from narthex.config.reference import configuration_md, example_toml, installed, main
from narthex.config.settings import PluginKeys

ROOT = Path(__file__).parents[2]


class Rule(Settings):
    """A rule."""

    path: str = Field(examples=["/admin/**"], description="What it is about.")
    roles: tuple[str, ...] = Field(default=(), description="Who may.")


class Login(Settings):
    """How people log in."""

    tries: int = Field(default=3, ge=1, description="Before a pause.")


class Auth(Settings):
    """Who asks."""

    issuer: str = Field(examples=["https://shop.example"], description="Who issued it.")
    key: Secret = Field(examples=[{"env": "AUTH_KEY"}], description="Signs | checks.")
    lease: Duration = Field(default=90.0, description="For how long.")
    limit: Size = Field(default=2048, description="How much.")
    login: Login = Field(default=Login(), description="The form.")
    rules: tuple[Rule, ...] = Field(default=(), description="One after the other.")


def read(directory: Path, text: str) -> Config:
    file = directory / "narthex.example.toml"
    file.write_text(text)
    return load(file, {"SHOP_SECRET_KEY": "k" * 32, "AUTH_KEY": "k", "OTEL_KEY": "k"})


def test_the_tracked_example_is_what_the_code_says() -> None:
    tracked = (ROOT / "narthex.example.toml").read_text()
    assert tracked == main("example"), "python -m narthex.config.reference example > narthex.example.toml"


def test_the_tracked_reference_is_what_the_code_says() -> None:
    tracked = (ROOT / "docs/reference/configuration.md").read_text()
    assert tracked == main("configuration"), (
        "python -m narthex.config.reference configuration > docs/reference/configuration.md"
    )


@pytest.mark.parametrize("plugins", [installed("narthex"), {"auth": Auth}, {}], ids=["own", "made up", "none"])
def test_the_example_loads_as_it_is_and_with_everything_in_it(
    plugins: dict[str, type[Settings]], tmp_path: Path
) -> None:
    text = example_toml(plugins)
    for version in (text, re.sub(r"(?m)^#(?! )", "", text)):
        config = read(tmp_path, version)
        for table in config.plugins:
            plugin_settings(config, table, plugins[table.use])
    assert len(config.plugins) == (len(plugins) + 1 if plugins else 0)


def test_what_the_example_shows_as_default_is_the_default(tmp_path: Path) -> None:
    config = read(tmp_path, re.sub(r"(?m)^#(?! )", "", example_toml({})))
    shown = {row.key for row in rows(NarthexSettings) if row.default == row.example}
    default = NarthexSettings()
    assert {"store", "drain", "server", "strict_paths"} <= shown
    assert all(getattr(config.settings, key) == getattr(default, key) for key in shown)


def test_the_example_holds_every_setting() -> None:
    text = re.sub(r"(?m)^#(?! )", "", example_toml({"auth": Auth}))
    tables = tomllib.loads(text)
    assert set(tables["narthex"]) == set(NarthexSettings.model_fields)
    assert set(tables["plugins"]["auth"]) == set(Auth.model_fields)
    assert set(tables["plugins"]["auth"]["rules"][0]) == set(Rule.model_fields)
    assert set(tables["plugins"]["second"]) == {*PluginKeys.model_fields, "issuer", "key"}


def test_the_reference_has_a_row_for_every_key() -> None:
    page = configuration_md({"my-auth": Auth})
    for row in (
        "| `issuer` | text | required | Who issued it. | `NARTHEX_PLUGINS__MY_AUTH__ISSUER` |",
        "| `key` | secret | required | Signs \\| checks. | `NARTHEX_PLUGINS__MY_AUTH__KEY` |",
        '| `lease` | duration | `"1m30s"` | For how long. | `NARTHEX_PLUGINS__MY_AUTH__LEASE` |',
        '| `limit` | size | `"2KiB"` | How much. | `NARTHEX_PLUGINS__MY_AUTH__LIMIT` |',
        "| `login.tries` | whole number, ≥ 1 | `3` | Before a pause. | `NARTHEX_PLUGINS__MY_AUTH__LOGIN__TRIES` |",
        "| `rules` | list of tables | `[]` | One after the other. | `NARTHEX_PLUGINS__MY_AUTH__RULES` |",
        "| `rules[].roles` | list of texts | `[]` | Who may. | no |",
    ):
        assert row in page


@pytest.mark.parametrize("kind", [NarthexSettings, PluginKeys, *installed("narthex").values()])
def test_every_setting_says_what_it_means(kind: type[Settings]) -> None:
    assert kind.__doc__
    assert all(row.meaning for row in rows(kind))


def test_the_tracked_page_on_the_api_is_what_the_docstrings_say() -> None:
    assert (ROOT / "docs/reference/api.md").read_text() == main("api")


def test_a_docstring_is_taken_apart() -> None:
    doc = read_doc("""Do it.

Args:
    one: the first,
        on two lines.
    two, three: the others.

Raises:
    ValueError: never.

It goes on.""")
    assert doc.text == "Do it.\n\nIt goes on."
    assert doc.sections == {
        "Args": [("one", "the first, on two lines."), ("two, three", "the others.")],
        "Raises": [("ValueError", "never.")],
    }


def test_every_name_that_narthex_offers_to_authors_of_plugins_is_on_the_page() -> None:
    page = main("api")
    told = (
        "AUTHENTICATED",
        "PUBLIC",
        "hookimpl",
    )  # constants and the decorator, which docs/reference/hooks.md tells of
    errors = ("BootError", "ContractError", "DependencyError", "NarthexError")  # docs/reference/errors.md
    missing = [name for name in narthex.__all__ if f"### `{name}`" not in page]
    assert [name for name in missing if name not in (*told, *errors)] == []
    assert [name for name in testing.__all__ if f"### `{name}`" not in page] == ["ASKING", "HeaderPairs"]
