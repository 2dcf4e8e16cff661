"""docs/reference/compatibility.md, made of what the cells have found."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.wire.differential.cases import CASES
from tests.wire.differential.cell import END, LOG, SERVERS, SITES, Cell
from tests.wire.differential.known import KNOWN, known
from tests.wire.differential.observers import OBSERVERS
from tests.wire.differential.starts import STARTS

PAGE: Final = Path(__file__).parents[3] / "docs/reference/compatibility.md"
_SITES: Final[Mapping[str, str]] = {
    "raw": "raw ASGI",
    "starlette": "Starlette",
    "fastapi": "FastAPI",
    "litestar": "Litestar",
    "quart": "Quart",
    "django": "Django (ASGI)",
    "wsgi": "WSGI, through a2wsgi",
}
_SERVERS: Final[Mapping[str, str]] = {
    "uvicorn-h11": "uvicorn (h11, wsproto)",
    "uvicorn-httptools": "uvicorn (httptools, websockets)",
    "hypercorn": "hypercorn",
    "granian": "granian",
    "gunicorn": "gunicorn (UvicornWorker)",
}
_HEAD: Final = """\
# Compatibility

<!-- Written by `python -m tests.wire.differential`; a test compares it with what the suite finds. -->

An app behind Narthex says and sees what it says and sees without. That is put to the test on real servers, over
sockets: each app is served three times, bare, in `Narthex(app)` with no plugin, and in Narthex with every observer on
({observers}). All three get the same bytes at the same time, and everything that follows is compared:

- what the client sees: every byte of every reply, so the status line, all fields in order with repeats and spelling,
  how the body is cut into chunks, trailers, informational responses, websocket frames, whether the connection is kept;
- what the app sees: the scope with its types and that it is the server's own dict, every message, what `send` raises,
  its task, its context variables, the client's leaving;
- what the server or a parent app sees: every message, the keys that the app set in the scope, the context it leaves
  behind, what it returns or raises;
- background work, clean-up, what is logged, the lifespan, the exit status after SIGTERM.

Left out is the `date` field. Allowed, with the observers on, is one `x-request-id` in a response.
Where a bare server does one thing or another as packets fall, either is right behind Narthex too. Not compared: the
frames of tracebacks; Narthex's own log lines; the context variables that the app's lifespan sets for whoever called it,
since Narthex runs it in a task of its own; and for an app without a lifespan, what the server says of that.

## Cases compared, and differences

"""


def render(cells: Sequence[Cell]) -> str:
    """The page of all cells."""
    table = {(cell.site, cell.server): cell for cell in cells}
    lines = [_row("app", *(_SERVERS[server] for server in SERVERS)), _row(*["---"] * (len(SERVERS) + 1))]
    lines += [_row(_SITES[site], *(figure(table[site, server]) for server in SERVERS)) for site in SITES]
    parts = [_HEAD.format(observers=", ".join(OBSERVERS)), "\n".join(lines), "\n", _standing(cells), _unable(cells)]
    return "".join(parts) + _list()


def figures(page: str) -> dict[tuple[str, str], str]:
    """What a page's table says of each cell."""
    rows = [line.strip("| \n").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    names = {title: site for site, title in _SITES.items()}
    found = {names[row[0]]: row[1:] for row in rows[: len(SITES) + 2] if row[0] in names}
    return {(site, server): found[site][at] for site in found for at, server in enumerate(SERVERS)}


def figure(cell: Cell) -> str:
    """How many cases were compared in a cell, and how many differ; with others the page is not written."""
    stand = sum(1 for case in CASES if cell.site in case.sites and known(cell.site, cell.server, case.name))
    return f"{len(cell.compared)}, **{stand}**" if stand else f"{len(cell.compared)}, 0"


def _standing(cells: Sequence[Cell]) -> str:
    """The known differences, where there are any."""
    if not KNOWN:
        return ""
    lines = [
        "\nThe differences, each of which is counted in the table:\n",
        _row("case", "on", "why"),
        _row(*["---"] * 3),
    ]
    for case, one in KNOWN.items():
        servers = _names([cell.server for cell in cells if known(cell.site, cell.server, case)])
        lines.append(_row(case, servers, one.why))
    return "\n".join(lines) + "\n"


def _unable(cells: Sequence[Cell]) -> str:
    """What a bare server, or an app on it, did not show."""
    lines = [
        "\n## What does not work bare\n",
        "Found by playing the case to the bare app. It is compared all the same: behind Narthex it fails alike.\n",
        _row("case", "app", "server"),
        _row(*["---"] * 3),
    ]
    for case in CASES:
        where: dict[tuple[str, ...], list[str]] = {}
        for site in SITES:
            servers = tuple(cell.server for cell in cells if cell.site == site and case.name in cell.unable)
            if servers:
                where.setdefault(servers, []).append(_SITES[site])
        for servers, sites in where.items():
            lines.append(_row(case.name, "all" if len(sites) == len(SITES) else ", ".join(sites), _names(servers)))
    return "\n".join(lines) + "\n"


def _list() -> str:
    """The cases, by which apps have them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for case in CASES:
        groups.setdefault(tuple(site for site in SITES if site in case.sites), []).append(case.name)
    lines = [
        "\n## The cases\n",
        f"On every app, besides those listed: {LOG}; {END}. On every server, with the raw app: {'; '.join(STARTS)}.\n",
    ]
    for sites, names in groups.items():
        title = "every app" if len(sites) == len(SITES) else ", ".join(_SITES[site] for site in sites)
        lines += [f"**{title}** ({len(names)}):", *(f"- {name}" for name in names), ""]
    return "\n".join(lines).rstrip() + "\n"


def _names(servers: Iterable[str]) -> str:
    found = list(dict.fromkeys(servers))
    return "every server" if len(found) == len(SERVERS) else ", ".join(_SERVERS[server] for server in found)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
