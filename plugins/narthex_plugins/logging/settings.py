"""What the `[plugins.logging]` table holds."""

from pydantic import Field

from narthex import Settings
from narthex_plugins.logging.lines import Level

# A field name of RFC 9110 §5.1, or nothing.
_HEADER = r"^([A-Za-z0-9!#$%&'*+.^_`|~-]+)?$"


class LoggingSettings(Settings):
    """JSON lines: where they go and what they tell."""

    output: str = Field(
        "stdout",
        min_length=1,
        description='"stdout", "stderr", or a file, relative to the configuration file; it may be rotated by rename.',
    )
    level: Level = Field(
        "info",
        description="Lines below it are left out: 4xx refused by Narthex are warnings, 5xx and exceptions errors, "
        "all else info. With `capture` also the level of the root logger.",
    )
    header: str = Field(
        "x-request-id",
        pattern=_HEADER,
        description="The response header that carries the request id; empty to send none. It is appended: where the "
        "app sends one of that name itself, the client sees both.",
    )
    query: bool = Field(
        False, description="Whether access lines hold the query string. Off, because people put secrets there."
    )
    capture: bool = Field(
        True,
        description="Whether the app's and the server's own log lines (the root logger) become JSON lines with the "
        "request id.",
    )
    queue: int = Field(
        10_000,
        ge=1,
        description="Most lines that wait to be written, and of these 16 MiB at most; more are dropped, counted and "
        "reported.",
    )
