"""The tables `[plugins.audit.checkpoints]` and `[plugins.audit.retention]`: how the log is proven, and kept."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from narthex import Settings
from narthex.config import Duration


class PublishSettings(Settings):
    """Where checkpoints go, so that somebody outside knows how long the log was."""

    log: bool = Field(
        default=True, description="Write each checkpoint as a line of the log, which usually leaves the machine."
    )
    file: str = Field(
        default="",
        examples=["/var/log/shop-checkpoints.jsonl"],
        description="Append each checkpoint to this file and sync it; relative to the configuration file. Best on "
        "another disk, or a mount that is written once.",
    )
    webhook: Annotated[str, Field(max_length=1000)] = Field(
        default="",
        examples=["https://notary.example/checkpoints"],
        description="POST each checkpoint there as JSON; tried again until it is taken, or a later one is.",
    )

    @field_validator("webhook")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("an address begins with https:// or http://")
        return value


class CheckpointSettings(Settings):
    """How often the log is signed, and where that is told."""

    every: Annotated[Duration, Field(ge=1, le=86_400)] = Field(
        default=60.0,
        description="How long records may stand before a checkpoint covers them. Shorter: less can be changed unseen "
        "by somebody who has the store; longer: fewer checkpoints to keep. None is made where nothing was recorded.",
    )
    publish: PublishSettings = Field(default=PublishSettings(), description="Where checkpoints go.")


Personal = Literal["actor", "session", "address"]
"""What may stand in records as a pseudonym; for the field `pseudonyms` of the settings."""


class RetentionSettings(Settings):
    """When old records go. They go by whole segments, each a table of its own that is dropped."""

    keep: Annotated[Duration, Field(ge=0)] = Field(
        default=0.0,
        examples=["365d"],
        description="How long records are kept at least; a segment goes when all of it is older. 0: for ever.",
    )
    segment: Annotated[Duration, Field(ge=60)] = Field(
        default=2_592_000.0, description="How long a segment takes records before the next one is begun."
    )
    records: Annotated[int, Field(ge=1000)] = Field(
        default=10_000_000, description="How many records a segment takes at most, or a few more."
    )
