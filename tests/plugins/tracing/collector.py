"""A collector: takes OTLP over HTTP and keeps the spans."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

LIMIT = 30.0


class Collector:
    """What has arrived.

    Attributes:
        spans: every span, in the order of arrival.
        services: the `service.name` of each batch.
        fields: the header fields of each request.
        status: what is answered.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: list[str] = []
        self.fields: list[dict[str, str]] = []
        self.status = 200
        self.url = ""

    def take(self, content: bytes, fields: dict[str, str]) -> None:
        """Take one request."""
        message = ExportTraceServiceRequest()
        message.ParseFromString(content)
        self.fields.append(fields)
        for resource in message.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.services.append(named.get("service.name", ""))
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def wait(self, count: int) -> list[Span]:
        """Wait until that many spans have arrived."""
        deadline = time.monotonic() + LIMIT
        while len(self.spans) < count:
            assert time.monotonic() < deadline, f"{len(self.spans)} of {count} spans came"
            time.sleep(0.02)
        return self.spans


def attributes(span: Span) -> dict[str, Any]:
    """The attributes of a span as plain values."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """Run one on a free port of this machine."""
    taken = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            if taken.status == 200:
                taken.take(content, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(taken.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    taken.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
