"""What the app does not see of how its caller is known."""

import asyncio
from typing import Any

import pytest

from narthex import Exchange, Identity
from narthex.context import exchange_var
from narthex.testing import an_exchange
from narthex_plugins.auth.credentials import Reader
from narthex_plugins.auth.hiding import Hidden

OURS = Reader(("__Host-ours",), ())
OTHERS = Reader(("__Host-others",), ())


def seen(exchange: Exchange, reader: Reader) -> dict[bytes, bytes]:
    """The header fields that an app behind `Hidden` gets."""
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append(scope)

    async def main() -> None:
        exchange_var.set(exchange)
        await Hidden(app, reader).call(dict(exchange.scope), None, None)  # type: ignore[arg-type]  # not used

    asyncio.run(main())
    return dict(got[0]["headers"])


@pytest.mark.parametrize("via", ["header", OTHERS.header, None])
def test_our_cookie_is_taken_away_whoever_else_has_known_the_caller(via: str | None) -> None:
    identity = None if via is None else Identity(subject="alice", via=via)
    exchange = an_exchange("GET", "/", [("cookie", "theme=dark; __Host-ours=secret")], identity=identity)
    assert seen(exchange, OURS) == {b"cookie": b"theme=dark"}


def test_nothing_is_looked_for_where_our_own_token_stood_alone() -> None:
    identity = Identity(subject="alice", via=OURS.header)
    assert seen(an_exchange("GET", "/", [("cookie", "theme=dark")], identity=identity), OURS) == {
        b"cookie": b"theme=dark"
    }
