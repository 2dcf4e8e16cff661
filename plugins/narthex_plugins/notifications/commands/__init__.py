"""Commands of the notifications plugin."""
