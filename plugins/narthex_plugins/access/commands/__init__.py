"""Commands of the access plugin."""
