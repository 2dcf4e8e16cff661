"""What was verified is remembered: tokens and cookies by the digest of their bytes, none past its end.

Only digests are kept, so a dump of the process's memory holds no credential of a caller beyond the requests under way.
The cache is bounded: what came first goes first, unless it was used meanwhile, which is as good as the order of use and
costs nothing when it is. It holds no truth: whatever is not in it is verified anew.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from narthex.identity import Identity

_SPARED: Final = 100
"""How many that were used may be passed over at once on the way to one that was not: some 20 µs."""


@dataclass(slots=True, eq=False)
class Known:
    """Somebody who was verified.

    Attributes:
        until: seconds since the epoch; from then on it has to be verified again.
        touch: when its session is to be noted as in use again, seconds since the epoch; infinite without a session.
        used: it was asked for since it was remembered, or spared for that.
    """

    identity: Identity
    until: float
    touch: float
    used: bool = False


class Verified:
    """A bounded cache of one kind of credential.

    Args:
        size: how many it holds.
        now: the wall clock, which `exp` is told by.

    Attributes:
        known: all of them by digest, those that are over included; the same object always.
    """

    def __init__(self, size: int, now: Callable[[], float]) -> None:
        self.known: OrderedDict[bytes, Known] = OrderedDict()
        self._size = size
        self._now = now

    def __len__(self) -> int:
        return len(self.known)

    def get(self, digest: bytes, now: float | None = None) -> Known | None:
        """Who it was, if that was found out and still holds. Cost: one look-up, one look at the clock where not given.

        Args:
            digest: of the credential.
            now: seconds since the epoch, where the caller has just looked.
        """
        known = self.known.get(digest)
        if known is None:
            return None
        if (self._now() if now is None else now) < known.until:
            known.used = True
            return known
        del self.known[digest]
        return None

    def put(self, digest: bytes, known: Known) -> None:
        """Remember; an older one may have to go."""
        self.known[digest] = known
        self.known.move_to_end(digest)
        spared = 0
        while len(self.known) > self._size:
            oldest, old = self.known.popitem(last=False)
            if old.used and spared < _SPARED:
                old.used, spared = False, spared + 1
                self.known[oldest] = old

    def forget(self, which: Callable[[Identity], bool]) -> None:
        """Forget some. Looks at all of them, which is rare."""
        for digest in [digest for digest, known in self.known.items() if which(known.identity)]:
            del self.known[digest]

    def forget_sessions(self, ids: Iterable[str]) -> None:
        """Forget whoever came by one of these sessions."""
        gone = frozenset(ids)
        if gone:
            self.forget(lambda identity: identity.session_id in gone)

    def clear(self) -> None:
        """Forget all."""
        self.known.clear()
