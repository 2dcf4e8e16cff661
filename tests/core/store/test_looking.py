"""Who follows something looks as soon as it changes, and from time to time in any case."""

import asyncio
from pathlib import Path

import pytest

from narthex.link.looking import keep_looking
from tests.core.store.ground import Boom, open_store
from tests.core.store.test_link import announcing


async def until(looks: list[int], count: int) -> None:
    async with asyncio.timeout(10):
        while len(looks) < count:
            await asyncio.sleep(0.002)


def test_a_change_is_looked_at_long_before_the_next_round(any_url: str, tmp_path: Path) -> None:
    looks: list[int] = []

    async def look() -> None:
        looks.append(1)

    async def main() -> int:
        async with open_store(any_url, tmp_path) as store:
            rounds = asyncio.create_task(keep_looking(store.link, "notes", look, 3600))
            await until(looks, 1)
            await store.write(announcing(store, "notes"))
            await until(looks, 2)
            rounds.cancel()
            await asyncio.wait([rounds])
            await store.write(announcing(store, "notes"))
            await asyncio.sleep(0.05)
            return len(looks)

    assert asyncio.run(main()) < 4  # PostgreSQL's link may have said twice that something changed


def test_what_changes_while_one_looks_is_looked_at_again(any_url: str, tmp_path: Path) -> None:
    looks: list[int] = []

    async def main() -> bool:
        async with open_store(any_url, tmp_path) as store:

            async def look() -> None:
                looks.append(1)
                if len(looks) == 1:
                    await store.write(announcing(store, "notes"))

            rounds = asyncio.create_task(keep_looking(store.link, "notes", look, 3600))
            await until(looks, 2)
            rounds.cancel()
            await asyncio.wait([rounds])
            return rounds.cancelled()

    assert asyncio.run(main())


def test_without_any_word_it_looks_from_time_to_time_until_a_look_raises(any_url: str, tmp_path: Path) -> None:
    looks: list[int] = []

    async def look() -> None:
        looks.append(1)
        if len(looks) == 4:
            raise Boom

    async def main() -> None:
        async with open_store(any_url, tmp_path) as store:
            with pytest.raises(Boom):
                await asyncio.wait_for(keep_looking(store.link, "notes", look, 0.01), 10)

    asyncio.run(main())
    assert len(looks) == 4
