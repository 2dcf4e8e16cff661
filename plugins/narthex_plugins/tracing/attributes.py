"""The attributes of a server span, as opentelemetry-instrumentation-asgi 0.66 works them out, in a fifth of the time.

Both of its conventions are there: the old names, which it uses by itself, and the stable ones that
`OTEL_SEMCONV_STABILITY_OPT_IN` asks for. A differential test holds the two to one another.
"""

import os
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import unquote

from opentelemetry.util.http import detect_synthetic_user_agent, redact_url

from narthex.asgi import Scope

Attributes = dict[str, Any]
Convention = Literal["old", "stable", "both"]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
_synthetic: Final[Callable[[str], str | None]] = lru_cache(maxsize=1024)(detect_synthetic_user_agent)


def convention() -> Convention:
    """The convention that the environment asks for, read as the library reads it."""
    wanted = [one.strip() for one in os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")]
    return "both" if "http/dup" in wanted else "stable" if "http" in wanted else "old"


def schema_url(named: Convention) -> str:
    """The schema of these names."""
    return f"https://opentelemetry.io/schemas/{'1.11.0' if named == 'old' else '1.21.0'}"


def known_method(method: str) -> str:
    """The method, or "_OTHER" where it is none of the known ones: names must not grow without bound."""
    if method in _METHODS:
        return method
    upper = method.upper()
    every = os.environ.get("OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS")
    return upper if upper in _METHODS or every else "_OTHER"


def span_name(scope: Scope) -> str:
    """Method and path, until the route is known."""
    path: str = scope.get("path", "").strip()
    method = known_method(scope.get("method", "").strip())  # a websocket has none, and the library says HTTP of it too
    method = "HTTP" if method == "_OTHER" else method
    return f"{method} {path}" if path else method


class Collector:
    """Collects the attributes of one convention."""

    def __init__(self, named: Convention) -> None:
        self._old = named != "stable"
        self._stable = named != "old"

    def of(self, scope: Scope) -> Attributes:
        """The attributes known before the app is asked. Cost: about 3 µs."""
        found: Attributes = {}
        hosts, agent = _host_and_agent(scope)
        server = scope.get("server") or ("0.0.0.0", 80)  # the library's word for unknown
        port = server[1]
        here = server[0] if str(port) == "80" else f"{server[0]}:{port}"
        path: str = scope.get("path", "")
        query = _text(scope.get("query_string") or b"")
        method: str = scope.get("method", "")
        known = known_method(method) if method else ""
        client = scope.get("client")
        scheme, version = scope.get("scheme"), scope.get("http_version")
        if self._old:
            found["http.scheme"] = scheme
            found["http.host"] = here
            found["net.host.port"] = _number(port)
            found["http.flavor"] = version
            found["http.target"] = path
            found["http.url"] = _url(scope, hosts[0] if hosts else here, path, query)
            found["http.method"] = known
            found["http.user_agent"] = agent
            if client is not None:
                found["net.peer.ip"], found["net.peer.port"] = client[0], _number(client[1])
        if self._stable:
            found["url.scheme"] = scheme
            found["server.address"] = here
            found["server.port"] = _number(port)
            found["network.protocol.version"] = version
            found["url.path"] = path
            found["url.query"] = query if path else ""
            found["http.request.method"] = known
            found["user_agent.original"] = agent
            if method.strip() != known:
                found["http.request.method_original"] = method.strip()
            if client is not None:
                found["client.address"], found["client.port"] = client[0], _number(client[1])
        if agent:
            found["user_agent.synthetic.type"] = _synthetic(agent)
        attributes = {key: value for key, value in found.items() if value}
        if hosts and self._old:
            attributes["http.server_name"] = ",".join(hosts)
        return attributes

    def status(self, status: Any, into: MutableMapping[str, Any]) -> bool:
        """Put a status there; whether it means that the server has failed."""
        try:
            number = int(status)
        except ValueError:
            number = -1
        if self._old and number >= 0:
            into["http.status_code"] = number
        failed = number < 100 or number >= 500
        if self._stable:
            if number >= 0:
                into["http.response.status_code"] = number
            if failed:
                into["error.type"] = str(status)
        return failed


def _host_and_agent(scope: Scope) -> tuple[list[str], str]:
    hosts: list[str] = []
    agent: str | None = None
    for name, value in scope.get("headers") or ():
        if len(name) == 4 and name.lower() == b"host":
            hosts.append(_text(value))
        elif agent is None and len(name) == 10 and name.lower() == b"user-agent":
            agent = _text(value)
    return hosts, agent or ""


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _url(scope: Scope, host: str, path: str, query: str) -> str:
    url = f"{scope.get('scheme', 'http')}://{host}{path}"
    if query:
        url = f"{url}?{unquote(query)}"
    return redact_url(url) if "?" in url or "@" in url else url


def _number(value: Any) -> int | None:
    try:
        return int(value) if value else None
    except (ValueError, TypeError):
        return None
