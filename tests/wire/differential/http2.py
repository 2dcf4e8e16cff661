"""HTTP/2 in the clear, with prior knowledge (RFC 9113 §3.3): one stream, as the client's library reads its frames."""

from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes

from tests.wire.differential.dialogue import Dialogue


def stream(
    path: str, method: str = "GET", body: bytes = b"", *, opens_after: bytes = b""
) -> Callable[[Dialogue], None]:
    """One request on a connection of its own; the gate is opened once the client has seen `opens_after`."""

    def talk(client: Dialogue) -> None:
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        http2.initiate_connection()
        fields = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "h"), ("te", "trailers")]
        http2.send_headers(1, [*fields, ("x-case", client.tag)], end_stream=not body)
        if body:
            http2.send_data(1, body, end_stream=True)
        over = False
        heard = b""
        while not over:
            client.send(http2.data_to_send())
            data = client.some()
            try:
                events = http2.receive_data(data)
            except h2.exceptions.ProtocolError:
                client.said.append(("no HTTP/2", b""))
                break
            for event in events:
                over = _tell(client, http2, event) or over
                heard += event.data if isinstance(event, h2.events.DataReceived) else b""
            if opens_after and opens_after in heard:
                client.open()
            over = over or not data
        client.close()

    return talk


def _tell(client: Dialogue, http2: h2.connection.H2Connection, event: h2.events.Event) -> bool:
    """Put an event down; whether the stream is over."""
    match event:
        case h2.events.DataReceived():
            http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if client.said and client.said[-1][0] == f"data {event.stream_id}":  # cut as it pleases the flow
                client.said[-1] = (client.said[-1][0], client.said[-1][1] + event.data)
            else:
                client.said.append((f"data {event.stream_id}", event.data))
        case (
            h2.events.InformationalResponseReceived()
            | h2.events.ResponseReceived()
            | h2.events.TrailersReceived()
            | h2.events.PushedStreamReceived()
        ):
            fields = b"".join(b"%b: %b\r\n" % (bytes(name), bytes(value)) for name, value in event.headers or ())
            client.said.append((type(event).__name__, fields))
        case h2.events.StreamReset():
            client.said.append((f"reset {ErrorCodes(event.error_code or 0).name}", b""))
        case h2.events.ConnectionTerminated():
            client.said.append((f"terminated {event.error_code}", b""))
    return isinstance(event, h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated) and (
        getattr(event, "stream_id", 1) == 1
    )
