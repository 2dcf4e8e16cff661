"""Alembic revisions of the plugin revocation."""
