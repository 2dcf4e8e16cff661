"""Who may read which topic, and which topics are kept. Plain values in, verdicts out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from narthex_plugins.events.settings import EventsSettings
from narthex_plugins.events.topics import Pattern

PUBLIC: Final = "public"
AUTHENTICATED: Final = "authenticated"
_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Need:
    """What holds for one topic.

    Attributes:
        read: "public", "authenticated" or a permission.
        owner: path to the field that names whose event it is, or ().
        publish: the permission to publish over HTTP.
        durable: whether its events are kept.
    """

    read: str
    owner: tuple[str, ...]
    publish: str
    durable: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: Pattern
    read: str
    owner: tuple[str, ...]
    publish: str
    durable: bool

    def need(self, topic: tuple[str, ...]) -> Need:
        names = self.pattern.named(topic)
        return Need(_filled(self.read, names), self.owner, _filled(self.publish, names), self.durable)


class Rules:
    """What the settings say of topics. Of two patterns the narrower one counts; their order means nothing."""

    def __init__(self, settings: EventsSettings) -> None:
        given = [
            _Rule(
                Pattern.read(one.topic, names=True),
                one.read or settings.read,
                tuple(one.owner.split(".")) if one.owner else (),
                one.publish or settings.publish,
                one.durable,
            )
            for one in settings.topics
        ]
        rest = _Rule(Pattern((">",)), settings.read, (), settings.publish, durable=False)
        self._rules = sorted(
            [*given, rest], key=lambda rule: rule.pattern.width
        )  # stable: the file's own `>` comes first
        self._known: dict[str, Need] = {}

    @property
    def any_public(self) -> bool:
        """Whether some topic may be read by anybody."""
        return any(rule.read == PUBLIC for rule in self._rules)

    @property
    def any_durable(self) -> bool:
        """Whether events of any topic are kept."""
        return any(rule.durable for rule in self._rules)

    def of(self, topic: str) -> Need:
        """What holds for a topic. Cost: one look-up, once it is known."""
        found = self._known.get(topic)
        if found is None:
            words = tuple(topic.split("."))
            found = next(rule for rule in self._rules if rule.pattern.matches(words)).need(words)
            if len(self._known) >= _KNOWN:  # topics may have ids in them
                self._known.clear()
            self._known[topic] = found
        return found

    def lacking(self, pattern: Pattern, may: Callable[[str], bool]) -> str:
        """What somebody lacks who could read nothing at all of what a pattern means; "" where there may be something.

        Args:
            pattern: what they ask for.
            may: whether they have "public", "authenticated" or a permission.
        """
        if pattern.exact:
            need = self.of(str(pattern))
            return "" if need.owner or may(need.read) else need.read
        meeting = [rule for rule in self._rules if rule.pattern.meets(pattern)]
        if any(rule.owner or "{" in rule.read or may(rule.read) for rule in meeting):
            return ""
        return meeting[0].read


def _filled(needed: str, names: dict[str, str]) -> str:
    for name, word in names.items():
        needed = needed.replace(f"{{{name}}}", word)
    return needed
