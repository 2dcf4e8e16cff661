"""Alembic revisions of the plugin auth."""
