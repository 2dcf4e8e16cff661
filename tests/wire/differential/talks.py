"""What a client says over HTTP, as functions that make a dialogue of a path and what goes with it."""

from collections.abc import Callable

from tests.wire.differential.dialogue import Dialogue

Talk = Callable[[Dialogue], None]


def simple(path: str, method: str = "GET", *fields: str, body: bytes = b"") -> Talk:
    """One request, then another on the same connection."""

    def talk(client: Dialogue) -> None:
        client.ask(path, method, *fields, body=body)
        client.reply(method)
        client.last()

    return talk


def gated(path: str, first: bytes) -> Talk:
    """The first piece is seen before the app has made the second."""

    def talk(client: Dialogue) -> None:
        client.ask(path)
        client.until(first)
        client.open()
        client.until(b"0\r\n\r\n")
        client.last()

    return talk


def short(client: Dialogue) -> None:
    client.ask("/too-short")
    client.until(b"shorter\n")
    client.leave()


def sized(client: Dialogue) -> None:
    client.ask("/sized-stream")
    client.until(b"first\n")
    client.open()
    client.until(b"second\n")
    client.last()


def uploaded(*pieces: bytes) -> Talk:
    """A chunked request body."""

    def talk(client: Dialogue) -> None:
        client.ask("/echo", "POST", "Transfer-Encoding: chunked")
        for piece in (*pieces, b""):
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.reply()
        client.last()

    return talk


def duplex(client: Dialogue) -> None:
    client.ask("/duplex", "POST", "Transfer-Encoding: chunked")
    for piece in (b"one", b"two", b"three"):
        client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.until(b"got %b\n" % piece)
    client.send(b"0\r\n\r\n")
    client.until(b"0\r\n\r\n")
    client.last()


def early(client: Dialogue) -> None:
    client.ask("/early", "POST", "Content-Length: 10")
    client.send(b"half ")
    client.reply()
    client.open()
    client.send(b"other")
    client.last()


def expecting(client: Dialogue) -> None:
    client.ask("/echo", "POST", "Expect: 100-continue", "Content-Length: 5")
    client.head()
    client.send(b"hello")
    client.reply()
    client.last()


def unexpected(client: Dialogue) -> None:
    """The app answers without reading; a server that asks for the body all the same gets it."""
    client.ask("/empty", "POST", "Expect: 100-continue", "Content-Length: 5")
    if b" 100 " in (head := client.head()):
        client.send(b"hello")
        head = b""
    client.reply(head=head)


def old(path: str, *fields: str) -> Talk:
    def talk(client: Dialogue) -> None:
        client.ask(path, "GET", *fields, version="1.0")
        client.end()

    return talk


def old_stream(client: Dialogue) -> None:
    client.ask("/stream", version="1.0")
    client.until(b"first\n")
    client.open()
    client.end()


def old_kept(client: Dialogue) -> None:
    client.ask("/plain", "GET", "Connection: keep-alive", version="1.0")
    client.reply()
    client.last()


def pipelined(client: Dialogue) -> None:
    three = client.request("/plain") + client.request("/echo", "POST", body=b"two") + client.request("/empty")
    client.send(three)
    for _ in range(3):
        client.reply()
    client.last()


def kept(client: Dialogue) -> None:
    for path in ("/plain", "/empty", "/nowhere", "/huge", "/plain"):
        client.ask(path)
        client.reply()
    client.last()


def leaving(how: Callable[[Dialogue], None], note: str) -> Talk:
    """The client goes in the middle of a stream."""

    def talk(client: Dialogue) -> None:
        client.ask("/leaves")
        client.until(b"data: one\n\n")
        how(client)
        client.told(note)

    return talk


def leaving_framework(client: Dialogue) -> None:
    client.ask("/leaves")
    client.until(b"first\n")
    client.told("streaming")
    client.close()
    client.open()
    client.told("clean-up")


def waiting(path: str, note: str, *, gate: str = "") -> Talk:
    def talk(client: Dialogue) -> None:
        client.ask(path)
        client.told("waiting")
        client.close()
        if gate:
            client.open(gate)
        client.told(note)

    return talk


def after(path: str, note: str) -> Talk:
    """The client has its whole reply before the app's work afterwards is done."""

    def talk(client: Dialogue) -> None:
        client.ask(path)
        client.reply()
        client.open()
        client.told(note)
        client.last()

    return talk


def listening(client: Dialogue) -> None:
    client.ask("/listens")
    client.reply()
    client.close()
    client.told("heard {'type': 'http.disconnect'}")


def broken(raw: bytes) -> Talk:
    def talk(client: Dialogue) -> None:
        client.send(raw.replace(b"CASE", client.tag.encode()))
        client.end()

    return talk


def odd_request(client: Dialogue) -> None:
    client.ask("/a%20b//c/%C3%BC/../?q=1&q=%2F", "GET", "X-DUPLICATE: 1", "x-Duplicate: 2", "X_Under: 3", "X-Empty:")
    client.reply()
    client.last()


def absolute(client: Dialogue) -> None:
    client.ask("http://other/plain?x", "GET")
    client.reply()
    client.last()
