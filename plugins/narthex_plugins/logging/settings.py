"""What the `[plugins.logging]` table holds."""

from typing import Annotated

from pydantic import Field

from narthex import Settings
from narthex_plugins.logging.lines import Level
from narthex_plugins.logging.shapes import FieldNames

# A field name of RFC 9110 §5.1, or nothing.
_HEADER = r"^([A-Za-z0-9!#$%&'*+.^_`|~-]+)?$"
_FieldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
_Statuses = Annotated[str, Field(pattern=r"^[1-5]([0-9][0-9]|xx)$")]
_NamePattern = Annotated[str, Field(min_length=2)]


class LoggingSettings(Settings):
    """JSON lines: where they go and what they tell."""

    output: str = Field(
        "stdout",
        min_length=1,
        description='"stdout", "stderr", or a file, relative to the configuration file; it may be rotated by rename.',
    )
    fields: FieldNames = Field(
        "default",
        description='How fields are named: as this page has them, as the Elastic Common Schema does ("ecs"), or as '
        'OpenTelemetry\'s log data model and semantic conventions do ("otel").',
    )
    level: Level = Field(
        "info",
        description="Lines below it are left out: 4xx refused by Narthex are warnings, 5xx and exceptions errors, "
        "all else info. With `capture` also the level of the root logger.",
    )
    levels: dict[_Statuses, Level] = Field(
        default_factory=dict,
        description="The level of the access line by status, where it should be another; exceptions stay errors. The "
        "exact status wins over the class.",
        examples=[{"4xx": "warning", "404": "info"}],
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
    headers: tuple[_FieldName, ...] = Field(
        (),
        description="Request header fields that access lines hold, under `headers`.",
        examples=[["user-agent", "referer"]],
    )
    redact: bool = Field(
        True, description="Whether what looks like a secret is replaced by `[redacted]`, in every line and field."
    )
    redact_names: tuple[_NamePattern, ...] = Field(
        (),
        description="Further names whose values are secret: of header fields, query parameters, cookies, JSON keys, "
        "`extra` fields. `*` and `?` as in file names, upper and lower case alike.",
        examples=[["x-internal-*", "iban"]],
    )
    keep_names: tuple[_NamePattern, ...] = Field(
        (),
        description="Names whose values are no secret, whatever they sound like; they win.",
        examples=[["session_number"]],
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
