"""What to try in the demo: one group of commands per feature, as they are typed."""

import shlex
from collections.abc import Iterator
from pathlib import Path

Group = tuple[str, tuple[str, ...]]
"""What one sees, and the commands that show it."""


def groups(address: str, programs: Path, config: Path) -> tuple[Group, ...]:
    """Give the tour.

    Args:
        address: of the server, like "http://127.0.0.1:8000".
        programs: the directory of this environment's `python` and `narthex`.
        config: the configuration file.
    """
    python, narthex, file = typed(programs / "python"), typed(programs / "narthex"), typed(config)
    order = '{"customer": "Grace", "item": "rope", "quantity": 3}'
    return (
        ("the page, in a browser", (f"{address}/",)),
        (
            "orders; the confirmation follows the answer by half a second",
            (
                f"curl {address}/api/orders",
                f"curl {address}/api/orders -H 'content-type: application/json' -d '{order}'",
                f"curl {address}/api/orders/1",
            ),
        ),
        (
            "a file, hashed as it arrives",
            (f"echo hello | curl {address}/upload -F 'file=@-;filename=hello.txt'",),
        ),
        ("a download, written while it is sent", (f"curl '{address}/download?rows=2000000' -o ledger.csv",)),
        ("server-sent events, one a second", (f"curl -N {address}/stream",)),
        ("a chat over a websocket", (f"{python} -m websockets '{websocket(address)}/ws?name=ada'",)),
        ("an endpoint that fails; its traceback is in the log", (f"curl {address}/fail",)),
        (
            "what Narthex adds: an id on every answer and every line, health",
            (f"curl -i {address}/api/orders/1 -H 'x-request-id: my-own-id'", f"curl {address}/readyz"),
        ),
        (
            "what the embedded store keeps: the latest visits, whatever ends the process",
            (f"curl {address}/_narthex/guestbook",),
        ),
        (
            "how it is put together, and how to change it",
            (
                f"{narthex} explain --config {file}",
                f"cp {file} . && {narthex} demo --config narthex.toml",
            ),
        ),
    )


def typed(path: Path) -> str:
    """A path as one types it here: relative where that is shorter, quoted where it must be."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def websocket(address: str) -> str:
    """The address as websocket clients want it."""
    return address.replace("http", "ws", 1)


def lines(tour: tuple[Group, ...], *, colour: bool) -> Iterator[str]:
    """Give the tour as lines for a terminal; without colour there is not one escape sequence in them."""
    for title, commands in tour:
        yield f"  \x1b[1m{title}\x1b[0m" if colour else f"  {title}"
        for command in commands:
            yield f"    \x1b[36m{command}\x1b[0m" if colour else f"    {command}"
