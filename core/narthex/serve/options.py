"""What one worker has to know, small enough to travel on a command line."""

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal, Self

ServerName = Literal["uvicorn", "hypercorn", "granian"]

STOP_MARGIN: Final = 5.0
"""Seconds that the servers, the lifespan and the interpreter get beyond `drain` before they are killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to serve.

    Attributes:
        app: "module:attribute" or "module:factory()".
        app_where: "narthex.toml:2" where the file named the app, "" where the command line did.
        config: absolute path of the configuration file. Each worker reads it anew.
        server: which server carries the connections.
        wsgi: the app speaks WSGI.
        drain: seconds that open exchanges get to end once a stop was asked for.
        own_logs: a plugin writes the access lines and takes over the root logger, so the server's own console log
            stays off and its lines go to that plugin.
    """

    app: str
    app_where: str = ""
    config: str
    server: ServerName = "uvicorn"
    wsgi: bool = False
    drain: float = 30.0
    own_logs: bool = False

    def dump(self) -> str:
        """As one argument for a worker's command line; it holds nothing secret."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """The inverse of `dump`."""
        return cls(**json.loads(text))
