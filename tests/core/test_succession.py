"""What a reload leaves to those who stay, to those who come, and where it is given up."""

import asyncio
from typing import Any

import pytest

from narthex import House, hookimpl
from narthex.errors import StartError
from narthex.events import HouseStarted
from narthex.testing import Hello, config
from tests.core.test_reload import Note, _forget, note, serving, until, word
from tests.guests import NoSettings, offer, seat

__all__ = ["_forget"]


def test_the_digest_names_whatever_makes_a_difference() -> None:
    tables: list[dict[str, Any]] = [
        config(n=note()),
        config(n=note("other")),
        config(n=note(timeout=3)),
        config(m=note()),
        {"narthex": {"open": ["/"]}, **config(n=note())},
    ]

    async def main() -> list[str]:
        async with serving(Hello(), {}) as house:
            return [(await house.reload(table)).digest for table in (*tables, tables[0])]

    first, *others, again = asyncio.run(main())
    assert (len({first, *others}), again) == (len(tables), first)


def test_a_shadow_mode_or_a_setting_of_the_house_reaches_a_plugin_that_stays() -> None:
    class Watcher:
        name = "watcher"
        Settings = NoSettings

        def __init__(self, settings: NoSettings, house: House) -> None:
            seen.append(house)

        @hookimpl
        def vet(self, exchange: object) -> None:
            return None

    seen: list[House] = []

    async def main() -> list[object]:
        async with serving(Hello(), config(w=seat(Watcher))) as house:
            await house.reload({"narthex": {"open": ["/x"]}, **config(w={**seat(Watcher), "mode": "shadow"})})
            (guest,) = house.guests
            return [len(seen), seen[0].shadow, guest.table.mode, [str(one) for one in seen[0].settings.open]]

    assert asyncio.run(main()) == [1, True, "shadow", ["/x"]]


def test_another_class_under_the_same_name_is_another_plugin() -> None:
    class Louder(Note):
        @hookimpl
        def respond(self, exchange: object) -> list[tuple[bytes, bytes]]:
            return [(b"x-word", self.settings.word.upper().encode())]

    async def main() -> list[str | None]:
        async with serving(Hello(), config(n=note())) as house:
            words = [await word(house)]
            await house.reload(config(n={**seat(Louder), "word": "hello"}))
            return [*words, await word(house)]

    assert asyncio.run(main()) == ["hello", "HELLO"]


def test_what_a_new_plugin_has_spawned_begins_when_it_is_followed() -> None:
    async def main() -> None:
        async with serving(Hello(), {}) as house:
            await house.reload(config(n=note()))
            (made,) = Note.made
            await until(lambda: made.ticks == 1)
            assert made.ticks == 1

    asyncio.run(main())


def test_what_was_made_for_a_reload_that_is_refused_hears_and_does_nothing() -> None:
    async def main() -> None:
        async with serving(Hello(), {}) as house:
            with pytest.raises(StartError, match="b could not be started"):
                await house.reload(config(a=note("a"), b=note("b", fails=True)))
            house._estate.events.publish(HouseStarted(plugins=()))
            await asyncio.sleep(0.01)
            assert [made.ticks for made in Note.made] == [0, 0]

    asyncio.run(main())
    assert Note.diary == ["a starts", "b starts", "b stops", "a stops"]


def test_a_reload_that_is_cancelled_is_given_up() -> None:
    lines: list[str] = []

    async def hang() -> None:
        lines.append("starts")
        await asyncio.Event().wait()

    async def main() -> str | None:
        async with serving(Hello(), config(n=note("old"))) as house:
            reload = asyncio.create_task(house.reload(config(n=note("new"), h=offer(start=hang))))
            await until(lambda: lines)
            reload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reload
            assert [guest.name for guest in house.guests] == ["n"]
            assert "new stops" in Note.diary
            house._estate.events.publish(HouseStarted(plugins=()))
            assert "new hears" not in Note.diary
            return await word(house)

    assert asyncio.run(main()) == "old"
