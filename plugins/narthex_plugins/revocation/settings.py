"""What the `[plugins.revocation]` table holds."""

from typing import Annotated

from pydantic import Field

from narthex import Settings
from narthex.config import Duration, PathPattern

_Path = Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*[^*{}?#/]$")]


class RevocationSettings(Settings):
    """What is no longer good: how fast everybody knows, and for how long it is kept."""

    lease: Annotated[Duration, Field(ge=0.1, le=60)] = Field(
        default=1.0,
        description="How long a process may go by what it read last without looking again. Shorter: a revoke call "
        "waits less for a process that does not answer; longer: a store that is down is noticed later.",
    )
    longest: Annotated[Duration, Field(ge=60)] = Field(
        default=86_400.0,
        description="The longest life of a token or cookie session. What was revoked by session, subject or time is "
        "remembered for so long, and whatever was issued longer ago is refused: nobody could say whether it was "
        "revoked. At least auth's session_lifetime where cookies are used.",
    )
    history: Duration = Field(
        default=7_776_000.0,
        description="How long the store keeps who revoked what, when and why; at least as long as it is needed.",
    )
    path: _Path = Field(default="/revocations", description="Path of the list of revocations, below `prefix`.")
    sessions: _Path = Field(default="/sessions", description="Path of the sessions, below `prefix`.")
