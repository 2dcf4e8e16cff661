"""What the `[plugins.health]` table holds."""

from typing import Annotated

from pydantic import Field

from narthex import Settings
from narthex.config import Duration, PathPattern

_Path = Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*$")]


class HealthSettings(Settings):
    """Liveness and readiness: where they answer, and how long a check may take."""

    live: _Path = Field("/healthz", description="Path that answers 200 for as long as the process serves at all.")
    ready: _Path = Field(
        "/readyz", description="Path that answers 200 when every plugin is well, else 503; also before and after."
    )
    limit: Annotated[Duration, Field(gt=0)] = Field(
        2.0, description="How long one plugin's check may take; past it, it has failed."
    )
    cache: Annotated[Duration, Field(ge=0)] = Field(
        1.0, description="How long a result is given again, so that probes cannot hammer what is checked."
    )
    details: bool = Field(
        False,
        description="Whether the answer names the plugins and what they say. Off, because the path is public.",
    )
