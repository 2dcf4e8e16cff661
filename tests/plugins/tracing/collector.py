"""A collector: takes OTLP over HTTP and keeps the spans, or does it the harm that a bad one does."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

LIMIT = 60.0
FAULTS = ("hangs", "500", "503", "401", "cuts", "vanishes", "no http")


class Collector:
    """What has arrived.

    Attributes:
        spans: every span, in the order of arrival.
        services: the `service.name` of each batch.
        fields: the header fields of each request.
        fault: how it fails, one of FAULTS; "rejects" answers 200 with what is no message; "" takes the spans.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: list[str] = []
        self.fields: list[dict[str, str]] = []
        self.fault = ""
        self.released = threading.Event()
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
def collector(port: int = 0) -> Iterator[Collector]:
    """Run one on a port of this machine, a free one unless given."""
    taken = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            self.close_connection = bool(taken.fault)
            match taken.fault:
                case "hangs":
                    taken.released.wait(LIMIT)
                case "cuts":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of i")
                case "vanishes":
                    pass
                case "no http":
                    self.wfile.write(b"\xff\x00 what is that?\r\n\r\n")
                case "rejects":
                    self._answer(200, b"\x0a\xff\xff\xffpartial success: nothing at all")
                case "":
                    taken.take(content, {name.lower(): value for name, value in self.headers.items()})
                    self._answer(200, b"")
                case status:
                    self._answer(int(status), b"no")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    taken.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        taken.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
