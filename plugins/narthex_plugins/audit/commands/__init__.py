"""Commands of the audit plugin."""
