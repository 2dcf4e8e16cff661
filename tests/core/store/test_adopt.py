"""Tables that come later: migrated under the lock while the store serves. Every test runs on both stores."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from narthex.errors import DependencyError, PluginError, StartError
from narthex.store import Store, Tables
from narthex.store.groups import Job
from tests.core.store.ground import log, note, open_store
from tests.core.store.releases import INCOMPATIBLE, ITEMS, NOW, Site, script


@pytest.fixture
def site(store_url: str, tmp_path: Path) -> Iterator[Site]:
    site = Site.at(store_url, tmp_path)
    yield site
    site.close()


def put(tables: Tables, text: str) -> Job[None]:
    """A job for a shop's item."""

    def job(connection: Connection) -> None:
        items = tables.metadata.tables["shop_items"]
        connection.execute(insert(items), {"instance": "shop", "name": text})

    return job


def test_tables_are_adopted_while_records_are_written(site: Site) -> None:
    async def main() -> None:
        async with open_store(site.url, site.directory) as store:
            writing = asyncio.create_task(write_on(store))
            shop = site.release(*NOW)
            await store.adopt([shop])
            await store.write(put(shop, "a pen"))
            assert await writing == list(range(1, 101))
            assert await store.read(log.last) == 100
        assert site.columns("shop_items") == ["instance", "name", "price"]
        assert site.run("SELECT name FROM shop_items") == [("a pen",)]

    async def write_on(store: Store) -> list[int]:
        return [await store.write(note(str(number))) for number in range(100)]

    asyncio.run(main())


def test_adopting_again_changes_nothing(site: Site) -> None:
    async def main() -> None:
        shop = site.release(*NOW)
        async with open_store(site.url, site.directory) as store:
            await asyncio.gather(*(store.adopt([shop]) for _ in range(3)))
            await store.adopt([])
        async with open_store(site.url, site.directory) as store:
            await store.adopt([shop])
        assert site.run("SELECT revision FROM narthex_revisions WHERE plugin = 'shop'") == [("a1",), ("a2",)]

    asyncio.run(main())


def test_two_processes_may_adopt_at_once(site: Site) -> None:
    async def main() -> None:
        shop = site.release(*NOW)
        async with open_store(site.url, site.directory) as one, open_store(site.url, site.directory) as two:
            await asyncio.gather(one.adopt([shop]), two.adopt([shop]))
            await asyncio.gather(one.write(put(shop, "a pen")), two.write(put(shop, "ink")))
        assert len(site.run("SELECT revision FROM narthex_revisions WHERE plugin = 'shop'")) == 2

    asyncio.run(main())


def test_tables_that_cannot_be_had_leave_the_store_as_it_was(site: Site) -> None:
    broken = site.release(ITEMS, script("a2", "a1", "raise ValueError('of the test')"))

    async def main() -> None:
        async with open_store(site.url, site.directory) as store:
            with pytest.raises(StartError, match="of the test"):
                await store.adopt([broken])
            assert await store.write(note("still here")) == 1
            shop = site.release(*NOW)
            await store.adopt([shop])
            with pytest.raises(PluginError, match="two plugins"):
                await store.adopt([site.release(*NOW)])
        assert site.columns("shop_items") == ["instance", "name", "price"]

    asyncio.run(main())


def test_tables_of_a_later_release_are_refused_as_at_the_start(site: Site) -> None:
    site.upgrade(site.release(*NOW, INCOMPATIBLE))

    async def main() -> None:
        async with open_store(site.url, site.directory) as store:
            with pytest.raises(StartError, match="a3"):
                await store.adopt([site.release(*NOW)])
            assert await store.write(note("still here")) == 1

    asyncio.run(main())


def test_a_store_that_is_not_open_adopts_nothing(site: Site) -> None:
    async def main() -> None:
        async with open_store(site.url, site.directory) as store:
            await store.stop()
            with pytest.raises(DependencyError, match="not open"):
                await store.adopt([site.release(*NOW)])
        assert site.columns("shop_items") == []

    asyncio.run(main())


def test_readers_see_adopted_tables(site: Site) -> None:
    def count(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM shop_items").scalar_one())

    async def main() -> None:
        async with open_store(site.url, site.directory) as store:
            await store.read(log.last)
            shop = site.release(*NOW)
            await store.adopt([shop])
            assert await store.read(count) == 0

    asyncio.run(main())
