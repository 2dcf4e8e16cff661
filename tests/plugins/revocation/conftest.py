"""Every test that asks for `store_url` or `make_store` runs twice, as those of the store: on SQLite and PostgreSQL.

So does every test that asks for `place`, a house with four workers that the tests of one file share.
"""

from collections.abc import Iterator

import pytest

from tests.core.store.conftest import make_store, postgresql_url, store_url
from tests.plugins.revocation.workers import Place, place_on
from tests.slow import sampled

__all__ = ["make_store", "postgresql_url", "store_url"]


@pytest.fixture(scope="module", params=sampled(["sqlite", "postgresql"], lambda store: store == "sqlite"))
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_on(request.param, tmp_path_factory.mktemp("workers")) as made:
        yield made


@pytest.fixture
def place(house: Place) -> Place:
    """With new connections: the server closes those that nobody used for some seconds."""
    house.site.connect()
    return house
