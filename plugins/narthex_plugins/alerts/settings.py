"""What the `[plugins.alerts]` table holds."""

from typing import Annotated

from pydantic import Field

from narthex import Settings
from narthex.config import Duration

_Name = Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]
_Text = Annotated[str, Field(pattern=r'^[^"\\\n]*$')]


class AlertsSettings(Settings):
    """What somebody should know of: which rules, and how they are told."""

    evaluate: bool = Field(
        True, description="Whether the house watches itself and publishes events; off where Prometheus does it."
    )
    interval: Annotated[Duration, Field(ge=1, le=300)] = Field(
        15.0, description="How often it looks; the rules are meant for a minute at most."
    )
    metrics: str = Field(
        "", description="The instance of the plugin metrics whose figures are looked at, where there are several."
    )
    above: dict[_Name, float] = Field(
        {}, examples=[{"NarthexSlow": 0.5}], description="Other thresholds, by the name of the rule."
    )
    off: tuple[_Name, ...] = Field((), examples=[["NarthexRefusals"]], description="Rules that are left out.")
    job: _Text = Field(
        "", examples=["shop"], description="The job under which Prometheus reads the app; unless set, any job."
    )
    labels: dict[_Name, _Text] = Field(
        {}, examples=[{"team": "shop"}], description="Labels that every rule for Prometheus gets."
    )
    runbooks: _Text = Field(
        "docs/runbooks",
        description="Where the runbooks are, for what the alerts say: an address or a directory.",
    )
