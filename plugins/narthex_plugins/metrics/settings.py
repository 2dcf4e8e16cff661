"""What the `[plugins.metrics]` table holds."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, field_validator

from narthex import Settings
from narthex.config import Duration, PathPattern
from narthex_plugins.metrics.company import Together


class MetricsSettings(Settings):
    """Figures for Prometheus: where they are read, by whom, and what keeps them few."""

    path: Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*$")] = Field(
        "/api/metrics", description="Path where Prometheus reads them; stands as written, outside `prefix`."
    )
    permission: str | None = Field(
        None,
        pattern=r"^[\w.*-]+(:[\w.*-]+)+$",
        examples=["metrics:read"],
        description="The permission that reading them takes. Unless set, everybody may.",
    )
    buckets: tuple[Annotated[Duration, Field(gt=0)], ...] = Field(
        (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
        min_length=1,
        description="Upper bounds of the histogram of durations, rising. Those of Prometheus' own libraries.",
    )
    routes: tuple[PathPattern, ...] = Field(
        (),
        examples=[["/files/**"]],
        description="What stands for the route where the app's framework names none: the first pattern that matches. "
        'Without one it is "unmatched".',
    )
    series: int = Field(
        2000,
        ge=1,
        description='Series that one metric may have in one process; further ones are counted together, as "other".',
    )
    sample: int = Field(
        100, ge=0, description="Of how many exchanges one has every plugin's hooks timed; 0 for none at all."
    )
    together: Together = Field(
        "auto",
        description="Which processes answer for one another: the workers of one server, as far as it can be told; "
        'whatever has the same "parent"; or each is "alone".',
    )
    directory: str = Field(
        "",
        description="Where workers keep their figures for one another, relative to this file; best in memory. Unless "
        "set, /dev/shm, $XDG_RUNTIME_DIR or the temporary directory.",
    )

    @field_validator("buckets")
    @classmethod
    def _rising(cls, buckets: tuple[float, ...]) -> tuple[float, ...]:
        if any(high <= low for low, high in pairwise(buckets)):
            raise ValueError("each has to be above the one before")
        return buckets
