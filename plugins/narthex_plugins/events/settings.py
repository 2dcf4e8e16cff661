"""What the `[plugins.events]` table holds."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from narthex import Settings
from narthex.config import Duration, PathPattern, Size
from narthex_plugins.events.topics import Pattern

_Path = Annotated[PathPattern, Field(pattern=r"^/[^*{}?#]*[^*{}?#/]$")]
_WORD: Final = r"(?:[\w.-]+|\{[a-z_]+\})"
_NEEDED: Final = re.compile(rf"public|authenticated|{_WORD}(:{_WORD})+", re.ASCII)
_NAME: Final = re.compile(r"\{([a-z_]+)\}")


def _is_pattern(text: str) -> str:
    Pattern.read(text, names=True)
    return text


def _is_needed(text: str) -> str:
    if len(text) > 200 or not _NEEDED.fullmatch(text):
        raise ValueError('write "public", "authenticated" or a permission: "orders:read", "canvas:{collection}:read"')
    return text


def _is_permission(text: str) -> str:
    if text in ("public", "authenticated"):
        raise ValueError('publishing needs a permission, such as "orders:write"')
    return _is_needed(text)


_Pattern = Annotated[str, AfterValidator(_is_pattern)]
_Needed = Annotated[str, AfterValidator(_is_needed)]
_Permission = Annotated[str, AfterValidator(_is_permission)]


class TopicSettings(Settings):
    """Some topics: who may read them, who may publish over HTTP, and whether they are kept."""

    topic: _Pattern = Field(
        examples=["canvas.{collection}.>"],
        description="Which: words joined by dots, * or {name} for one of them, > at the end for all that follow.",
    )
    read: _Needed | None = Field(
        default=None,
        examples=["canvas:{collection}:read"],
        description='Who may read: "public", "authenticated" or a permission, in which {name} stands for that word of '
        "the topic. Unless given, as the table's `read` says.",
    )
    owner: Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")] | None = Field(
        default=None,
        examples=["subject"],
        description="Field of the data; whoever it names as subject may read the event without the permission.",
    )
    publish: _Permission | None = Field(
        default=None,
        examples=["canvas:{collection}:write"],
        description="Permission to publish over HTTP. Unless given, as the table's `publish` says.",
    )
    durable: bool = Field(
        default=False,
        description="Kept in the store for as long as `retention` says, so that clients that come back miss nothing.",
    )

    @model_validator(mode="after")
    def _names_are_the_topics(self) -> "TopicSettings":
        names = set(_NAME.findall(self.topic))
        for needed in (self.read, self.publish):
            unknown = set(_NAME.findall(needed or "")) - names
            if unknown:
                raise ValueError(f"the topic has no word named {{{unknown.pop()}}}")
        return self


class EventsSettings(Settings):
    """Which events are streamed, to whom, and what is kept of them."""

    topics: tuple[TopicSettings, ...] = Field(
        default=(), description="What holds for some topics. Their order means nothing: the narrower pattern counts."
    )
    read: _Needed = Field(default="events:read", description="What reading needs where `topics` says nothing of it.")
    publish: _Permission = Field(
        default="events:publish", description="What publishing over HTTP needs where `topics` says nothing of it."
    )
    house: bool = Field(
        default=True,
        description="Publish what plugins tell of on the house's bus: logins, revocations, refusals, alerts. Secrets "
        "are taken out.",
    )
    house_rate: Annotated[float, Field(ge=1, le=10_000)] = Field(
        default=100.0,
        description="Events of the house a second and process at most, so that a flood of refusals is no flood of "
        "events; what is more is counted and left out.",
    )
    retention: Annotated[Duration, Field(ge=60)] = Field(
        default=604_800.0, description="How long events of durable topics are kept."
    )
    largest: Annotated[Size, Field(ge=256, le=1_048_576)] = Field(
        default=65_536, description="Size of an event at most, as JSON."
    )
    queue: Annotated[Size, Field(ge=1024)] = Field(
        default=1_048_576, description="What may wait for one client that reads too slowly."
    )
    slow: Literal["drop", "disconnect"] = Field(
        default="drop",
        description="What happens when more waits: the oldest is dropped and the client is told, or the stream ends, "
        "and the client comes back and resumes.",
    )
    streams: Annotated[int, Field(ge=1)] = Field(default=10_000, description="Open streams of a process at most.")
    streams_each: Annotated[int, Field(ge=1)] = Field(
        default=100,
        description="Open streams of one subject in a process at most; of one address, where the caller is anonymous.",
    )
    heartbeat: Annotated[Duration, Field(ge=1, le=3600)] = Field(
        default=15.0, description="How long a stream is silent before a heartbeat; shorter than proxies wait."
    )
    retry: Annotated[Duration, Field(ge=0.1, le=3600)] = Field(
        default=2.0,
        description="How long clients wait before they come back; each is told up to half more, so that they do not "
        "come all at once.",
    )
    recheck: Annotated[Duration, Field(ge=0.1, le=300)] = Field(
        default=5.0, description="How long a stream goes on by a permission that was taken away while it is open."
    )
    path: _Path = Field(default="/events", description="Path below `prefix`; the websocket is at `/ws` below it.")

    @model_validator(mode="after")
    def _topics_differ(self) -> "EventsSettings":
        seen = set[str]()
        for one in self.topics:
            plain = _NAME.sub("*", one.topic)
            if plain in seen:
                raise ValueError(f"two tables of `topics` speak of {one.topic}; which one counts nobody could say")
            seen.add(plain)
        return self
