"""`narthex alerts`: rules for Prometheus and a dashboard for Grafana, of what is switched on, and the rules' test."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from narthex.alerting import AlertRule, Board
from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.reading import read
from narthex.errors import ConfigError
from narthex.loader import Built, survey
from narthex.serve.exits import Exit
from narthex_plugins.alerts.choice import chosen
from narthex_plugins.alerts.grafana import dashboard
from narthex_plugins.alerts.plugin import Alerts, given
from narthex_plugins.alerts.rulesfile import rules_yaml
from narthex_plugins.alerts.settings import AlertsSettings
from narthex_plugins.alerts.trial import trials

alerts = typer.Typer(
    name="alerts",
    help="Write alert rules and dashboards for what is switched on, and test the rules.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; unless given, standard output.")
]


@alerts.command()
def rules(output: Output = None, config: ConfigPath = DEFAULT) -> None:
    """Write rules for Prometheus' `rule_files`, of the plugins in the file. Nothing is started."""
    found, settings = _rules(survey(read(config)))
    _write(rules_yaml(found, settings.job), output)


@alerts.command()
def dashboards(output: Output = None, config: ConfigPath = DEFAULT) -> None:
    """Write a dashboard for Grafana's import, of the plugins in the file. Nothing is started."""
    hooks = survey(read(config)).tenancy.boot_hooks["dashboards"]
    boards: list[Board] = [board for _, give, _ in hooks for board in give() or ()]
    if not boards:
        raise ConfigError("no plugin in the file has anything to show", hint="switch the plugin metrics on")
    _write(dashboard(boards), output)


@alerts.command("test")
def put_to_the_test(config: ConfigPath = DEFAULT) -> None:
    """Have Prometheus' own promtool say whether each rule fires when it should, and is silent when it should be.

    Exit code 1 where one does not.
    """
    found, settings = _rules(survey(read(config)))
    promtool = shutil.which("promtool")
    if promtool is None:
        raise ConfigError("promtool is not installed", hint="it comes with Prometheus (Debian: prometheus)")
    with TemporaryDirectory(prefix="narthex-alerts-") as name:
        directory = Path(name)
        (directory / "rules.yml").write_text(rules_yaml(found, settings.job), encoding="utf-8")
        (directory / "tests.yml").write_text(trials(found, "rules.yml", settings.job), encoding="utf-8")
        for command in (("check", "rules", "rules.yml"), ("test", "rules", "tests.yml")):
            done = subprocess.run(  # noqa: S603  what it is given was written here
                [promtool, *command], cwd=directory, capture_output=True, text=True, check=False
            )
            if done.returncode:
                typer.echo(f"{done.stdout}{done.stderr}".strip(), err=True)
                raise typer.Exit(Exit.FINDING)
    typer.echo(f"{len(found)} rules: each fires when it should, and is silent when it should be")


def _rules(built: Built) -> tuple[list[AlertRule], AlertsSettings]:
    settings = next((guest.settings for guest in built.guests if isinstance(guest.plugin, Alerts)), None)
    own = settings if isinstance(settings, AlertsSettings) else AlertsSettings.model_validate({})
    found = chosen(given(built.tenancy.boot_hooks["alert_rules"]), own)
    if not found:
        raise ConfigError("no plugin in the file has any rule", hint="switch the plugin metrics on")
    return found, own


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
