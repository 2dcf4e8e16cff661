"""Migrations of the access plugin's tables."""
