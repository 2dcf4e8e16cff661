"""Alembic revisions of the plugin notifications."""
