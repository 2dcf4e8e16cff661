"""Every test that asks for `store_url` or `make_store` runs twice, as those of the store: on SQLite and PostgreSQL."""

from tests.core.store.conftest import make_store, postgresql_url, store_url

__all__ = ["make_store", "postgresql_url", "store_url"]
