"""How a caller says which trace its request belongs to."""

import os


def only_w3c() -> bool:
    """Whether the environment has no other propagators than the W3C's, of which it is known which fields they read."""
    named = os.environ.get("OTEL_PROPAGATORS", "tracecontext,baggage").replace(" ", "")
    return set(named.split(",")) <= {"tracecontext", "baggage", ""}
