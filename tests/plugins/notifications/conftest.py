"""What tests of notifications share: stores of both kinds."""

from tests.core.store.conftest import postgresql_url, store_url  # noqa: F401  fixtures
