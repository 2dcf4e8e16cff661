"""A house with two workers that the tests of one file share, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.core.store.conftest import _schema, postgresql_url
from tests.plugins.events.site import TOML
from tests.slow import sampled
from tests.wire.narthex_run import House, narthex_run

__all__ = ["postgresql_url"]


@pytest.fixture(scope="module", params=sampled(["sqlite", "postgresql"], lambda store: store == "sqlite"))
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("events")
    if request.param == "sqlite":
        with narthex_run(None, directory, TOML.format(store="sqlite:///n.db", more=""), workers=2) as made:
            yield made
    else:
        with (
            contextmanager(_schema)() as url,
            narthex_run(None, directory, TOML.format(store=url, more=""), workers=2) as made,
        ):
            yield made
