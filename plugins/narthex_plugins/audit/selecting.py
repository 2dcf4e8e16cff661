"""Which requests are recorded. No I/O; asked on the way, so it costs next to nothing."""

from typing import Final

from narthex import Deny, Exchange
from narthex.paths import PathSet
from narthex_plugins.audit.settings import AuditSettings

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that are not meant to change anything (RFC 9110 §9.2.1). What a websocket is for nobody knows."""


class Selection:
    """Judges by method, path and outcome.

    Args:
        settings: of the plugin.
        prefix: of plugins' own endpoints.
    """

    def __init__(self, settings: AuditSettings, prefix: str) -> None:
        self._all = settings.requests == "all"
        self._changing = settings.requests != "none"
        self._refusals = settings.refusals
        self._prefix = prefix if settings.endpoints else None
        self._below = f"{prefix}/"
        self._always = PathSet(settings.paths)
        self._never = PathSet(settings.ignore)

    def before(self, exchange: Exchange) -> bool:
        """Whether it is recorded whatever becomes of it. Under 0.5 µs where no paths are set."""
        method = exchange.method
        if self._all or (self._changing and method not in _SAFE and method.upper() not in _SAFE):
            return not self._never or self._never.matches(exchange.route_path) is None
        path = exchange.route_path
        if self._prefix is not None and (path.startswith(self._below) or path == self._prefix):
            return not self._never or self._never.matches(path) is None
        return bool(self._always) and self._always.matches(path) is not None

    def after(self, exchange: Exchange) -> bool:
        """Whether it is recorded, now that one knows how it ended. A refusal is, whatever `ignore` says."""
        return (self._refusals and isinstance(exchange.verdict, Deny)) or self.before(exchange)
