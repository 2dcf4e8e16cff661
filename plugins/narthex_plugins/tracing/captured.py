"""Header fields on spans, as the environment asks for them."""

import os
from typing import Any, Final

from opentelemetry.trace import Span

from narthex.asgi import Message, Scope

_PREFIX: Final = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"


class Captured:
    """The fields that `OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_*` names; read once.

    Attributes:
        of_requests, of_responses: whether there are any.
    """

    def __init__(self) -> None:
        self._request = _named("SERVER_REQUEST")
        self._response = _named("SERVER_RESPONSE")
        self.of_requests, self.of_responses = bool(self._request), bool(self._response)
        self._sanitize = _named("SANITIZE_FIELDS")

    def request(self, scope: Scope, span: Span) -> None:
        """Put the request's fields on the span."""
        if self._request:
            self._put(scope, span, self._request, "request")

    def response(self, message: Message, span: Span) -> None:
        """Put the response's fields on the span."""
        if self._response:
            self._put(message, span, self._response, "response")

    def _put(self, carrier: Any, span: Span, names: list[str], side: str) -> None:
        from opentelemetry.instrumentation.asgi import collect_custom_headers_attributes  # noqa: PLC0415  seldom asked  # pyright: ignore[reportMissingTypeStubs]
        from opentelemetry.util.http import (  # noqa: PLC0415
            SanitizeValue,
            normalise_request_header_name,
            normalise_response_header_name,
        )

        named = normalise_request_header_name if side == "request" else normalise_response_header_name
        fields = [(name, value.decode("utf-8", "replace").encode()) for name, value in carrier.get("headers") or ()]
        span.set_attributes(
            collect_custom_headers_attributes({"headers": fields}, SanitizeValue(self._sanitize), names, named)
        )


def _named(what: str) -> list[str]:
    return [one.strip() for one in os.environ.get(_PREFIX + what, "").split(",") if one.strip()]
