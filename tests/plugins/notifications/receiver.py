"""A real receiver of webhooks, and what else the tests of notifications talk to."""

import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
LIMIT = 60.0

Answer = tuple[int, Mapping[str, str]]


def until(true: Callable[[], object], limit: float = LIMIT) -> None:
    """Wait for something."""
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, f"waited {limit} s in vain"
        time.sleep(0.02)


@dataclass
class Receiver:
    """What came in; what is answered is up to `answer`, given the number of the request from 0 and its path."""

    port: int = 0
    answer: Callable[[int, str], Answer] = lambda _number, _path: (204, {})
    seen: list[tuple[str, Mapping[str, str], Any]] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Verify by the library that Standard Webhooks has for that, and answer."""
        kept = {name.lower(): value for name, value in headers.items()}
        payload: Any = None
        if "webhook-signature" in kept:
            try:
                payload = Webhook(SECRET).verify(body, dict(kept))
            except Exception as error:  # noqa: BLE001
                self.wrong.append(repr(error))
        else:
            payload = json.loads(body or b"null")
        number = len(self.seen)
        self.seen.append((path, kept, payload))
        status, fields = self.answer(number, path)
        if 200 <= status < 300:
            self.taken[kept.get("webhook-id", "")] += 1
        return status, fields


@contextmanager
def receiving(port: int = 0, answer: Callable[[int, str], Answer] | None = None) -> Iterator[Receiver]:
    """Serve one on loopback."""
    receiver = Receiver()
    if answer is not None:
        receiver.answer = answer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, fields = receiver.receive(self.path, dict(self.headers), body)
            if status == 0:  # dies: the connection is cut without a word
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None: ...

    server = Server(("127.0.0.1", port), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(LIMIT)


def certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for "localhost" that signs itself: the file that trusts it, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = directory / "ca.pem", directory / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context


def closed_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
