"""Serve one row with uvicorn on a free port, say where on the first line of stdout, go when stdin closes."""

import json
import socket
import sys
import threading

import uvicorn

from benchmarks.candidates import registered
from benchmarks.credentials import bearer


def serve(name: str) -> None:
    """Serve the row of that name until the process is told to stop. No access log of uvicorn's own."""
    row = registered()[name]
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    # Connections are kept while the other rows have their turn, however long that takes on a busy machine.
    config = uvicorn.Config(row.build(), log_level="warning", access_log=False, lifespan="auto", timeout_keep_alive=600)
    server = uvicorn.Server(config)

    def watch() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    print(json.dumps({"port": listening.getsockname()[1], "bearer": bearer()}), flush=True)
    with row.around():
        server.run(sockets=[listening])


if __name__ == "__main__":
    serve(sys.argv[1])
