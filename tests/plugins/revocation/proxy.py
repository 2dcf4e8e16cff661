"""A way to PostgreSQL that can be cut and made slow: it forwards bytes until it is told otherwise."""

import selectors
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Proxy:
    """Listens on a port of its own and forwards to another.

    Attributes:
        port: to connect to.
        delay: seconds that each piece of what is said is held back, either way.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.delay = 0.0
        self._lock = threading.Lock()
        self._open: dict[socket.socket, int] = {}  # and the port that its client called from
        self._is_cut = False
        self._cut_off: int | None = None
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def cut(self, pid: int | None = None) -> None:
        """Drop what is open, and whatever comes: of everybody, or of one process."""
        with self._lock:
            self._is_cut, self._cut_off = pid is None, pid
            ports = None if pid is None else _ports_of(pid)
            for one, port in self._open.items():
                if ports is None or port in ports:
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Forward again, at once."""
        with self._lock:
            self._is_cut, self._cut_off = False, None
        self.delay = 0.0

    def _accept(self) -> None:
        while True:
            try:
                client, (_, port) = self._listener.accept()
            except OSError:
                return
            with self._lock:
                pid = self._cut_off
                cut = self._is_cut or (pid is not None and port in _ports_of(pid))
            if cut:
                client.close()
                continue
            threading.Thread(target=self._forward, args=(client, port), daemon=True).start()

    def _forward(self, client: socket.socket, port: int) -> None:
        with client, suppress(OSError), socket.create_connection(self._target) as server:
            with self._lock:
                self._open |= {client: port, server: port}
            try:
                self._pump(client, server)
            finally:
                with self._lock:
                    for one in (client, server):
                        self._open.pop(one, None)

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        """Pass bytes both ways until either end closes."""
        with selectors.DefaultSelector() as selector:
            selector.register(one, selectors.EVENT_READ, other)
            selector.register(other, selectors.EVENT_READ, one)
            while True:
                for key, _ in selector.select():
                    source = one if key.data is other else other
                    data = source.recv(65536)
                    if not data:
                        return
                    time.sleep(self.delay)
                    key.data.sendall(data)


def _ports_of(pid: int) -> set[int]:
    """The local ports that a process has a TCP connection from."""
    sockets: set[str] = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            sockets.add(str(one.readlink()))
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(fields[1].partition(":")[2], 16) for fields in lines if f"socket:[{fields[9]}]" in sockets}
