"""What a case is: a dialogue, what a bare server shows in it, and the apps that have what it asks for."""

from dataclasses import dataclass
from typing import Final, Literal

from tests.wire.differential.talks import Talk

Loose = Literal["no", "sends", "app", "unread"]


@dataclass(frozen=True, slots=True)
class Case:
    """One dialogue.

    Attributes:
        name: what it is about, as the page tells it.
        talk: the dialogue.
        shows: a pattern in the transcript of a bare server that can do the thing: the measure of what it cannot, and
            the proof that the case is about what it says.
        sites: which apps have what it asks for.
        loose: what is left to chance: "sends", how often the app sent before it noticed that the client is gone; "app",
            whether the app saw the request at all before the server refused it; "unread", of a body that
            nobody asks for, how much a listening framework sees, and whether the server then says that it hangs up.
    """

    name: str
    talk: Talk
    shows: str
    sites: frozenset[str]
    loose: Loose = "no"


ALL: Final = frozenset({"raw", "starlette", "fastapi", "litestar", "quart", "django", "wsgi"})
RAW: Final = frozenset({"raw"})
FRAMEWORKS: Final = ALL - RAW
STARLETTE: Final = frozenset({"starlette", "fastapi"})
SOCKETED: Final = ALL - {"django", "wsgi"}
BACKGROUND: Final = ALL - {"wsgi"}
