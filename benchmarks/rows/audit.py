"""The audit trail in front of the bare app: every request recorded, in batches, on a database on the disk.

What the thread that makes the records, and the store's writer, take of the processor is counted; what they wait for
the disk is not. The batches gather for 10 ms, which is shorter than by default, so that each block finds its own done:
on a busy server they are larger, and cheaper.
"""

import tempfile
from collections.abc import Mapping
from typing import Any

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import Peer, candidate
from benchmarks.rows.floor import WRAPS_SEND
from benchmarks.rows.house import NONE
from benchmarks.traffic import bare

GROUP = "Narthex"
BATCHED = "narthex, audit, batched"


def recorded(directory: str = "", **settings: object) -> ASGIApp:
    """Put Narthex with the plugin in front of the bare app; what it keeps is gone with the process.

    Args:
        directory: where to keep it instead.
        settings: of the plugin.
    """
    from narthex import Narthex
    from narthex.secrets import Secret

    place = tempfile.TemporaryDirectory(prefix="narthex-bench-")
    house = {"store": f"sqlite:///{directory or place.name}/narthex.db", "secret_key": Secret("0123456789abcdef" * 2)}
    config: Mapping[str, Any] = {
        "narthex": house,
        "plugins": {"audit": {"requests": "all", "checkpoints": {"every": "1h"}, **settings}},
    }
    app = Narthex(bare, config)
    app.benchmark_directory = place  # type: ignore[attr-defined]  # as long as the app
    return app


@candidate(
    BATCHED,
    group=GROUP,
    lifespan=True,
    background=True,
    against=(Peer(WRAPS_SEND), Peer(NONE, at_most=25)),
)
def batched() -> ASGIApp:
    return recorded(gather="10ms")


@candidate("narthex, audit, nothing to record", group=GROUP, lifespan=True, background=True, against=(Peer(NONE),))
def idle() -> ASGIApp:
    return recorded(requests="changing")
