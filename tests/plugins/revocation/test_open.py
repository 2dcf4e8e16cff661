"""What is open when something is revoked: closed where it is covered, left alone where it is not or in shadow mode."""

import asyncio
import logging
from typing import Any

import pytest

from narthex.services import TokenRevoker
from narthex.testing import websocket_scope
from narthex_plugins.revocation.events import SessionRevoked
from tests.plugins.revocation.test_plugin import Place, config, place

LONG_AGO, NOW = "alice - - 100", "alice - - 0"


async def waiting(scope: Any, receive: Any, send: Any) -> None:
    """Accept, and wait for the client to go."""
    if scope["type"] == "lifespan":
        return
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        continue


class Socket:
    """A websocket that stays open until somebody closes it."""

    def __init__(self, here: Place, who: str) -> None:
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.sent: list[Any] = []
        scope = websocket_scope("/", [("x-who", who)])
        self._task = asyncio.ensure_future(here.client.house(scope, self._incoming.get, self._send))

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def accepted(self) -> "Socket":
        while not self.sent:
            await asyncio.sleep(0.001)
        return self

    async def ended(self) -> None:
        async with asyncio.timeout(20):
            await self._task

    async def closed(self) -> int:
        """The code it was closed with."""
        await self.ended()
        code: int = self.sent[-1]["code"]
        return code

    async def is_open(self) -> bool:
        """Whether it is; the client goes."""
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.ended()
        return len(self.sent) == 1


def revoker(here: Place) -> TokenRevoker:
    found = here.plugin._house.service(TokenRevoker)  # type: ignore[type-abstract]
    assert found is not None
    return found


def test_of_two_sockets_that_only_differ_in_age_the_one_that_is_covered_is_closed() -> None:
    with place(serve=waiting) as here:

        async def main() -> tuple[int, bool]:
            old, new = await Socket(here, LONG_AGO).accepted(), await Socket(here, NOW).accepted()
            facts = await here.plugin._revoker.subject("alice", "us", here.clock.now() - 50, "", None)
            await here.plugin._revoker.revoke(facts)
            return await old.closed(), await new.is_open()

        assert here.client.run(main()) == (4401, True)


def test_in_shadow_mode_nothing_is_refused_or_closed_and_all_of_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "narthex.shadow")
    with place(serve=waiting, mode="shadow") as here:

        async def main() -> tuple[bool, bool]:
            socket = await Socket(here, "alice t1 s1 0").accepted()
            await revoker(here).revoke_session("s1", "us", "", None)
            after = await Socket(here, "alice t1 s1 0").accepted()
            return await socket.is_open(), await after.is_open()

        assert here.client.run(main()) == (True, True)
        assert "revocation would have ended 1 exchanges under way" in caplog.text
        assert "session_revoked" in caplog.text
        assert any(isinstance(one, SessionRevoked) for one in here.told)


def test_when_shadow_mode_is_over_what_was_revoked_meanwhile_is_closed_and_refused() -> None:
    with place(serve=waiting, mode="shadow") as here:

        async def main() -> tuple[int, str]:
            socket = await Socket(here, "alice t1 s1 0").accepted()
            await revoker(here).revoke_session("s1", "us", "", None)
            await here.client.house.reload(config())
            late = Socket(here, "alice t1 s1 0")
            await late.ended()
            return await socket.closed(), late.sent[0]["type"]

        assert here.client.run(main()) == (4401, "websocket.http.response.start")


def test_what_is_revoked_as_the_clock_is_set_back_is_told_and_closes() -> None:
    with place(serve=waiting) as here:

        async def main() -> int:
            await revoker(here).revoke_token("t0", "us", here.clock.now() + 60, "", None)
            here.clock.advance(5000)
            here.plugin._entries.drop(here.clock.now())
            socket = await Socket(here, "alice t1 s1 0").accepted()
            here.clock.advance(-5000)
            await revoker(here).revoke_session("s1", "us", "", None)
            return await socket.closed()

        assert here.client.run(main()) == 4401
        assert [one.version for one in here.told if isinstance(one, SessionRevoked)] == [2]
