"""What the policies of one exchange say together: any Deny wins, then an Answer; without one Allow it is refused."""

from typing import Final

from narthex.exchange import Exchange
from narthex.plan import Step
from narthex.verdict import Allow, Answer, Deny

UNKNOWN: Final = Deny(401, "authentication_required", "no policy allows this to an anonymous caller")
NOT_ALLOWED: Final = Deny(403, "not_allowed", "no policy allows this")


class Votes:
    """What the policies of one exchange have said so far."""

    __slots__ = ("allow", "answer", "enforced", "known")

    def __init__(self, *, known: bool) -> None:
        self.known = known
        self.enforced = False
        self.answer: tuple[Step, Answer] | None = None
        self.allow: tuple[Step, Allow] | None = None

    def result(self, exchange: Exchange) -> Deny | Answer | None:
        """What that comes to when all of them were asked and none said Deny."""
        if self.answer is not None:
            exchange.decided_by = self.answer[0]
            return self.answer[1]
        if self.allow is not None:
            allowed(exchange, *self.allow)
            return None
        if not self.enforced:
            return None
        return UNKNOWN if self.known and exchange.identity is None else NOT_ALLOWED


def allowed(exchange: Exchange, step: Step, allow: Allow) -> None:
    """Note the yes, but over no Deny: a guard in the app may have left one, and a wrapper walk a second time."""
    if not isinstance(exchange.verdict, Deny):
        exchange.decided_by, exchange.verdict = step, allow
