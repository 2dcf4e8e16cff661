import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from narthex.config import NarthexSettings, Secret, Settings, load, plugin_settings
from narthex.errors import ConfigError

KEY = "hunter2" * 5
FILE = """
[narthex]
app = "shop.main:app"
secret_key = { env = "SHOP_KEY" }
open = ["/", "/docs/**"]
trusted_proxies = ["10.0.0.0/8", "fd00::/8", "unix"]
drain = "1m30s"

[plugins.zeta]
[plugins.alpha]
enabled = false
[plugins.audit-staff]
use = "audit"
mode = "shadow"
timeout = "250ms"
path = "/audit"
[[plugins.audit-staff.sinks]]
name = "a"
"""


def test_a_file_becomes_settings_and_tables_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "narthex.toml").write_text(FILE)
    config = load(tmp_path / "narthex.toml", {"SHOP_KEY": KEY})
    assert (config.settings.app, config.settings.drain) == ("shop.main:app", 90.0)
    assert config.settings.secret_key == Secret(KEY)
    assert config.directory == tmp_path
    zeta, staff = config.plugins
    assert (zeta.instance, zeta.use, zeta.mode, zeta.timeout, zeta.raw) == ("zeta", "zeta", "enforce", 5.0, {})
    assert (staff.instance, staff.use, staff.mode, staff.timeout) == ("audit-staff", "audit", "shadow", 0.25)
    assert staff.raw == {"path": "/audit", "sinks": [{"name": "a"}]}


def test_every_setting_knows_its_line(tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    file.write_text(FILE)
    config = load(file, {"SHOP_KEY": KEY})
    assert config.plugins[1].where == f"{file}:12"
    assert config.where(("plugins", "audit-staff", "sinks", 0, "name")) == f"{file}:18"
    assert config.where(("plugins", "audit-staff", "sinks", 0, "none")) == f"{file}:17"
    assert config.where(("narthex", "quiet")) == f"{file}:2"
    assert config.plugins[1].lines is not None
    assert config.plugins[1].lines.nearest(("path",)) == 16


def test_nothing_given_is_a_house_without_plugins() -> None:
    config = load(None, {})
    assert config.plugins == ()
    assert config.settings == NarthexSettings()
    assert (config.source, config.directory) == ("", Path.cwd())


def test_an_empty_file_and_one_with_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    file.write_bytes(b"")
    assert load(file, {}).plugins == ()
    file.write_bytes(b"\xef\xbb\xbf[plugins.a]\r\n")
    assert load(str(file), {}).plugins[0].where == f"{file}:1"


def test_a_mapping_of_the_same_shape_is_taken_and_not_changed() -> None:
    source = {"narthex": {"open": ("/",)}, "plugins": {"a": {"key": [1]}}}
    config = load(source, {"NARTHEX_PLUGINS__A__KEY": "2", "NARTHEX_QUIET": "[]"})
    assert config.settings.open == ("/",)
    assert source == {"narthex": {"open": ("/",)}, "plugins": {"a": {"key": [1]}}}


def test_settings_are_frozen_and_strict() -> None:
    class Door(Settings):
        width: int = 1

    with pytest.raises(ValidationError):
        Door(width=2).width = 3  # type: ignore[misc]
    for wrong in ("2", True, 2.0):
        with pytest.raises(ValidationError):
            Door.model_validate({"width": wrong})


def test_the_repr_of_a_configuration_holds_no_secret() -> None:
    config = load({"plugins": {"a": {}}}, {"NARTHEX_STORE": "x://a:hunter2@b", "NARTHEX_PLUGINS__A__KEY": "hunter2"})
    assert "hunter2" not in repr(config)
    assert "hunter2" not in repr(config.plugins[0].raw)


def test_plugin_settings_are_of_the_plugins_own_class() -> None:
    class Door(Settings):
        width: float = 1.0

    config = load({"plugins": {"door": {"width": 2, "mode": "shadow"}}}, {})
    assert plugin_settings(config, config.plugins[0], Door) == Door(width=2.0)


@pytest.mark.parametrize("name", ["a", "auth", "auth-staff", "a1-2b"])
def test_names_of_instances(name: str) -> None:
    assert load({"plugins": {name: {}}}, {}).plugins[0].instance == name


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a--b", "1a", "ä", "a b", "a\n"])
def test_what_is_no_name_of_an_instance(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a plugin's table"):
        load({"plugins": {name: {}}}, {})


@pytest.mark.parametrize("app", ["a:b", "a.b:c.d", "a.b:make()", "_a:b1"])
def test_names_of_apps(app: str) -> None:
    assert load({"narthex": {"app": app}}, {}).settings.app == app


def test_the_configuration_brings_neither_web_framework_nor_server() -> None:
    code = "import sys, narthex.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"uvicorn", "typer", "narthex_plugins.health", "sqlalchemy"} & set(loaded)
