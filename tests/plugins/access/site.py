"""A house with the plugin, and somebody to ask."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from narthex import Narthex
from narthex.testing import Client, Hello, config

PERSON = {"use": "tests.guests:Person"}


@contextmanager
def serving(store: str = "memory", app: Any = None, **access: Any) -> Generator[Client]:
    """The plugin in front of an app; `x-test-user: alice engineer` is believed."""
    tables = config({"store": store}, person=PERSON, access=access)
    with Client(Narthex(app or Hello(), tables)) as client:
        yield client


def as_(who: str) -> list[tuple[str, str]]:
    """The header that says who asks; "" for nobody."""
    return [("x-test-user", who)] if who else []
