"""A store on a disk that fills up and is emptied again, for real: a small memory file system of its own.

    unshare --mount [--map-root-user] python -m tests.fault.full_disk DIRECTORY

Mounts over the directory, in a mount namespace that ends with the process, and prints what happened as JSON.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from narthex.clock import SystemClock
from narthex.errors import DependencyError, StartError
from narthex.store import Store
from narthex.store.address import parse
from tests.fault.workload import log, metadata

SIZE = 1 << 20


async def write(store: Store, numbers: Sequence[int]) -> list[str]:
    """Write records one after the other; gives the messages of those that were refused."""
    refused = []
    for number in numbers:
        try:
            await store.write(log.appending({"id": number, "body": "x" * 3000}))
        except DependencyError as error:
            refused.append(str(error))
    return refused


def fill(directory: Path) -> Path:
    """Take all the room there is."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            return filler
    return filler


async def try_to_start(store: Store) -> str:
    """Start a store; gives why it did not."""
    try:
        await store.start()
    except StartError as error:
        return str(error)
    return ""


async def main(directory: Path) -> dict[str, object]:
    """Start without room, with room; write until there is none, and again when there is."""
    store = Store(parse("sqlite:///narthex.db", directory), SystemClock())
    filler = fill(directory)
    unstarted = await try_to_start(store)
    filler.unlink()
    started = await try_to_start(store)
    await store.write(metadata.create_all)
    before = await write(store, range(20))
    filler = fill(directory)
    during = await write(store, range(20, 40))
    filler.unlink()
    after = await write(store, range(40, 60))
    there = [row["id"] for row in await store.read(lambda connection: log.after(connection, 0))]
    await store.stop()
    return {
        "unstarted": unstarted.replace(str(directory), ""),
        "started": started,
        "refused": [before, during, after],
        "there": there,
    }


if __name__ == "__main__":
    place = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], check=True)
    print(json.dumps(asyncio.run(main(place))))  # noqa: T201  the answer
