"""What follows from what the plugins of a case said: DESIGN's table of stages, and nothing of the code."""

from typing import Final

from tests.fuzz.case import Case

# What a hook did, as far as the walk goes.
NOTHING, IDENTITY, ALLOW, DENY, DENY_401, ANSWER, FAULT = range(7)
_PUBLIC: Final = frozenset({"/_narthex/public", "/_narthex/nothing", "/early"})
_NAMES: Final = ("nothing", "an identity", "an Allow", "a Deny", "a Deny 401", "an Answer", "a fault")


class Model:
    """Follows the stages of one exchange.

    Attributes:
        refusal: what ended the walk, or None while it goes on.
        early: a plugin answers here also before the house has started; no guard stands in front.
        asked: seat and stage of every hook that was called.
        unrecorded: a witness failed once the app had been reached.
    """

    def __init__(self, case: Case) -> None:
        self._seats = case.plan.seats
        self._routes = any("routes" in seat.hooks for seat in self._seats)
        self.early = False
        settings = dict(case.plan.settings)
        self._open: tuple[str, ...] = settings.get("open", ())
        self.follow(case.scope["path"], case.scope.get("root_path"))
        self.refusal: str | None = None
        self.unrecorded = False
        self.reached = False
        self.identified = False
        self.asked: set[tuple[int, str]] = set()
        self._known_by: int | None = None
        self._policies = False
        self._allowed = False
        self._answered = False

    def follow(self, path: str, root: str | None) -> None:
        """Take the path as the walk sees it."""
        root = (root or "").rstrip("/")
        if root and path.startswith(root) and path[len(root) : len(root) + 1] in {"", "/"}:
            path = path[len(root) :]
        bare = (path or "/").removesuffix("/")
        self.path = path or "/"
        self.early = self.early or (self._routes and self.path == "/early")
        self.open = any(
            bare == one.removesuffix("/").removesuffix("/**")
            or (one.endswith("/**") and bare.startswith(one.removesuffix("**")))
            for one in self._open
        )

    def said(self, number: int, stage: str, what: int, *, started: bool) -> None:
        """Take what one hook did."""
        seat = self._seats[number]
        if stage == "authenticate" and what == IDENTITY:
            self._known_by = number  # in shadow too
        if stage == "witness":
            if what != NOTHING:
                if self.reached or started:
                    self.unrecorded = True
                else:
                    self._refuse(number, stage, what)
            return
        if seat.shadow:
            return
        if stage == "authorize":
            self._policies = True
            self._allowed = self._allowed or what == ALLOW
            self._answered = self._answered or what == ANSWER
            if what not in {NOTHING, ALLOW, ANSWER}:
                self._refuse(number, stage, what)
        elif stage == "authenticate" and what == IDENTITY:
            self.identified = True
        elif what != NOTHING and not (what == DENY_401 and self.lenient and stage != "admit"):
            self._refuse(number, stage, what)

    @property
    def lenient(self) -> bool:
        """Whether credentials are optional here: an open path, or a plugin's public one."""
        return self.open or (self._routes and self.path in _PUBLIC)

    def verdict(self, *, final: bool) -> str | None:
        """Why the app may not be reached; `final`: no hook that could say more will be asked."""
        if self.refusal is None and final:
            if self._answered:
                self.refusal = "a policy's Answer"
            elif self._policies and not self._allowed:
                self.refusal = "no policy's Allow"
            else:
                self.reached = True
        return self.refusal

    def unasked(self, *, endpoint: bool) -> list[tuple[int, str]]:
        """The hooks that had to be asked before the app, or a plugin's endpoint, may be reached, and were not."""
        if self.early:
            return []
        due: list[tuple[int, str]] = []
        for number, seat in enumerate(self._seats):
            stages = {"admit", "vet", "witness"}
            if self._known_by is None or number <= self._known_by:
                stages.add("authenticate")
            if not endpoint and not self.open:
                stages.add("authorize")
            due += [(number, hook) for hook in seat.hooks if hook in stages]
        return [one for one in due if one not in self.asked]

    def _refuse(self, number: int, stage: str, what: int) -> None:
        self.refusal = self.refusal or f"{_NAMES[what]} of {stage} of seat {number}"
