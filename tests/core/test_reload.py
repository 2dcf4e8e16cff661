"""One configuration follows another: what stays, what goes, what exchanges under way see of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from narthex import BootError, Deny, Exchange, House, Narthex, Settings, hookimpl
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.config import load
from narthex.errors import ConfigError, StartError
from narthex.events import HouseReloaded, HouseStarted
from narthex.testing import config, http_scope, request
from tests.apps import Hello, app_of, body, start
from tests.core.test_lifespan import Server
from tests.guests import offer


class NoteSettings(Settings):
    """What to say."""

    word: str = "hello"
    fails: bool = False


class Note:
    """Sends its word with every answer, and remembers what happened to it."""

    name = "note"
    Settings = NoteSettings
    diary: list[str] = []  # noqa: RUF012  shared on purpose
    made: list["Note"] = []  # noqa: RUF012

    def __init__(self, settings: NoteSettings, house: House) -> None:
        self.settings = settings
        self.house = house
        self.seen: list[Exchange] = []
        self.ticks = 0
        house.spawn(self._tick)
        house.events.subscribe(HouseStarted, lambda _event: self.diary.append(f"{self.settings.word} hears"))
        self.made.append(self)

    async def _tick(self) -> None:
        self.ticks += 1
        await asyncio.Event().wait()

    @hookimpl
    async def start(self) -> None:
        self.diary.append(f"{self.settings.word} starts")
        if self.settings.fails:
            raise LookupError("nothing found")

    @hookimpl
    async def stop(self) -> None:
        self.diary.append(f"{self.settings.word} stops")

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [(b"x-word", self.settings.word.encode())]

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        self.seen.append(exchange)


NOTE = "tests.core.test_reload:Note"


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Note, "diary", [])
    monkeypatch.setattr(Note, "made", [])


def note(word: str = "hello", **keys: object) -> dict[str, object]:
    return {"use": NOTE, "word": word, **keys}


@asynccontextmanager
async def serving(app: ASGIApp, tables: Mapping[str, Any]) -> AsyncIterator[Narthex]:
    house = Narthex(app, tables)
    server = Server(house)
    await server.tell("startup")
    try:
        yield house
    finally:
        await server.tell("shutdown")
        await server.task


async def word(house: Narthex) -> str | None:
    return (await request(house, "GET", "/")).headers.get("x-word")


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_plugin_is_switched_on_changed_and_off_between_two_requests() -> None:
    async def main() -> list[str | None]:
        async with serving(Hello(), {}) as house:
            words = [await word(house)]
            for tables in (config(n=note("one")), config(n=note("two")), {}):
                await house.reload(tables)
                words.append(await word(house))
            return words

    assert asyncio.run(main()) == [None, "one", "two", None]
    assert sorted(Note.diary) == ["one starts", "one stops", "two starts", "two stops"]


def test_what_changed_is_said_with_a_digest_that_names_the_configuration() -> None:
    async def main() -> None:
        told: list[HouseReloaded] = []
        async with serving(Hello(), config(a=note(), b=note())) as house:
            house._estate.events.subscribe(HouseReloaded, told.append)
            changed = await house.reload(config(b=note("new"), c=note()))
            back = await house.reload(config(b=note("new"), c=note()))
        assert (changed.added, changed.changed, changed.removed) == (("c",), ("b",), ("a",))
        assert (back.added, back.changed, back.removed) == ((), (), ())
        assert changed.digest == back.digest == told[0].digest

    asyncio.run(main())


def test_a_plugin_whose_table_is_the_same_keeps_its_instance_its_tasks_and_its_subscriptions() -> None:
    async def main() -> None:
        async with serving(Hello(), config(a=note("a"))) as house:
            (guest,) = house.guests
            for _ in range(3):
                await house.reload(config(b=note("b"), a=note("a", timeout="9s")))
            assert house.guests[1].plugin is guest.plugin
            await until(lambda: Note.made[0].ticks == 1)
            house._estate.events.publish(HouseStarted(plugins=()))

    asyncio.run(main())
    assert Note.diary.count("a starts") == Note.diary.count("b starts") == 1
    assert Note.diary.count("a hears") == 2
    assert Note.diary[-2:] == ["a stops", "b stops"]


def test_plugins_are_released_in_the_reverse_order_of_the_file_that_is_followed() -> None:
    async def main() -> None:
        async with serving(Hello(), config(a=note("a"), b=note("b"))) as house:
            await house.reload(config(b=note("b"), c=note("c"), a=note("a")))

    asyncio.run(main())
    assert Note.diary[-3:] == ["a stops", "c stops", "b stops"]


@pytest.mark.parametrize(
    "bad",
    [
        {"plugins": {"n": {"use": NOTE, "wrod": "x"}}},
        {"plugins": {"n": {"use": "tests.core.test_reload:Nobody"}}},
        {"plugins": {"n": note("new", fails=True)}},
        {"plugins": {"m": note("new"), "n": note("newer", fails=True)}},
        {"narthex": {"store": "memory"}},
        {"narthex": {"prefix": "/other", "drain": "1s"}},
    ],
)
def test_what_cannot_be_followed_is_refused_and_everything_is_as_before(bad: dict[str, Any]) -> None:
    async def main() -> None:
        async with serving(Hello(), config(n=note("old"))) as house:
            with pytest.raises(BootError):
                await house.reload(bad)
            assert await word(house) == "old"
            assert [unit.name for unit in house._life._units].count("plugin n") == 1

    asyncio.run(main())
    starts = [line.split()[0] for line in Note.diary if line.endswith("starts")]
    stops = [line.split()[0] for line in Note.diary if line.endswith("stops")]
    assert sorted(starts) == sorted(stops)
    assert stops[-1] == "old"


def test_what_needs_a_restart_is_named_with_its_line(tmp_path: Any) -> None:
    file = tmp_path / "narthex.toml"
    file.write_text("[narthex]\n")

    async def main() -> str:
        async with serving(Hello(), load(file, {})) as house:  # type: ignore[arg-type]
            file.write_text('[narthex]\nopen = ["/x"]\nprefix = "/other"\n')
            with pytest.raises(ConfigError) as caught:
                await house.reload(load(file, {}))
            return str(caught.value)

    assert "narthex.toml:3" in (text := asyncio.run(main()))
    assert "prefix has changed, which needs a restart" in text


def test_a_house_that_does_not_serve_has_nothing_to_reload() -> None:
    async def main() -> None:
        house = Narthex(Hello(), config(n=note()))
        with pytest.raises(StartError):
            await house.reload({})
        assert len(house.guests) == 1

    asyncio.run(main())


class Held:
    """An app whose answer waits until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.entered = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/held":
            self.entered.set()
            await self.go.wait()
        await Hello()(scope, receive, send)


