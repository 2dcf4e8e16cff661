import json
from importlib.metadata import EntryPoint
from typing import Annotated

import typer

from narthex.config import Settings
from narthex.config.reference import example_toml
from narthex.config.schema import json_schema
from narthex.entrypoints import installed
from narthex.errors import PluginError


def schema(
    example: Annotated[bool, typer.Option("--example", help="Print an example file with every setting.")] = False,
) -> None:
    """Print the file's JSON Schema, or an example file.

    Both know every plugin that is installed. Editors complete and check narthex.toml by the schema.
    """
    plugins = {name: _settings(point) for name, point in sorted(installed().items())}
    if example:
        typer.echo(example_toml(plugins), nl=False)
    else:
        typer.echo(json.dumps(json_schema(plugins), indent=2, ensure_ascii=False))


def _settings(point: EntryPoint) -> type[Settings]:
    try:
        settings: type[Settings] = point.load().Settings
    except (ImportError, AttributeError) as error:
        message = f"plugin {point.name!r} cannot be imported: {error}"
        raise PluginError(message, hint="is its extra installed?") from error
    return settings
