"""An issuer on loopback: metadata, keys and tokens as a test wants them, and a record of who asked for what."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from narthex.testing import FixedClock, Reply
from tests.plugins.auth.forge import Forger, forger
from tests.plugins.auth.site import Site, bearer

NOW = FixedClock().now()


@dataclass(eq=False)
class Provider:
    """An issuer.

    Attributes:
        keys: what it publishes.
        answers: path to status, headers and body, in place of its own.
        asked: the paths that were asked for.
        gate: closed, nobody is answered until it opens.
    """

    url: str
    keys: list[Mapping[str, object]] = field(default_factory=lambda: [forger("ES256").jwk])
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """What a path is answered with."""
        if path in self.answers:
            return self.answers[path]
        if path == "/keys":
            return 200, {}, json.dumps({"keys": self.keys}).encode()
        if path == "/.well-known/openid-configuration":
            return 200, {}, json.dumps(self.metadata()).encode()
        return 404, {}, b"not here"

    def metadata(self, **more: object) -> dict[str, object]:
        """Its metadata."""
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **more}

    def says(self, path: str, document: object = None, status: int = 200, **headers: str) -> None:
        """Answer a path otherwise."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = (status, headers, body)

    def table(self, **more: object) -> dict[str, Any]:
        """The table of it in a file; a busy machine is no slow issuer."""
        patient = {"fetch_timeout": "60s", "wait": "30s"}
        return {"issuer": self.url, "audience": ["shop"], "insecure_http": True, **patient, **more}

    def token(
        self,
        signer: Forger | None = None,
        header: Mapping[str, object] | None = None,
        claims: Mapping[str, object] | None = None,
        **more: object,
    ) -> str:
        """A token of it; a claim that is None is left out."""
        usual = {"iss": self.url, "sub": "robot", "aud": "shop", "iat": NOW, "exp": NOW + 600, "jti": "one"}
        says = {name: value for name, value in {**usual, **(claims or {}), **more}.items() if value is not None}
        return (signer or forger("ES256")).token({"typ": "at+jwt", **(header or {})}, json.dumps(says).encode())

    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.asked.count("/keys")


@contextmanager
def provider(tls: ssl.SSLContext | None = None) -> Iterator[Provider]:
    """Serve one on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Requests)
    server.daemon_threads = True
    scheme = "http"
    if tls is not None:
        scheme, server.socket = "https", tls.wrap_socket(server.socket, server_side=True)
    server.it = it = Provider(f"{scheme}://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    it.gate.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield it
    finally:
        it.gate.set()
        server.shutdown()
        server.server_close()
        thread.join(30)


def certificate(directory: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that signs itself, in `ca.pem`, and what a server needs to have it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (directory / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "ca.pem", directory / "key.pem")
    return context


class _Requests(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        it: Provider = self.server.it  # type: ignore[attr-defined]
        it.asked.append(self.path)
        it.gate.wait(30)
        status, headers, body = it.answer(self.path)
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def me(house: Site, token: str) -> Reply:
    """Who the bearer is."""
    return house.me(bearer(token))


def settle(house: Site, true: Callable[[], object]) -> None:
    """Let the house go on until something is so."""
    house.client.wait_until(true)


def eventually(true: Callable[[], object]) -> None:
    """Wait for something that happens in another thread or process."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "waited 30 s in vain"
        time.sleep(0.02)
