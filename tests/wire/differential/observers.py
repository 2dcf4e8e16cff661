"""Which plugins stand in front of the app in the third process of each cell."""

from pathlib import Path
from typing import Any, Final

from narthex.secrets import Secret

OBSERVERS: Final[dict[str, dict[str, Any]]] = {
    "logging": {"output": "{place}/observed.jsonl"},
    "metrics": {},
    "tracing": {"exporter": "none"},
    "health": {},
    "audit": {"requests": "all"},
    "guestbook": {},
}
"""Every plugin that watches and refuses nobody, with its settings. A new observer is one more line here.

`{place}` in a text stands for the directory of the served process.
"""


def configuration(dressed: str, place: Path) -> dict[str, Any] | None:
    """What `Narthex(app, ...)` is given: nothing for "plain", all of them for "observers"."""
    if dressed == "plain":
        return None

    def settled(value: object) -> object:
        return value.replace("{place}", str(place)) if isinstance(value, str) else value

    plugins = {name: {key: settled(value) for key, value in settings.items()} for name, settings in OBSERVERS.items()}
    house = {"store": f"sqlite:///{place / 'observed.db'}", "secret_key": Secret("0123456789abcdef" * 2)}
    return {"narthex": house, "plugins": plugins}
