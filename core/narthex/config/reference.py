"""`narthex.example.toml` and docs/reference/configuration.md, written from the settings classes themselves.

Print one of them with `python -m narthex.config.reference example` or `... configuration`; `... api` prints
docs/reference/api.md (`narthex.config.api`).
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from textwrap import wrap
from typing import Any, Final

from narthex.config.api import api_md
from narthex.config.describe import Row, rows
from narthex.config.settings import NarthexSettings, PluginKeys, Settings

_WIDTH: Final = 110
_HEAD: Final = """\
# Every setting of Narthex and of the plugins that come with it. What is commented out shows the default, or
# an example where the default is nothing. Take what you need: `[narthex]` may be left out, and a plugin
# without a table is off. `narthex check` tells whether a file is fine.
"""


def installed(distribution: str = "") -> dict[str, type[Settings]]:
    """Settings classes of the plugins that are installed, by entry point name. Imports all of them.

    Args:
        distribution: only those that this package brought, such as "narthex"; "" for all.
    """
    found: dict[str, type[Settings]] = {}
    for point in sorted(entry_points(group="narthex")):
        if not distribution or (point.dist and point.dist.name == distribution):
            plugin: Any = point.load()  # a plugin class; `narthex check` is who checks that it is one
            found[point.name] = plugin.Settings
    return found


def example_toml(plugins: Mapping[str, type[Settings]]) -> str:
    """A file with every setting, which can be loaded as it is.

    Args:
        plugins: entry point name to settings class; each gets its table.
    """
    lines = [_HEAD, *_table(("narthex",), rows(NarthexSettings), _text_of(NarthexSettings))]
    for name, kind in plugins.items():
        lines += _table(("plugins", name), rows(kind), _text_of(kind))
    if plugins:
        lines += _second(*next(iter(plugins.items())))
    return "\n".join(lines).rstrip() + "\n"


def _second(name: str, kind: type[Settings]) -> Iterator[str]:
    """The keys that all plugins have, on a second table of one plugin."""
    yield from _comment(f"One plugin may stand twice, under names of your own. {_text_of(PluginKeys)}")
    yield "#[plugins.second]"
    yield from (f"#{row.key} = {row.example}" for row in rows(kind) if row.required)
    for row in rows(PluginKeys):
        yield from _comment(row.meaning)
        yield f"#{row.key} = " + (f'"{name}"' if row.key == "use" else row.example)
        yield ""


def _table(path: Sequence[str], keys: Sequence[Row], meaning: str, off: str = "", many: bool = False) -> Iterator[str]:
    """A table with its header, its keys and, after them, the tables in it; `off` is "#" where it is optional."""
    yield from _comment(meaning)
    header = ".".join(path)
    yield f"{off}[[{header}]]" if many else f"{off}[{header}]"
    for row in keys:
        if not row.below:
            yield from _comment(row.meaning)
            yield f"{off if row.required else '#'}{row.key} = {row.example}"
            yield ""
    for row in keys:
        if row.below:
            yield from _table((*path, row.key), row.below, row.meaning, off if row.required else "#", row.many)


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}" for line in wrap(text, _WIDTH - 2))


def _text_of(kind: type[Settings]) -> str:
    return " ".join((kind.__doc__ or "").split())


_PREAMBLE: Final = """\
# Configuration

<!-- Written by `python -m narthex.config.reference configuration` from the settings classes. Do not edit. -->

One TOML file, `narthex.toml` unless `--config` says otherwise, with two kinds of tables: `[narthex]` for the house,
and `[plugins.<name>]` for each plugin. A plugin's table switches it on; the order of the tables is the order of the
plugins within a stage. Unknown keys are errors, and `narthex check` names every one with its line.

For an editor that completes and checks: `narthex schema > narthex.schema.json`, and `#:schema narthex.schema.json`
as the first line of the file (Even Better TOML, taplo, IntelliJ). [narthex.example.toml](../../narthex.example.toml)
holds every setting.

- **Durations** are written `"250ms"`, `"30s"`, `"15m"`, `"1h30m"`, `"2d"`, or as a number of seconds.
- **Sizes** are written `"512KiB"`, `"1MiB"` (powers of 1024), `"10MB"` (powers of 1000), or as a number of bytes.
- **Secrets** never stand in the file: `{ env = "NAME" }` reads a variable of the environment, `{ file = "path" }` a
  file, relative to this one, whose last newline does not count. A variable or file that is missing or empty is an
  error at boot.
- **Path patterns** are relative to the app, anchored, and literal but for `*` (one segment) and `**` (any number of
  segments); `/admin/**` includes `/admin`, and a trailing slash does not count.
- **The environment** is laid over the file: `NARTHEX_<KEY>` sets a key of `[narthex]`,
  `NARTHEX_PLUGINS__<NAME>__<KEY>` one of a plugin, with `-` in its name written `_`. A list or table is one JSON
  value, which replaces the key; `__` goes into a table within the table. A variable never switches on a plugin that
  the file lacks: a name that nothing answers to is an error. `NARTHEX_CONFIG` names the file itself, and a variable
  that the file reads a secret from may have any name.
"""
_HEADINGS: Final = "| key | type | default | meaning | environment |\n|---|---|---|---|---|"


def configuration_md(plugins: Mapping[str, type[Settings]]) -> str:
    """The reference page of all settings: key, type, default, meaning, environment variable."""
    parts = [
        _PREAMBLE,
        _section("`[narthex]`", NarthexSettings, "NARTHEX_"),
        _section("Every plugin's table", PluginKeys, "NARTHEX_PLUGINS__<NAME>__"),
    ]
    for name, kind in plugins.items():
        prefix = f"NARTHEX_PLUGINS__{name.upper().replace('-', '_')}__"
        parts.append(_section(f"`[plugins.{name}]`", kind, prefix))
    return "\n".join(parts)


def _section(title: str, kind: type[Settings], prefix: str) -> str:
    lines = "\n".join(_md_rows(rows(kind), prefix))
    return f"## {title}\n\n{_text_of(kind)}\n\n{_HEADINGS}\n{lines}\n"


def _md_rows(keys: Sequence[Row], prefix: str, above: str = "") -> Iterator[str]:
    for row in keys:
        default = f"`{row.default}`" if row.default else "required" if row.required else "none"
        # In a list of tables no single key can be set from outside, and plugins are not chosen there.
        variable = f"`{prefix}{row.key.upper()}`" if prefix and row.key != "use" else "no"
        cells = (f"`{above}{row.key}`", row.kind, default, row.meaning, variable)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        if row.below:
            inner = f"{prefix}{row.key.upper()}__" if prefix and not row.many else ""
            yield from _md_rows(row.below, inner, f"{above}{row.key}{'[]' if row.many else ''}.")


def main(what: str) -> str:
    """What `python -m narthex.config.reference` prints, of the plugins that come with Narthex."""
    if what == "api":
        return api_md()
    own = installed("narthex")
    return {"example": example_toml, "configuration": configuration_md}[what](own)


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1]))
