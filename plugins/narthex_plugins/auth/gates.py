"""Places for work that concerns one key: so many of it at once in this process, and the others wait."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from narthex.errors import DependencyError


class Gates:
    """Gates that are there while somebody uses them.

    Args:
        most: how many may wait or work behind all of them together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._gates: dict[str, _Gate] = {}

    @asynccontextmanager
    async def passing(self, gates: Sequence[tuple[str, int]]) -> AsyncGenerator[None]:
        """Hold a place at each gate.

        Args:
            gates: keys and the places of each. Kinds of keys have to come in one order everywhere: then nobody waits in
                a circle.

        Raises:
            DependencyError: too many are inside.
        """
        if self._inside >= self._most:
            raise DependencyError("too many logins are under way", retry_after=1)
        self._inside += 1
        try:
            async with AsyncExitStack() as held:
                for key, places in gates:
                    await held.enter_async_context(self._place(key, places))
                yield
        finally:
            self._inside -= 1

    @asynccontextmanager
    async def _place(self, key: str, places: int) -> AsyncGenerator[None]:
        gate = self._gates.setdefault(key, _Gate(asyncio.Semaphore(places)))
        gate.users += 1
        try:
            async with gate.places:
                yield
        finally:
            gate.users -= 1
            if not gate.users:
                del self._gates[key]


@dataclass(slots=True)
class _Gate:
    places: asyncio.Semaphore
    users: int = 0
