"""What the `[plugins.audit]` table holds."""

from typing import Annotated, Literal

from pydantic import Field

from narthex import Settings
from narthex.config import Duration, PathPattern
from narthex_plugins.audit.checkpoint_settings import CheckpointSettings, Personal, RetentionSettings

_Path = Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*[^*{}?#/]$")]
_Topic = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$")]


class AuditSettings(Settings):
    """What is recorded, and how much it may cost to keep it."""

    requests: Literal["changing", "all", "none"] = Field(
        default="changing",
        description="Which requests are recorded whatever becomes of them: those that may change something (all but "
        "GET, HEAD, OPTIONS and TRACE; websockets too), all, or none.",
    )
    refusals: bool = Field(default=True, description="Record every refusal, of whatever request.")
    endpoints: bool = Field(default=True, description="Record every call of an endpoint below `prefix`.")
    paths: tuple[PathPattern, ...] = Field(
        default=(),
        examples=[["/patients/**"]],
        description="Requests of these paths are recorded too, whatever their method.",
    )
    ignore: tuple[PathPattern, ...] = Field(
        default=(),
        examples=[["/search"]],
        description="Requests of these paths are not recorded, unless they are refused.",
    )
    events: bool = Field(
        default=True, description="Record what plugins tell of on the house's bus: logins, revocations, key changes."
    )
    silent: tuple[_Topic, ...] = Field(
        default=(),
        examples=[["auth.refresh", "narthex.started"]],
        description="Topics of events that are not recorded, those below them neither.",
    )
    claims: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(),
        examples=[["department"]],
        description="Claims of the caller's token that are kept with a record; `narthex access replay` needs those "
        "that rules ask for.",
    )
    durability: Literal["batched", "strict"] = Field(
        default="batched",
        description="batched: requests do not wait, and a crash may lose the last moments. strict: the intent is on "
        "disk before the app is asked and the outcome before the answer leaves, or the answer is 503.",
    )
    queue: Annotated[int, Field(ge=100, le=1_000_000)] = Field(
        default=10_000, description="Records that may wait to be written."
    )
    full: Literal["wait", "refuse"] = Field(
        default="wait",
        description="Where so many wait: requests wait for room once they have been answered, or those that would be "
        "recorded are refused with 503 before the app is asked.",
    )
    gather: Annotated[Duration, Field(ge=0.001, le=10)] = Field(
        default=0.05,
        description="How long a batch gathers records before it is written; so much a crash may lose. Longer: less "
        "work for the disk.",
    )
    checkpoints: CheckpointSettings = Field(
        default=CheckpointSettings(), description="How often the log is signed, and where what was signed goes."
    )
    retention: RetentionSettings = Field(default=RetentionSettings(), description="When old records go.")
    pseudonyms: tuple[Personal, ...] = Field(
        default=(),
        examples=[["actor", "address"]],
        description="What of a record identifies people and is kept as a pseudonym, under a key for each person: "
        "`narthex audit erase` takes that away. Endpoint and commands show names for as long as the key is there.",
    )
    path: _Path = Field(default="/audit", description="Path of the endpoints, below `prefix`.")
