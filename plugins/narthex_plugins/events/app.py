"""What an app calls: `publish`, `publish_blocking`, `post`. Without the plugin nothing happens."""

from typing import Final, Protocol

from narthex.context import current_exchange
from narthex_plugins.events.event import Published
from narthex_plugins.events.publishing import Publisher


class Desk(Protocol):
    """An instance of the plugin that runs."""

    @property
    def desk(self) -> tuple[int, str]:
        """Which house of the process, and the instance's name; the same before and after a reload."""
        ...

    @property
    def publisher(self) -> Publisher:
        """Takes what is published."""
        ...

    def deliver(self, event: Published) -> None:
        """Hand a transient event to this instance's own streams."""
        ...


DESKS: Final[list[Desk]] = []
"""The instances of this process; of two with one name the later one publishes, the other is on its way out."""


async def publish(topic: str, data: object, key: str | None = None) -> str | None:
    """Publish an event in every instance of the plugin that runs.

        await events.publish("canvas.saved", {"collection": "ideas", "version": 7}, key="canvas-12")

    Args:
        topic: words of letters, digits, `_` and `-`, joined by dots; at most 200 characters.
        data: whatever JSON can say.
        key: what it is about, so that clients may ask for it alone.

    Returns:
        The event's id where its topic is durable: then it is on disk. Else None: it was handed on.

    Raises:
        EventError: it is no event; nothing was published.
        DependencyError: the topic is durable, and the store does not take it.

    Cost: some 10 µs, and 0.1 µs for each stream that gets it; of a durable topic the wait for one group commit.
    """
    given: str | None = None
    for desk, event in _made(topic, data, key):
        await desk.publisher.publish(event)
        _tell_others(desk, event)
        given = given or event.id or None
    return given


def publish_blocking(topic: str, data: object, key: str | None = None) -> str | None:
    """As `publish`, from a thread other than the event loop's: a plain view, or a job."""
    given: str | None = None
    for desk, event in _made(topic, data, key):
        desk.publisher.publish_blocking(event)
        given = given or event.id or None
    return given


def post(topic: str, data: object, key: str | None = None) -> None:
    """Publish soon, without waiting, from any thread; what is not on disk yet may be lost with the process.

    Raises:
        EventError: it is no event; nothing was published.
    """
    for desk, event in _made(topic, data, key):
        desk.publisher.post(event)


def _made(topic: str, data: object, key: str | None) -> list[tuple[Desk, Published]]:
    exchange = current_exchange()
    request = None if exchange is None else exchange.id
    return [(desk, desk.publisher.made(topic, data, key, request)) for desk in current()]


def current() -> list[Desk]:
    """Of each name the latest instance."""
    return list({desk.desk: desk for desk in DESKS}.values())


def _tell_others(desk: Desk, event: Published) -> None:
    """Have streams of an instance that a reload has replaced get transient events too, until they end."""
    if not event.mark:
        for other in DESKS:
            if other is not desk and other.desk == desk.desk:
                other.deliver(event)
