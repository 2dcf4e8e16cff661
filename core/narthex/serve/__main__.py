"""A worker, as the supervisor starts it: `python -m narthex.serve OPTIONS LISTENER SUPERVISOR`.

OPTIONS is `Options.dump()`; the other two are inherited file descriptors.
"""

import os
import socket
import sys

from narthex.serve.options import Options
from narthex.serve.worker import work


def main(arguments: list[str]) -> int:
    """Serve on inherited sockets, tell the supervisor when ready, and stop when it is gone."""
    options, listener, supervisor = Options.load(arguments[0]), int(arguments[1]), int(arguments[2])
    for inherited in (listener, supervisor):
        # Programs that the app starts must neither hold the port nor the line to the supervisor.
        os.set_inheritable(inherited, False)
    line = socket.socket(fileno=supervisor)
    return work(options, socket.socket(fileno=listener), lambda: line.sendall(b"ready\n"), line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
