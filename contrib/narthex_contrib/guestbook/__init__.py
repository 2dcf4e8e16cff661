"""Keeps a line of every visit in the store, and costs a request one append to a queue."""

from narthex_contrib.guestbook.plugin import Guestbook

__all__ = ["Guestbook"]
