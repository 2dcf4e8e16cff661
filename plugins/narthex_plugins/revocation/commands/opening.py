"""The plugin as a command uses it.

A command is a process of the deployment for a moment: what it revokes is refused by everybody when it returns, as for a
call over the wire. It goes by no list, so nobody waits for it.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from narthex.commands import visiting
from narthex.commands.visiting import Instance, who
from narthex_plugins.revocation.plugin import Revocation
from narthex_plugins.revocation.revoking import Revoker
from narthex_plugins.revocation.tables import tables

__all__ = ["Instance", "visit", "who"]

T = TypeVar("T")


def visit(config: Path, instance: str, work: Callable[[Revoker], Awaitable[T]]) -> T:
    """Do something with the plugin's store open.

    Args:
        config: the file.
        instance: the plugin's table; "" where there is only one.
        work: is given what revokes, with `sessions` set where auth is on.

    Raises:
        ConfigError: the file cannot be followed, the plugin is not in it, or there is no store.
        StartError: the store does not answer.
    """

    async def with_revoker(plugin: Revocation) -> T:
        async with plugin.visited() as revoker:
            return await work(revoker)

    return visiting.visit(config, instance, Revocation, tables, with_revoker)
