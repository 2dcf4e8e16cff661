"""The exchanges under way, so that what lives long can be ended: by token, session or subject."""

from collections.abc import Iterator
from typing import Protocol

from narthex.exchange import Exchange


class Passage(Protocol):
    """An exchange on its walk, as far as ending it goes."""

    exchange: Exchange

    def end(self, reason: str, code: int = 4401) -> None:
        """Close the websocket or end the stream; an answer that is complete in one piece is left alone."""
        ...


class LiveExchanges:
    """Every exchange under way in this process.

    Entering and leaving costs one set operation each; closing looks at all of them, which is rare.
    """

    def __init__(self) -> None:
        self._passages: set[Passage] = set()
        self.add = self._passages.add
        self.discard = self._passages.discard

    def __len__(self) -> int:
        return len(self._passages)

    def __iter__(self) -> Iterator[Exchange]:
        return iter([passage.exchange for passage in self._passages])

    def close(
        self,
        *,
        token_id: str | None = None,
        session_id: str | None = None,
        subject: str | None = None,
        issuer: str | None = None,
        reason: str = "revoked",
        code: int = 4401,
    ) -> int:
        """End the websockets and streams whose identity matches every criterion given; return how many.

        Safe from any thread.

        Args:
            token_id: `jti`; together with `issuer` where two issuers may use the same.
            session_id: the session.
            subject: the subject; together with `issuer` where two issuers may use the same.
            issuer: narrows the others, alone it closes all of that issuer.
            reason: a word for the log and the close frame.
            code: websocket close code.
        """
        wanted = {
            name: value
            for name, value in (
                ("token_id", token_id),
                ("session_id", session_id),
                ("subject", subject),
                ("issuer", issuer),
            )
            if value is not None
        }
        if not wanted:
            raise ValueError("say which exchanges to close")
        closed = 0
        for passage in tuple(self._passages):
            identity = passage.exchange.identity
            if identity is not None and all(getattr(identity, name) == value for name, value in wanted.items()):
                try:
                    passage.end(reason, code)
                except RuntimeError:  # its loop is gone, and the exchange with it
                    continue
                closed += 1
        return closed
