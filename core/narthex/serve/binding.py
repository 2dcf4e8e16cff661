"""The listening socket: bound once, before anything else is begun, and shared by all workers.

It is bound here and left deaf: the kernel refuses connections until the first worker, its app started, calls
`listen`. So a client is never kept waiting on a house that will not open, and a port that is taken is one clear
message before the app is even imported.
"""

import errno
import os
import socket

from narthex.errors import StartError


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket without listening.

    Args:
        host: an address, or a name, of which the IPv4 address is preferred; "" and "0.0.0.0" are all of IPv4, "::" all
            of IPv6 and, where the system says so, IPv4.
        port: 0 lets the system choose.

    Raises:
        StartError: the name is unknown, the port is taken or may not be used.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise StartError(f"cannot find an address for host {host!r}") from error
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    sock = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            # Otherwise a restart would wait for the old connections' TIME_WAIT. On Windows it means something else.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise cannot_listen(error, host, port) from error
    return sock


def inherited(descriptor: int) -> socket.socket:
    """The socket as a worker is given it, never blocking, and nor is what is duplicated from it.

    O_NONBLOCK belongs to the open socket, which all workers share, and Python clears it when it duplicates a socket
    that has no timeout. Were it cleared for a moment only, a worker that serves could hang in `accept` over a
    connection that another was quicker to take.
    """
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    return sock


def cannot_listen(error: OSError, host: str, port: int) -> StartError:
    """Say in words why a socket could not be bound or made to listen."""
    match error.errno:
        case errno.EADDRINUSE:
            return StartError(f"port {port} on {host} is taken: another program listens there", hint="choose --port")
        case errno.EACCES:
            return StartError(f"port {port} may not be used by this user", hint="choose --port of 1024 or more")
        case errno.EADDRNOTAVAIL:
            return StartError(f"{host} is not an address of this machine", hint="choose --host")
        case _:
            return StartError(f"cannot listen on {host}, port {port}: {error.strerror or error}")


def url(sock: socket.socket) -> str:
    """Where the socket is to be found, as people type it."""
    host, port, *_ = sock.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_listening(sock: socket.socket) -> bool:
    """Whether some process has called `listen` on this socket."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
