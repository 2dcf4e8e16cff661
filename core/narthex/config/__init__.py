"""One TOML file and the environment, read, checked and frozen.

    config = load("narthex.toml")
    config.settings.open, [table.instance for table in config.plugins]

`loading` is the way through; `settings` what may be set; `environment` the variables on top; `toml_lines` and `places`
know the lines, `errors` the words; `schema`, `describe` and `reference` tell editors and people what there is.
"""

from narthex.config.errors import ConfigErrors, problems_of, raise_all
from narthex.config.loading import Config, PluginTable, load, plugin_settings, read_text
from narthex.config.settings import NarthexSettings, PathPattern, Settings
from narthex.config.units import Duration, Size
from narthex.secrets import Secret

__all__ = [
    "Config",
    "ConfigErrors",
    "Duration",
    "NarthexSettings",
    "PathPattern",
    "PluginTable",
    "Secret",
    "Settings",
    "Size",
    "load",
    "plugin_settings",
    "problems_of",
    "raise_all",
    "read_text",
]
