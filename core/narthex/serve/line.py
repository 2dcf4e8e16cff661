"""The line between the supervisor and a worker: one JSON object a line, both ways, over a socket pair.

    to the worker     {"configuration": text}           first of all: what it serves by, whatever the file says by then
                      {"do": "prepare", "text": text}   build that beside the one it follows, and start what is new
                      {"do": "commit"}, {"do": "abandon"}
    from the worker   {"ready": digest}                 once, when it serves
                      an Outcome                        to each `do`

Orders carry an `id`, which comes back with the answer. The end of the line is the end of the other side.
"""

import asyncio
import json
import socket
from contextlib import suppress
from typing import Any, Final, cast

_LONGEST: Final = 64 * 1024 * 1024  # bytes of one message; a configuration file is far below


class Line:
    """One end of it, once a loop runs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked = 0

    @classmethod
    async def over(cls, end: socket.socket) -> "Line":
        """Take over an end of the pair."""
        return cls(*await asyncio.open_connection(sock=end, limit=_LONGEST))

    async def hear(self) -> dict[str, Any] | None:
        """The next message; None at the end of the line."""
        with suppress(OSError):
            text = await self._reader.readline()
            if text.endswith(b"\n"):
                return cast("dict[str, Any]", json.loads(text))
        return None

    def say(self, **message: object) -> None:
        """Send a message; nothing where nobody is there any more."""
        with suppress(OSError):
            self._writer.write(dump(message))

    async def ask(self, **message: object) -> dict[str, Any] | None:
        """Send an order and wait for its answer; None where the other side has ended. One at a time."""
        self._asked += 1
        self.say(id=self._asked, **message)
        while (answer := await self.hear()) is not None and answer.get("id") != self._asked:
            pass  # the answer to an order that was not waited for
        return answer

    def close(self) -> None:
        """End it."""
        self._writer.close()


def dump(message: object) -> bytes:
    """A message as it travels."""
    return json.dumps(message).encode() + b"\n"


def hear_first(end: socket.socket) -> dict[str, Any]:
    """The first message, before any loop runs; nothing else is on its way yet.

    Raises:
        EOFError: the other side has ended.
    """
    text = bytearray()
    while not text.endswith(b"\n"):
        part = end.recv(1 << 20)
        if not part:
            raise EOFError
        text += part
    return cast("dict[str, Any]", json.loads(text))
