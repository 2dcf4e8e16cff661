"""`narthex audit`: looking into the log of who did what."""

import typer

from narthex_plugins.audit.commands.erasing import erase, reseal
from narthex_plugins.audit.commands.looking import export, list_
from narthex_plugins.audit.commands.proving import key, prove, verify

audit = typer.Typer(
    name="audit",
    help="Look into the audit trail, take it elsewhere, and prove that nobody has changed it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@audit.callback()
def _group() -> None:
    """Look into the audit trail, take it elsewhere, and prove that nobody has changed it."""


audit.command(name="list")(list_)
audit.command()(export)
audit.command()(verify)
audit.command()(prove)
audit.command()(key)
audit.command()(erase)
audit.command()(reseal)
