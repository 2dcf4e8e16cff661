"""Streams events to those who may read them, for one encoding of each event and one append for each stream.

An app publishes; clients read by server-sent events or a websocket, and `client` is one for asyncio.
"""

from narthex_plugins.events.app import post, publish, publish_blocking
from narthex_plugins.events.event import EventError

__all__ = ["EventError", "post", "publish", "publish_blocking"]
