"""Counts requests, and whatever plugins and the app want counted, for Prometheus; a request costs a few additions.

The plugin itself is in `plugin`: an app that counts its own operations does not import what only a scrape needs.
"""

from narthex_plugins.metrics.operations import Counter, Timer, counter, timer

__all__ = ["Counter", "Timer", "counter", "timer"]
