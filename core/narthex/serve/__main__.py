"""A worker, as the supervisor starts it: `python -m narthex.serve OPTIONS LISTENER SUPERVISOR`.

OPTIONS is `Options.dump()`; the other two are inherited file descriptors. What it serves by comes over the line.
"""

import os
import socket
import sys

from narthex.serve.binding import inherited
from narthex.serve.exits import Exit
from narthex.serve.line import hear_first
from narthex.serve.options import Options
from narthex.serve.worker import work


def main(arguments: list[str]) -> int:
    """Serve on inherited sockets, obey the supervisor, and stop when it is gone."""
    options, listener, supervisor = Options.load(arguments[0]), int(arguments[1]), int(arguments[2])
    for descriptor in (listener, supervisor):
        # Programs that the app starts must neither hold the port nor the line to the supervisor.
        os.set_inheritable(descriptor, False)
    line = socket.socket(fileno=supervisor)
    try:
        text: str = hear_first(line)["configuration"]
    except (EOFError, OSError):
        return Exit.FINE
    return work(options, inherited(listener), text, supervisor=line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