def test_an_exchange_finishes_on_the_configuration_it_began_with_and_its_plugin_waits_for_it() -> None:
    async def main() -> None:
        app = Held()
        async with serving(app, config(n=note("old"))) as house:
            held = asyncio.ensure_future(request(house, "GET", "/held"))
            await app.entered.wait()
            await house.reload(config(n=note("new")))
            assert await word(house) == "new"
            assert "old stops" not in Note.diary
            app.go.set()
            assert (await held).headers["x-word"] == "old"
            await until(lambda: "old stops" in Note.diary)
            old, new = Note.made
            assert (len(old.seen), len(new.seen)) == (1, 1)

    asyncio.run(main())


def test_after_drain_a_plugin_stops_and_the_new_one_takes_note_of_what_outlived_it() -> None:
    async def main() -> None:
        app = Held()
        short = {"narthex": {"drain": "50ms"}}
        async with serving(app, {**short, **config(n=note("old"))}) as house:
            held = asyncio.ensure_future(request(house, "GET", "/held"))
            await app.entered.wait()
            await house.reload({**short, **config(n=note("new"))})
            await until(lambda: "old stops" in Note.diary)
            app.go.set()
            assert (await held).status == 200
            old, new = Note.made
            assert (len(old.seen), len(new.seen)) == (0, 1)

    asyncio.run(main())


def test_a_house_that_stops_while_plugins_retire_releases_them_too() -> None:
    async def main() -> None:
        app = Held()
        async with serving(app, config(n=note("old"))) as house:
            held = asyncio.ensure_future(request(house, "GET", "/held"))
            await app.entered.wait()
            await house.reload(config(n=note("new")))
        app.go.set()
        await held

    asyncio.run(main())
    assert sorted(Note.diary[-2:]) == ["new stops", "old stops"]


class Word(Protocol):
    """Says a word to other plugins."""

    word: str


def teller(say: str) -> dict[str, object]:
    return {"use": "tests.core.test_reload:Teller", "word": say}


class Teller:
    """Offers its word."""

    name = "teller"
    Settings = NoteSettings

    def __init__(self, settings: NoteSettings, house: House) -> None:
        self.word = settings.word
        house.provide(Word, self)


class Asker:
    """Asks for the word when it starts, and keeps it."""

    name = "asker"
    Settings = NoteSettings

    def __init__(self, settings: NoteSettings, house: House) -> None:
        self._house = house

    @hookimpl
    def start(self) -> None:
        self._given = self._house.service(Word)  # type: ignore[type-abstract]

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [(b"x-word", self._given.word.encode() if self._given is not None else b"nothing")]


