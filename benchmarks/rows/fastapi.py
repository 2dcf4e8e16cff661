"""The same in front of a FastAPI route instead of the bare app.

A hundred microseconds of other code between two requests push a middleware out of the processor's caches, as they do
in production: what it adds here is two to three times what the tight loop over the bare app says, for every
middleware. The loop over the bare app tells small differences apart; this tells what they are worth.
"""

import functools
from collections.abc import Mapping

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import Peer, candidate
from benchmarks.rows import access_log, house
from benchmarks.rows.floor import WrapsSend
from benchmarks.traffic import BODY

GROUP = "In front of FastAPI"
ROUTE = "fastapi, bare route"
PLAIN = "fastapi, access log, plain"
TUNED = "fastapi, access log, tuned"


@functools.cache
def route() -> ASGIApp:
    """Serve the same body from a FastAPI endpoint. One app for all rows, so that no two of them differ in memory."""
    from fastapi import FastAPI, Response

    app = FastAPI()

    async def order(number: int, expand: str = "") -> Response:
        return Response(BODY, media_type="application/json")

    app.add_api_route("/orders/{number}", order)
    return app


def behind(plugins: Mapping[str, Mapping[str, object]]) -> ASGIApp:
    from narthex import Narthex

    return Narthex(route(), {"plugins": plugins})


@candidate(ROUTE, group=GROUP, over=ROUTE)
def bare_route() -> ASGIApp:
    return route()


@candidate("fastapi, wraps send", group=GROUP, over=ROUTE)
def wraps_send() -> ASGIApp:
    return WrapsSend(route())


@candidate("fastapi, narthex, no plugin", group=GROUP, over=ROUTE, lifespan=True)
def no_plugin() -> ASGIApp:
    return behind({})


@candidate("fastapi, narthex, an observer", group=GROUP, over=ROUTE, lifespan=True)
def one_observer() -> ASGIApp:
    return behind(house.guest("observe"))


@candidate(
    "fastapi, narthex, logging",
    group=GROUP,
    over=ROUTE,
    lifespan=True,
    background=True,
    against=(Peer(PLAIN), Peer(TUNED)),
)
def logging() -> ASGIApp:
    return behind({"logging": house.PLUGINS["logging"]})


@candidate(PLAIN, group=GROUP, over=ROUTE)
def plain() -> ASGIApp:
    write = access_log.plain_write("bench.fastapi", access_log.handler(access_log.formatter()))
    return access_log.AccessLog(route(), write)


@candidate(TUNED, group=GROUP, over=ROUTE, around=access_log.lean_records)
def tuned() -> ASGIApp:
    return access_log.AccessLog(route(), access_log.tuned_write("bench.fastapi.tuned", access_log.tuned_handler()))
