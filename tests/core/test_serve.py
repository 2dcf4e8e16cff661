"""What `narthex run` is made of, as far as no process is needed."""

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.errors import ConfigError, StartError
from narthex.serve import servers
from narthex.serve.application import AppError, extend_path, import_app
from narthex.serve.binding import bind, cannot_listen, inherited, is_listening, url
from narthex.serve.lifespan import Lifespan
from narthex.serve.options import Options


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory whose modules are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    extend_path(None)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_dotted_attribute_of_a_dotted_module_is_found(place: Path) -> None:
    (place / "inn").mkdir()
    (place / "inn" / "door.py").write_text("class Hall:\n    app = print\n")
    assert import_app("inn.door:Hall.app") is print


def test_a_factory_is_called_and_its_result_must_be_callable(place: Path) -> None:
    (place / "inn_made.py").write_text("def make(): return print\ndef wrong(): return 3\n")
    assert import_app("inn_made:make()") is print
    with pytest.raises(AppError, match=r"'inn_made:wrong\(\)' returned an int"):
        import_app("inn_made:wrong()")


def test_a_package_that_is_missing_names_the_part_that_is_missing(place: Path) -> None:
    (place / "inn_half").mkdir()
    with pytest.raises(AppError, match=r"there is no module 'inn_half\.cellar'"):
        import_app("inn_half.cellar.wine:app")


def test_the_line_of_the_file_stands_before_the_message() -> None:
    with pytest.raises(AppError) as caught:
        import_app("nowhere:app", "narthex.toml:2")
    assert str(caught.value).startswith("narthex.toml:2: 'nowhere:app'")


@given(st.text())
def test_junk_names_no_app_and_says_so(junk: str) -> None:
    if ":" not in junk:
        with pytest.raises(AppError, match="does not name an app"):
            import_app(junk)


def test_the_files_directory_shadows_no_installed_package(place: Path) -> None:
    elsewhere = place / "elsewhere"
    extend_path(elsewhere)
    assert sys.path[0] == str(place)
    assert sys.path[-1] == str(elsewhere)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "", "::1"])
def test_a_bound_socket_refuses_until_somebody_listens(host: str) -> None:
    with bind(host, 0) as sock:
        assert not is_listening(sock)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(sock.getsockname()[:2], timeout=5)
        sock.listen()
        assert is_listening(sock)


def test_a_name_is_bound_by_its_ipv4_address() -> None:
    with bind("localhost", 0) as sock:
        assert url(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_an_ipv6_address_is_written_in_brackets() -> None:
    with bind("::1", 0) as sock:
        assert url(sock).startswith("http://[::1]:")


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1", "a" * 64])
def test_an_address_that_is_not_ours_is_a_start_error_that_names_it(host: str) -> None:
    with pytest.raises(StartError, match=host):
        bind(host, 0)


@pytest.mark.parametrize("number", [errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL, errno.ENOBUFS])
def test_every_reason_not_to_listen_is_a_sentence(number: int) -> None:
    assert "80" in str(cannot_listen(OSError(number, "why"), "1.2.3.4", 80)) or number == errno.EADDRNOTAVAIL


def test_options_travel_unchanged() -> None:
    options = Options(app="shöp:app", config="/a b/narthex.toml", server="granian", drain=0.25, wsgi=True)
    assert Options.load(options.dump()) == options


def test_a_server_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "granian" or None)
    with pytest.raises(ConfigError, match=r"narthex\[hypercorn\]', or choose --server granian"):
        servers.require("hypercorn")


async def _served(app: ASGIApp, *events: str) -> tuple[Lifespan, list[Message]]:
    lifespan, said = Lifespan(app), list[Message]()
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    for event in events:
        inbox.put_nowait({"type": event})

    async def send(message: Message) -> None:
        said.append(message)

    await lifespan({"type": "lifespan"}, inbox.get, send)
    return lifespan, said


async def _raising(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("no cellar")


async def _silent(_scope: Scope, receive: Receive, _send: Send) -> None:
    await receive()


@pytest.mark.parametrize(("app", "why"), [(_raising, "no cellar"), (_silent, "without completing")])
def test_every_way_not_to_start_is_said_to_the_server(app: ASGIApp, why: str) -> None:
    lifespan, said = asyncio.run(_served(app, "lifespan.startup"))
    assert lifespan.failed
    assert [message["type"] for message in said] == ["lifespan.startup.failed"]
    assert why in said[0]["message"]


def test_a_shutdown_that_the_server_does_not_send_can_be_sent() -> None:
    heard: list[str] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        await send({"type": "lifespan.startup.complete"})
        heard.append((await receive())["type"])

    async def walk() -> None:
        lifespan, inbox = Lifespan(app), asyncio.Queue[Message]()
        inbox.put_nowait({"type": "lifespan.startup"})
        serving = asyncio.create_task(_call(lifespan, {"type": "lifespan"}, inbox.get, _ignore))
        await lifespan.started.wait()
        await lifespan.shut_down(5)
        assert serving.done() or await asyncio.wait({serving}, timeout=5)

    asyncio.run(walk())
    assert heard == ["lifespan.startup", "lifespan.shutdown"]


def test_requests_pass_the_watch_as_they_are() -> None:
    seen: list[object] = []

    async def app(*arguments: object) -> None:
        seen.extend(arguments)

    async def receive() -> Message:
        return {}

    scope: Scope = {"type": "http"}
    asyncio.run(_call(Lifespan(app), scope, receive, _ignore))
    assert seen == [scope, receive, _ignore]
    assert seen[0] is scope


async def _call(lifespan: Lifespan, scope: Scope, receive: Receive, send: Send) -> None:
    await lifespan(scope, receive, send)


async def _ignore(_message: Message) -> None: ...


def test_the_shared_socket_never_blocks_whoever_duplicates_it() -> None:
    with bind("127.0.0.1", 0) as bound, inherited(os.dup(bound.fileno())) as worker_s, worker_s.dup() as server_s:
        assert [os.get_blocking(one.fileno()) for one in (bound, worker_s, server_s)] == [False] * 3
