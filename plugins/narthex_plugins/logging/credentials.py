"""What is secret by where it came from: the credentials of the request, and the secrets of the environment.

A detector knows a token by its form, these are known by themselves: whatever the app makes of them, in a line they
do not stand.
"""

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from narthex.detectors import Names, Weight
from narthex.detectors.looks import decoded
from narthex.exchange import Exchange

_KEY: Final = "narthex.logging"
_SHORTEST: Final = 8  # characters; shorter ones are found in the middle of words
_SHORTEST_OF_ENVIRONMENT: Final = 12  # of passwords such as "postgres" lines are full
_MOST: Final = 20


def of_exchange(exchange: Exchange, names: Names) -> tuple[str, ...]:
    """What this caller sent to say who it is: the Authorization header, cookies, keys in headers and the query.

    Worked out at the first line that is logged in an exchange, which costs some 10 µs, and kept with it.
    """
    kept: tuple[str, ...] | None = exchange.state.get(_KEY)
    if kept is None:
        kept = exchange.state[_KEY] = _forms(_sent(exchange, names))
    return kept


def of_environment(names: Names, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Values of variables that are named like secrets, `STRIPE_API_KEY` or `DB_PASSWORD`, as they are now."""
    values = (value for name, value in environment.items() if names.weight(name) > Weight.MAYBE)
    return tuple(value for value in values if len(value) >= _SHORTEST_OF_ENVIRONMENT and "/" not in value[:2])


def _sent(exchange: Exchange, names: Names) -> list[str]:
    sent: list[str] = []
    for name, value in exchange.headers.raw:
        weight = names.weight(name.decode("latin-1"))
        text = value.decode("latin-1")
        if name.lower() == b"cookie":
            sent += [pair.partition("=")[2].strip('" ') for pair in text.split(";") if len(pair) > 2 * _SHORTEST]
        elif weight is Weight.FIELD:
            sent += _authorization(text)
        elif weight > Weight.MAYBE:
            sent.append(text)
    for pair in exchange.query.split("&") if exchange.query else ():
        key, _, given = pair.partition("=")
        if names.in_query(unquote(key)) > Weight.MAYBE:
            sent.append(unquote(given))
    return sent


def _authorization(value: str) -> list[str]:
    scheme, _, rest = value.partition(" ")
    token = rest.strip() or scheme
    password = decoded(token).partition(":")[2] if scheme.lower() == "basic" else ""
    return [token, password]


def _forms(values: list[str]) -> tuple[str, ...]:
    """The values, longest first, also percent-encoded and with the escapes of JSON and of `repr`."""
    forms: dict[str, None] = {}
    for value in values[:_MOST]:
        if len(value) >= _SHORTEST:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            forms |= dict.fromkeys((value, quote(value), quote(value, safe=""), escaped))
    return tuple(sorted(forms, key=len, reverse=True))
