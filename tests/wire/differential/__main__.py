"""Run all cells and write docs/reference/compatibility.md; with arguments, run and print some.

python -m tests.wire.differential
python -m tests.wire.differential raw,quart granian,hypercorn "websocket"
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.wire.differential.cases import CASES
from tests.wire.differential.cell import AT_ONCE, SERVERS, SITES, Cell, run
from tests.wire.differential.known import known
from tests.wire.differential.page import PAGE, render


def main(arguments: list[str]) -> int:
    """Run what was asked for; give the number of differences that are not known."""
    sites = arguments[0].split(",") if arguments else list(SITES)
    servers = arguments[1].split(",") if len(arguments) > 1 else list(SERVERS)
    cases = [case for case in CASES if (arguments[2] if len(arguments) > 2 else "") in case.name]
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        pairs = [(site, server) for site in sites for server in servers]
        cells = list(threads.map(lambda pair: run(pair[0], pair[1], cases), pairs))
    unknown = sum(_tell(cell, quiet=not arguments) for cell in cells)
    sys.stdout.write(f"{len(cells)} cells, {time.monotonic() - begun:.0f} s, {unknown} unknown differences\n")
    if not arguments and not unknown:
        PAGE.write_text(render(cells))
    return min(unknown, 1)


def _tell(cell: Cell, *, quiet: bool) -> int:
    found = [case for case in cell.different if not known(cell.site, cell.server, case)]
    sys.stdout.write(f"{cell.site} on {cell.server}: {len(cell.compared)} cases, {len(found)} unknown differences\n")
    for case in found if quiet else cell.different:
        sys.stdout.write(f"  {case}\n    " + "\n    ".join(cell.different[case]) + "\n")
    if not quiet:
        sys.stdout.write(f"  not bare: {cell.unable}\n  played again: {cell.again}\n")
    return len(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
