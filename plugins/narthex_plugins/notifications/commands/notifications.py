"""`narthex notifications`: looking into the queue, and helping it along."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.visiting import Instance, visit, who
from narthex.errors import ConfigError
from narthex_plugins.notifications.app import NotifyError
from narthex_plugins.notifications.looking import Found
from narthex_plugins.notifications.operating import Unreadable, Verb
from narthex_plugins.notifications.plugin import Notifications
from narthex_plugins.notifications.tables import tables

notifications = typer.Typer(
    name="notifications",
    help="See who was told of what, try again what did not arrive, and test channels.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Id = Annotated[str, typer.Argument(metavar="ID", help="Of the notification, as `list` prints it.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]


@notifications.callback()
def _group() -> None:
    """See who was told of what, try again what did not arrive, and test channels."""


@notifications.command(name="list")
def list_(
    status: Annotated[str, typer.Option(metavar="STATUS", help="queued, sending, sent, failed, dead, cancelled.")] = "",
    channel: Annotated[str, typer.Option(metavar="NAME", help="Of this channel only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest first.")] = 20,
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on where the page before ended.")] = "",
    as_json: AsJson = False,
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Print notifications: id, when, by which channel, what, how it stands."""

    async def work(plugin: Notifications) -> Found:
        async with plugin.visited() as (office, _):
            return await office.page(status, channel, cursor, limit)

    try:
        found = visit(config, instance, Notifications, tables, work)
    except Unreadable as error:
        raise ConfigError(str(error)) from None
    if as_json:
        typer.echo(json.dumps({"notifications": found.rows, "next": found.following}, indent=1))
        return
    for row in found.rows:
        typer.echo(line(row))
    if found.following is not None:
        typer.echo(f"there are more: --cursor {found.following}", err=True)


@notifications.command()
def show(id_: Id, as_json: AsJson = False, instance: Instance = "", config: ConfigPath = DEFAULT) -> None:
    """Print one with its data and every attempt."""

    async def work(plugin: Notifications) -> Mapping[str, Any] | None:
        async with plugin.visited() as (office, _):
            return await office.one(id_)

    found = visit(config, instance, Notifications, tables, work)
    if found is None:
        raise ConfigError(f"there is no notification {id_!r}")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo(line(found))
    typer.echo(f"data  {json.dumps(found['data'])}")
    for one in found["tries"]:
        took = "" if one["duration_ms"] is None else f"{one['duration_ms']} ms"
        what = " ".join(str(part) for part in (one["code"], one["error"], one["answer"]) if part)
        typer.echo(
            _plain(f"attempt {one['number']}  {one['started']}  {one['outcome'] or 'under way'}  {took}  {what}")
        )


@notifications.command()
def retry(id_: Id, instance: Instance = "", config: ConfigPath = DEFAULT) -> None:
    """Have one tried again that failed, is dead or was cancelled, with as many attempts as a new one."""
    _change("retry", id_, instance, config)


@notifications.command()
def cancel(id_: Id, instance: Instance = "", config: ConfigPath = DEFAULT) -> None:
    """Have one not sent that is not being sent."""
    _change("cancel", id_, instance, config)


@notifications.command(name="test")
def try_(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of the file.")],
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="E-mail: to this one.")] = "",
    instance: Instance = "",
    config: ConfigPath = DEFAULT,
) -> None:
    """Send a test now, from here, and say what came of it; exits with 1 where it did not arrive.

    It goes through the queue as any other, so a server that runs may be quicker, and tries again what failed.
    """

    async def work(plugin: Notifications) -> Mapping[str, Any] | None:
        async with plugin.visited() as (office, courier):
            id_ = await office.test(channel, to or None)
            await courier.deliver_now(id_)
            return await office.one(id_)

    try:
        found = visit(config, instance, Notifications, tables, work)
    except NotifyError as error:
        raise ConfigError(str(error)) from None
    if found is None:
        raise ConfigError("the test is gone")
    typer.echo(line(found))
    if found["status"] not in ("sent", "sending"):
        raise typer.Exit(1)


def line(row: Mapping[str, Any]) -> str:
    """A notification on one line, for people."""
    told = f"{row['id']}  {row['created'][:19]}Z  {row['channel']}  {row['template']}  {row['status']}"
    return _plain(f"{told}  {row['attempts']} of {row['allowed']}  {row['error']}".rstrip())


def _change(verb: Verb, id_: str, instance: str, config: Any) -> None:
    async def work(plugin: Notifications) -> str | None:
        async with plugin.visited() as (office, _):
            return await office.change(verb, id_, who())

    status = visit(config, instance, Notifications, tables, work)
    if status is None:
        raise ConfigError(f"there is no notification {id_!r}")
    if status:
        raise ConfigError(f"notification {id_} is {status}")
    typer.echo("it will be tried again" if verb == "retry" else "it will not be sent")


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)
