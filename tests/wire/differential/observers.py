"""Which plugins stand in front of the app in the third process of each cell."""

from pathlib import Path
from typing import Any, Final

OBSERVERS: Final[dict[str, dict[str, Any]]] = {
    "logging": {"output": "observed.jsonl"},
    "health": {},
    "guestbook": {},
}
"""Every plugin that watches and refuses nobody, with its settings. A new observer is one more line here."""


def configuration(dressed: str, place: Path) -> dict[str, Any] | None:
    """What `Narthex(app, ...)` is given: nothing for "plain", all of them for "observers"."""
    if dressed == "plain":
        return None
    plugins = {name: dict(settings) for name, settings in OBSERVERS.items()}
    plugins["logging"]["output"] = str(place / plugins["logging"]["output"])
    return {"narthex": {"store": f"sqlite:///{place / 'observed.db'}"}, "plugins": plugins}
