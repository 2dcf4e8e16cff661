"""The attributes of a server span, as opentelemetry-instrumentation-asgi 0.66 works them out, in a fifth of the time.

Both of its conventions are there: the old names, which it uses by itself, and the stable ones that
`OTEL_SEMCONV_STABILITY_OPT_IN` asks for. A differential test holds the two to one another.
"""

import os
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import unquote

from opentelemetry.util.http import PARAMS_TO_REDACT, detect_synthetic_user_agent, redact_url

from narthex.asgi import Headers, Scope

Attributes = dict[str, Any]
Convention = Literal["old", "stable", "both"]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
_HIDDEN: Final = tuple(PARAMS_TO_REDACT)
_MOST_PLACES: Final = 64
_Key = tuple[Any, Any, Any]
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
        self._places: dict[_Key, tuple[str, Attributes]] = {}

    def of(self, scope: Scope, headers: Headers) -> Attributes:
        """The attributes known before the app is asked. Cost: about 3 µs.

        Args:
            scope: of the exchange.
            headers: its fields.
        """
        here, place = self._place(scope)
        found = place.copy()
        hosts, agent = _host_and_agent(headers)
        path: str = scope.get("path", "")
        query = _text(scope.get("query_string") or b"")
        method: str = scope.get("method", "")
        known = known_method(method) if method else ""
        client = scope.get("client")
        if self._old:
            if path:
                found["http.target"] = path
            found["http.url"] = _url(scope, hosts[0] if hosts else here, path, query)
            if known:
                found["http.method"] = known
            if hosts:
                found["http.server_name"] = ",".join(hosts)
            if agent:
                found["http.user_agent"] = agent
            if client is not None:
                _put(found, "net.peer.ip", client[0])
                _put(found, "net.peer.port", _number(client[1]))
        if self._stable:
            self._put_stable(found, path, query, known, agent)
            if known and method.strip() != known:
                _put(found, "http.request.method_original", method.strip())
            if client is not None:
                _put(found, "client.address", client[0])
                _put(found, "client.port", _number(client[1]))
        if agent:
            _put(found, "user_agent.synthetic.type", _synthetic(agent))
        return found

    def _put_stable(self, found: Attributes, path: str, query: str, known: str, agent: str) -> None:
        _put(found, "url.path", path)
        _put(found, "url.query", query if path else "")
        _put(found, "http.request.method", known)
        _put(found, "user_agent.original", agent)

    def _place(self, scope: Scope) -> tuple[str, Attributes]:
        """The server's name, and what depends on where it listens alone: the same for nearly all requests."""
        key = scope.get("server"), scope.get("scheme"), scope.get("http_version")
        try:
            known = self._places.get(key)
        except TypeError:  # a list, of some server
            return self._place_of(*key)
        if known is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            known = self._places[key] = self._place_of(*key)
        return known

    def _place_of(self, server: Any, scheme: Any, version: Any) -> tuple[str, Attributes]:
        server = server or ("0.0.0.0", 80)  # the library's word for unknown
        port = server[1]
        here = server[0] if str(port) == "80" else f"{server[0]}:{port}"
        found: Attributes = {}
        if self._old:
            found.update(
                {"http.scheme": scheme, "http.host": here, "net.host.port": _number(port), "http.flavor": version}
            )
        if self._stable:
            found.update({"url.scheme": scheme, "server.address": here, "server.port": _number(port)})
            found["network.protocol.version"] = version
        return here, {key: value for key, value in found.items() if value}

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


def _put(found: Attributes, key: str, value: Any) -> None:
    if value:
        found[key] = value


def _host_and_agent(headers: Headers) -> tuple[list[str], str]:
    host, agent = headers.first(b"host"), headers.first(b"user-agent")
    if headers.repeated:
        hosts = [_text(value) for name, value in headers.raw if len(name) == 4 and name.lower() == b"host"]
    else:
        hosts = [] if host is None else [_text(host)]
    return hosts, "" if agent is None else _text(agent)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _url(scope: Scope, host: str, path: str, query: str) -> str:
    url = f"{scope.get('scheme', 'http')}://{host}{path}"
    if query:
        url = f"{url}?{unquote(query)}"
    # The library takes every address apart, for 10 µs. What it looks for cannot hide in these: it undoes escapes once
    # more, and drops line ends.
    if ("?" in url and ("%" in url or not url.isprintable() or any(map(url.__contains__, _HIDDEN)))) or "@" in url:
        return redact_url(url)
    return url


def _number(value: Any) -> int | None:
    try:
        return int(value) if value else None
    except (ValueError, TypeError):
        return None
