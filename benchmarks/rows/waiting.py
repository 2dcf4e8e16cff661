"""An app that takes 5 ms, and what seeing into it costs of its requests a second. Served by uvicorn only.

Once it works for 5 ms, as one does that renders a page: then a request costs what it costs. And once it waits for 5 ms,
as for a database, while fifteen other requests are served: then a server of one process has nothing to do but to pass
requests on, and what is added to that is seen at its largest.

The spans go to a collector, a process of its own, so that all is paid for that a service pays: encoding them, and
sending them off.
"""

import asyncio
import time

from benchmarks.asgi import ASGIApp, Receive, Scope, Send
from benchmarks.candidates import Peer, candidate
from benchmarks.collector import collector
from benchmarks.rows.house import PLUGINS
from benchmarks.traffic import bare

GROUP = "An app that takes 5 ms"
WORKS, WAITS = "works 5 ms", "waits 5 ms"
SECONDS = 0.005


async def works(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the bare app does, after 5 ms of the processor's time."""
    if scope["type"] == "http":
        until = time.thread_time() + SECONDS
        while time.thread_time() < until:
            pass
    await bare(scope, receive, send)


async def waits(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the bare app does, 5 ms later."""
    if scope["type"] == "http":
        await asyncio.sleep(SECONDS)
    await bare(scope, receive, send)


def seen(app: ASGIApp, engine: str = "lean", **plugins: object) -> ASGIApp:
    from narthex import Narthex

    return Narthex(app, {"plugins": {"tracing": {"engine": engine, "endpoint": collector()}, **plugins}})


@candidate(WORKS, group=GROUP, wire=True, in_process=False)
def works_alone() -> ASGIApp:
    return works


@candidate(f"{WORKS}, traced", group=GROUP, wire=True, in_process=False, against=(Peer(WORKS, at_least=0.95),))
def works_traced() -> ASGIApp:
    return seen(works)


@candidate(f"{WORKS}, traced by otel", group=GROUP, wire=True, in_process=False, against=(Peer(WORKS),))
def works_traced_by_otel() -> ASGIApp:
    return seen(works, "otel")


@candidate(f"{WORKS}, logged, counted, traced", group=GROUP, wire=True, in_process=False, against=(Peer(WORKS),))
def works_seen() -> ASGIApp:
    return seen(works, logging=PLUGINS["logging"], metrics={})


@candidate(WAITS, group=GROUP, wire=True, in_process=False)
def waits_alone() -> ASGIApp:
    return waits


@candidate(f"{WAITS}, traced", group=GROUP, wire=True, in_process=False, against=(Peer(WAITS),))
def waits_traced() -> ASGIApp:
    return seen(waits)
