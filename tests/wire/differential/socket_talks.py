"""What a client says over a websocket."""

from collections.abc import Callable

from tests.wire.differential.dialogue import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Dialogue
from tests.wire.differential.talks import Talk


def echoing(client: Dialogue) -> None:
    client.upgrade("/ws/echo")
    client.frame(TEXT, "grüße".encode())
    client.hear()
    client.frame(BINARY, bytes(range(256)) * 300)
    client.hear()
    client.frame(TEXT, b"in ", last=False)
    client.frame(CONTINUATION, b"two")
    client.hear()
    client.frame(TEXT, b"")
    client.hear()
    client.frame(PING, b"there?")
    client.hear()
    client.frame(PONG, b"unasked")
    client.frame(CLOSE, b"\x0f\xa1good bye")  # 4001
    client.hear()
    client.leave()


def echo_text(client: Dialogue) -> None:
    """For an app that takes text and binary in a way of its own."""
    client.upgrade("/ws/echo")
    for opcode, payload in ((TEXT, "grüße".encode()), (BINARY, b"\0\1\2"), (TEXT, b"")):
        client.frame(opcode, payload)
        client.hear()
    client.frame(CLOSE, b"\x03\xe8bye")
    client.hear()
    client.leave()


def leaving_socket(how: Callable[[Dialogue], None]) -> Talk:
    def talk(client: Dialogue) -> None:
        client.upgrade("/ws/echo")
        client.frame(TEXT, b"here")
        client.hear()
        how(client)

    return talk


def socket(path: str, frames: int, *fields: str) -> Talk:
    """Open a websocket, read so many frames, answer a close, read to the end."""

    def talk(client: Dialogue) -> None:
        if not client.upgrade(path, *fields):
            return
        last = b""
        for _ in range(frames):
            last = client.hear()
        client.frame(CLOSE, last[:2])
        client.leave()

    return talk


def streaming_socket(client: Dialogue) -> None:
    client.upgrade("/ws/streams")
    client.hear()
    client.open()
    client.hear()
    client.hear()
    client.frame(CLOSE, client.hear()[:2])
    client.leave()


def no_status(client: Dialogue) -> None:
    client.frame(CLOSE)
    client.hear()
    client.leave()


def nonsense(client: Dialogue) -> None:
    client.send(b"\xff\xff\xff\xff")
    client.hear()
    client.leave()
