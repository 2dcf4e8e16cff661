"""Alembic revisions of the plugin events."""
