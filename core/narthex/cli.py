"""The command line. What is typed is imported, and nothing else.

Our own commands and those of other packages go through the same door: a name, a line of help, and a place to find
the function. Packages bring commands by an entry point of the group `narthex.commands`; a plain function with
Typer's annotations, or a `typer.Typer` for a command with subcommands.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperCommand, TyperGroup

from narthex.errors import BootError, ConfigError

GROUP: Final = "narthex.commands"

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "run": "Serve an app behind the house.",
        "reload": "Have every `narthex run` that follows the file read it again, without losing a request.",
        "log-level": "Change the level of a logger in every `narthex run` that follows the file.",
        "check": "Check the file, the environment and the plugins; start nothing.",
        "explain": "Print the house, or what one request would meet.",
        "db": "Make, migrate, inspect and back up the store.",
        "plugins": "List the installed plugins.",
        "new-plugin": "Write the package of a new plugin, with tests that pass.",
        "schema": "Print the file's JSON Schema, or an example file.",
        "version": "Print the versions of narthex, Python and the servers.",
    }
)
"""Name and line of help of our own commands; function and module are named the same, with `_` for `-`."""

BROUGHT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access": "Test who may do what, and grant permissions to roles.",
        "alerts": "Write alert rules and dashboards for what is switched on, and test the rules.",
        "audit": "Look into the audit trail, take it elsewhere, and prove that nobody has changed it.",
        "demo": "Serve a small FastAPI shop behind Narthex and say what to try.",
        "scan": "Find secrets in files, staged changes and history before they leave.",
        "keys": "List, rotate and withdraw the signing keys of the plugin auth.",
        "notifications": "See who was told of what, try again what did not arrive, and test channels.",
        "sessions": "List and end the sessions of the plugin auth.",
        "tokens": "Revoke tokens, sessions and subjects, and list what was revoked.",
        "users": "Add, list and change the accounts of the plugin auth.",
    }
)
"""Lines of help of the commands that come in our own package but through an entry point, as guests' do."""


class Commands(TyperGroup):
    """Lists commands without importing them."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002  Typer's signature
        """Our own in a sensible order, then the others by name."""
        return [*BUILT_IN, *sorted(_extensions())]

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:  # noqa: ARG002  the same
        """A stand-in that knows its line of help."""
        if cmd_name in BUILT_IN:
            return TyperCommand(cmd_name, help=BUILT_IN[cmd_name])
        point = _extensions().get(cmd_name)
        return None if point is None else TyperCommand(cmd_name, help=_line_of_help(point))

    # The context and command types belong to a private copy of click inside Typer.
    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the command that was typed; an unknown one is refused with the nearest name."""
        name = args[0]
        if name in BUILT_IN or name in _extensions():
            return name, _load(name), args[1:]
        # Typer suggests from this mapping.
        self.commands = {known: cast("Any", self.get_command(ctx, known)) for known in self.list_commands(ctx)}
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    name="narthex",
    help="The entrance hall of an ASGI application.",
    epilog="Exit codes: 0 fine, 1 finding, 2 error in the file or usage, 3 failed start.",
    invoke_without_command=True,
    # Plain help and tracebacks: the same in a terminal, a log and a test.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        _load("version")([], prog_name="narthex version")


@app.callback()
def narthex(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  its callback does the work
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help=BUILT_IN["version"])
    ] = False,
) -> None:
    """The entrance hall of an ASGI application."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; what the operator can put right is a message, not a traceback."""
    try:
        app(prog_name="narthex")
    except BootError as error:
        # Only where something is wrong: it brings the servers' side of the house with it.
        from narthex.serve.messages import tell_boot_error  # noqa: PLC0415

        sys.exit(tell_boot_error(error))


def _extensions() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module.partition(".")[0]


def _line_of_help(point: EntryPoint) -> str:
    """Without importing it."""
    package = _package(point)
    return BROUGHT.get(point.name, "") if package == "narthex" else f"From the package {package}."


def _load(name: str) -> Any:
    """Import one command. A Typer command, whose own type is private to Typer."""
    if name in BUILT_IN:
        attribute = name.replace("-", "_")
        found = getattr(import_module(f"narthex.commands.{attribute}"), attribute)
    else:
        found = _load_extension(_extensions()[name])
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(name, context_settings={"help_option_names": ["-h", "--help"]})(found)
    return typer.main.get_command(single)


def _load_extension(point: EntryPoint) -> Any:
    """Import somebody else's command.

    Raises:
        ConfigError: something it needs is not installed, or the package does not hold what it promises.
    """
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        extras = f"[{','.join(point.extras)}]" if point.extras else ""
        raise ConfigError(
            f"the command {point.name!r} of {_package(point)} cannot be imported: {error}",
            hint=_how_to_install(_package(point), extras) if extras else "is everything installed that it needs?",
        ) from error


def _how_to_install(package: str, extras: str) -> str:
    clone = f", or '.{extras}' in a clone" if package == "narthex" else ""
    return f"pip install '{package}{extras}'{clone}"
