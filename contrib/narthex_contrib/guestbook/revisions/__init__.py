"""Alembic revisions of the guest book."""
