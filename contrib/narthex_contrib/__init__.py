"""Heavier plugins, one folder each."""
