"""The same features, assembled by hand from the best-known packages.

"same features" is what Narthex with its logging plugin does today: request id in context, log and response,
and an access line. "whole stack" is what Narthex sets out to replace: that, and traces, metrics,
authentication with revocation and roles.
"""

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import candidate
from benchmarks.rows import access_log, packages, starlette_auth
from benchmarks.traffic import bare

GROUP = "Assembled by hand"
SAME_PLAIN = "id + access log, plain"
SAME_TUNED = "id + access log, tuned"
SEEN_TUNED = "id + access log + metrics + traces, tuned"
STACK_PLAIN = "whole stack, plain"
STACK_TUNED = "whole stack, tuned"


def logged(app: ASGIApp, name: str) -> ASGIApp:
    """Log with the id that asgi-correlation-id keeps, by its own filter."""
    from asgi_correlation_id import CorrelationIdFilter

    to = access_log.handler(access_log.formatter("correlation_id", rename={"correlation_id": "request_id"}))
    to.addFilter(CorrelationIdFilter())
    return access_log.AccessLog(app, access_log.plain_write(name, to), make_id=None)


def logged_tuned(app: ASGIApp, name: str) -> ASGIApp:
    """Log with the id that asgi-correlation-id keeps, read where the line is made."""
    from asgi_correlation_id import correlation_id

    write = access_log.tuned_write(name, access_log.tuned_handler())
    return access_log.AccessLog(app, lambda fields: write({"request_id": correlation_id.get(), **fields}), make_id=None)


@candidate(SAME_PLAIN, group=GROUP)
def same_plain() -> ASGIApp:
    return packages.correlation_id(logged(bare, "bench.same"))


@candidate(SAME_TUNED, group=GROUP, around=access_log.lean_records)
def same_tuned() -> ASGIApp:
    return packages.correlation_id_tuned(logged_tuned(bare, "bench.same.tuned"))


@candidate(SEEN_TUNED, group=GROUP, around=access_log.lean_records, background=True)
def seen_tuned() -> ASGIApp:
    logging = logged_tuned(bare, "bench.seen.tuned")
    return packages.correlation_id_tuned(packages.tracing_tuned(packages.exporter_tuned(logging)))


@candidate(STACK_PLAIN, group=GROUP)
def stack_plain() -> ASGIApp:
    guarded = logged(starlette_auth.plain(bare), "bench.stack")
    return packages.correlation_id(packages.tracing(packages.exporter(guarded)))


@candidate(STACK_TUNED, group=GROUP, around=access_log.lean_records, wire=True)
def stack_tuned() -> ASGIApp:
    guarded = logged_tuned(starlette_auth.tuned(bare), "bench.stack.tuned")
    return packages.correlation_id_tuned(packages.tracing_tuned(packages.exporter_tuned(guarded)))
