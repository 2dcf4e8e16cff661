"""Alembic revisions of the plugin audit."""