ASKER = {"use": "tests.core.test_reload:Asker"}


def test_a_plugin_that_was_given_another_ones_service_is_made_anew_with_it() -> None:
    async def main() -> list[str | None]:
        async with serving(Hello(), config(a=ASKER)) as house:
            words = [await word(house)]
            for tables in (config(a=ASKER, t=teller("one")), config(a=ASKER, t=teller("two")), config(a=ASKER)):
                await house.reload(tables)
                words.append(await word(house))
            return words

    assert asyncio.run(main()) == ["nothing", "one", "two", "nothing"]


def test_a_plugin_that_asks_stays_where_what_it_was_given_stays() -> None:
    async def main() -> bool:
        async with serving(Hello(), config(t=teller("one"), a=ASKER)) as house:
            before = house.guests[1].plugin
            await house.reload(config(n=note(), t=teller("one"), a=ASKER))
            return house.guests[2].plugin is before

    assert asyncio.run(main())


def test_two_who_offer_the_same_are_refused_at_reload_as_they_are_at_boot() -> None:
    async def main() -> str | None:
        async with serving(Hello(), config(t=teller("one"), a=ASKER)) as house:
            with pytest.raises(BootError):
                await house.reload(config(t=teller("one"), u=teller("two"), a=ASKER))
            return await word(house)

    assert asyncio.run(main()) == "one"


def test_a_stream_goes_on_through_reloads_and_a_guard_holds_at_once() -> None:
    async def stream(receive: Receive, send: Send) -> None:
        await send(start())
        while True:
            await send(body(b"tick", more=True))
            await asyncio.sleep(0.001)

    async def main() -> list[Message]:
        said: list[Message] = []

        async def hear(message: Message) -> None:
            said.append(message)

        async with serving(app_of(stream), config(n=note("old"))) as house:
            task = asyncio.ensure_future(house(http_scope("GET", "/"), asyncio.Event().wait, hear))  # type: ignore[arg-type]
            await until(lambda: len(said) > 3)
            for _ in range(20):
                await house.reload(config(n=note("new"), g=offer(vet=lambda exchange: Deny(403, "closed"))))
                assert (await request(house, "GET", "/")).status == 403
                await house.reload(config(n=note("old")))
            count = len(said)
            await until(lambda: len(said) > count + 3)
            task.cancel()
            await asyncio.wait([task])
        return said

    assert {message["type"] for message in asyncio.run(main())[1:]} == {"http.response.body"}


def test_subscriptions_made_at_start_are_not_doubled_by_a_second_life() -> None:
    heard: list[object] = []
    made: list[House] = []

    def begin() -> None:
        made[-1].events.subscribe(HouseStarted, heard.append)

    table = offer(start=begin)

    async def main(house: Narthex) -> None:
        await Server(house).through()

    house = Narthex(Hello(), config(a=table))
    made.append(_house_of(house))
    for _ in range(2):
        asyncio.run(main(house))
    assert len(heard) == 2


def _house_of(house: Narthex) -> House:
    (guest,) = house.guests
    return House(house._estate, guest.room, guest.name)


def test_each_member_says_which_configuration_it_follows(tmp_path: Path) -> None:
    house_table = {"narthex": {"store": f"sqlite:///{tmp_path / 'narthex.db'}"}}
    book: dict[str, dict[str, Any]] = {"guestbook": {}}

    async def main() -> None:
        async with serving(Hello(), {**house_table, "plugins": book}) as house:
            store: Any = house._estate.store
            (before,) = await store.members()
            assert before.digest == house.digest
            await house.reload({**house_table, **config(**book, n=note())})
            await store.write(store.membership.beat)
            (after,) = await store.members()
            assert after.digest == house.digest != before.digest

    asyncio.run(main())


def test_the_first_plugin_that_keeps_something_opens_the_store_and_another_adds_its_tables(tmp_path: Path) -> None:
    house_table = {"narthex": {"store": f"sqlite:///{tmp_path / 'narthex.db'}"}}

    async def main() -> list[int | None]:
        async with serving(Hello(), house_table) as house:
            await house.reload({**house_table, "plugins": {"guestbook": {}}})
            await request(house, "GET", "/visited")
            await until(lambda: house._estate.stored)
            return [(await request(house, "GET", "/_narthex/guestbook")).status for _ in range(2)]

    assert asyncio.run(main()) == [200, 200]


def test_two_reloads_at_once_follow_one_another() -> None:
    async def main() -> str | None:
        async with serving(Hello(), {}) as house:
            await asyncio.gather(*(house.reload(config(n=note(text))) for text in ("one", "two", "three")))
            return await word(house)

    assert asyncio.run(main()) == "three"
