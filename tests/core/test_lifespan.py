"""The life of the house: plugins up in order, down in reverse, a task each; apps with and without a lifespan."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from narthex import Deny, Exchange, House, Narthex, current_exchange, hookimpl
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.testing import FixedClock, Reply, config, request
from tests.apps import Hello, body, start
from tests.guests import NoSettings, offer, seat


class Server:
    """The server's end of a lifespan, with a state as uvicorn gives one."""

    def __init__(self, app: ASGIApp) -> None:
        self.said: list[Message] = []
        self.state: dict[str, Any] = {}
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._spoke = asyncio.Event()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self.task = asyncio.ensure_future(app(scope, self._queue.get, self._hear))

    async def _hear(self, message: Message) -> None:
        self.said.append(message)
        self._spoke.set()

    async def tell(self, event: str) -> Message:
        """Send the app an event and wait for what it says."""
        self._spoke.clear()
        self._queue.put_nowait({"type": f"lifespan.{event}"})
        async with asyncio.timeout(5):
            await self._spoke.wait()
        return self.said[-1]

    async def through(self) -> list[str]:
        """Start up, shut down, and give what was said."""
        await self.tell("startup")
        await self.tell("shutdown")
        await self.task
        return [message["type"].removeprefix("lifespan.") for message in self.said]


class Diary:
    """Plugins and an app that write down what happens to them, and in which task."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tasks: dict[str, set[object]] = {}

    def note(self, line: str) -> None:
        self.lines.append(line)
        self.tasks.setdefault(line.split(maxsplit=1)[0], set()).add(asyncio.current_task())

    def guest(self, name: str, *, fails: bool = False, **more: Callable[..., Any]) -> dict[str, object]:
        async def start() -> None:
            self.note(f"{name} starts")
            await asyncio.sleep(0)
            if fails:
                raise LookupError(f"{name} finds nothing")

        async def stop() -> None:
            self.note(f"{name} stops")

        return offer(start=start, stop=stop, **more)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.lines.append("app starts")
            scope["state"]["made"] = "by the app"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.lines.append("app stops")
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.lines.append(f"request {scope.get('state')}")
        await send(start())
        await send(body(b"app"))


def test_plugins_start_before_the_app_and_stop_after_it_in_reverse() -> None:
    diary = Diary()
    house = Narthex(diary.app, config(a=diary.guest("a"), b=diary.guest("b")))

    async def main() -> list[str]:
        return await Server(house).through()

    assert asyncio.run(main()) == ["startup.complete", "shutdown.complete"]
    assert diary.lines == ["a starts", "b starts", "app starts", "app stops", "b stops", "a stops"]


def test_start_and_stop_of_a_plugin_run_in_one_task_that_is_nobody_elses() -> None:
    diary = Diary()
    house = Narthex(Hello(), config(a=diary.guest("a"), b=diary.guest("b")))

    async def main() -> None:
        server = Server(house)
        await server.through()
        assert server.task not in {task for tasks in diary.tasks.values() for task in tasks}

    asyncio.run(main())
    (first,), (second,) = diary.tasks["a"], diary.tasks["b"]
    assert first is not second


async def raises_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotImplementedError(scope["type"])


async def raises_after_receive(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise KeyError("http")


async def returns_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def returns_after_receive(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


async def speaks_http_only(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(start())
    await send(body(b"hello"))


@pytest.mark.parametrize(
    "app", [raises_at_once, raises_after_receive, returns_at_once, returns_after_receive, speaks_http_only]
)
def test_an_app_without_a_lifespan_is_served_all_the_same(app: ASGIApp) -> None:
    diary = Diary()

    async def main() -> list[str]:
        return await Server(Narthex(app, config(a=diary.guest("a")))).through()

    assert asyncio.run(main()) == ["startup.complete", "shutdown.complete"]
    assert diary.lines == ["a starts", "a stops"]


def test_an_app_that_says_nothing_is_not_said_to_be_ready() -> None:
    async def mute(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def main() -> list[Message]:
        server = Server(Narthex(mute, config(a=Diary().guest("a"))))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.tell("startup"), 0.05)
        return server.said

    assert asyncio.run(main()) == []


def test_an_app_that_fails_to_start_is_said_to_and_the_plugins_are_released() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        await receive()  # some wait on

    diary = Diary()

    async def main() -> Message:
        server = Server(Narthex(failing, config(a=diary.guest("a"), b=diary.guest("b"))))
        said = await server.tell("startup")
        await server.task
        return said

    said = asyncio.run(main())
    assert said["type"] == "lifespan.startup.failed"
    assert "no database" in said["message"]
    assert diary.lines == ["a starts", "b starts", "b stops", "a stops"]


def test_a_plugin_that_fails_to_start_is_named_and_the_earlier_ones_are_released_in_reverse(
    caplog: pytest.LogCaptureFixture,
) -> None:
    diary = Diary()
    tables = {name: diary.guest(name, fails=name == "c") for name in "abcd"}

    async def main() -> Message:
        server = Server(Narthex(diary.app, config(**tables)))
        said = await server.tell("startup")
        await server.task
        return said

    said = asyncio.run(main())
    assert said == {
        "type": "lifespan.startup.failed",
        "message": "plugin c could not be started: c finds nothing",
    }
    assert diary.lines == ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"]
    assert "plugin c could not be started" in caplog.text


def test_a_stop_that_raises_does_not_keep_the_others_from_stopping(caplog: pytest.LogCaptureFixture) -> None:
    diary = Diary()

    def stop() -> None:
        raise LookupError("stuck")

    async def main() -> list[str]:
        house = Narthex(Hello(), config(a=diary.guest("a"), b=offer(stop=stop), c=diary.guest("c")))
        return await Server(house).through()

    assert asyncio.run(main()) == ["startup.complete", "shutdown.complete"]
    assert diary.lines[-2:] == ["c stops", "a stops"]
    assert "plugin b could not be stopped cleanly" in caplog.text


def test_a_failed_shutdown_of_the_app_is_passed_on_after_the_plugins_were_released() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "lost a file"})

    diary = Diary()

    async def main() -> list[Message]:
        server = Server(Narthex(failing, config(a=diary.guest("a"))))
        await server.through()
        return server.said

    assert "lost a file" in asyncio.run(main())[-1]["message"]
    assert diary.lines == ["a starts", "a stops"]


def test_an_app_that_waits_on_after_its_shutdown_does_not_hold_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})

    monkeypatch.setattr("narthex.lifespan.LEAVE", 0.01)

    async def main() -> list[str]:
        return await Server(Narthex(waiting, config(a=Diary().guest("a")))).through()

    assert asyncio.run(main()) == ["startup.complete", "shutdown.complete"]


def test_the_state_of_the_apps_lifespan_is_the_servers() -> None:
    async def main() -> dict[str, Any]:
        server = Server(Narthex(Diary().app, config(a=Diary().guest("a"))))
        await server.through()
        return server.state

    assert asyncio.run(main()) == {"made": "by the app"}


def test_without_lifespan_the_first_request_starts_the_plugins() -> None:
    diary = Diary()
    house = Narthex(diary.app, config(a=diary.guest("a", vet=lambda exchange: diary.note("a vets"))))
    assert asyncio.run(request(house, "GET", "/")).status == 200
    assert diary.lines[:3] == ["a starts", "a vets", "request None"]


def test_requests_that_come_first_together_start_the_plugins_once() -> None:
    diary = Diary()
    house = Narthex(Hello(), config(a=diary.guest("a")))

    async def main() -> list[Reply]:
        return await asyncio.gather(*(request(house, "GET", "/") for _ in range(5)))

    assert [reply.status for reply in asyncio.run(main())] == [200] * 5
    assert diary.lines == ["a starts", "a stops"]


def test_a_first_request_that_is_cancelled_does_not_stop_the_start() -> None:
    diary = Diary()
    house = Narthex(Hello(), config(a=diary.guest("a")))

    async def main() -> Reply:
        first = asyncio.ensure_future(request(house, "GET", "/"))
        await asyncio.sleep(0)
        first.cancel()
        return await request(house, "GET", "/")

    assert asyncio.run(main()).status == 200
    assert diary.lines == ["a starts", "a stops"]


def test_a_house_that_could_not_start_refuses_and_tries_again_after_a_while() -> None:
    clock = FixedClock()
    diary = Diary()
    app = Hello()
    fails = [True]

    async def start() -> None:
        diary.note("starts")
        if fails[0]:
            raise LookupError("secret detail")

    house = Narthex(app, config(a=offer(start=start)), clock=clock)

    async def main() -> list[int | None]:
        first, second = await request(house, "GET", "/"), await request(house, "GET", "/")
        assert b"not_started" in first.body
        assert b"secret" not in first.body
        fails[0] = False
        clock.advance(5)
        return [first.status, second.status, (await request(house, "GET", "/")).status]

    assert asyncio.run(main()) == [503, 503, 200]
    assert diary.lines == ["starts", "starts"]


def test_no_hook_is_called_before_the_house_has_started() -> None:
    diary = Diary()

    def hook(exchange: Exchange) -> None:
        diary.note("asked")

    table = diary.guest("a", fails=True, admit=hook, vet=hook, respond=hook, observe=hook)
    assert asyncio.run(request(Narthex(Hello(), config(a=table)), "GET", "/")).status == 503
    assert "asked" not in diary.lines


def test_a_loop_torn_down_releases_the_plugins_and_the_next_one_starts_them_again() -> None:
    diary = Diary()
    house = Narthex(Hello(), config(a=diary.guest("a"), b=diary.guest("b")))
    for _ in range(2):
        assert asyncio.run(request(house, "GET", "/")).status == 200
    assert diary.lines == ["a starts", "b starts", "b stops", "a stops"] * 2


def test_what_a_plugin_spawned_while_it_was_built_runs_in_every_life() -> None:
    runs: list[str] = []

    class Spawner:
        name = "spawner"
        Settings = NoSettings

        def __init__(self, settings: NoSettings, house: House) -> None:
            self._house = house
            house.spawn(self.built)

        async def built(self) -> None:
            runs.append("built")

        async def started(self) -> None:
            runs.append("started")

        @hookimpl
        def start(self) -> None:
            self._house.spawn(self.started)

    house = Narthex(Hello(), config(a=seat(Spawner)))

    async def main() -> None:
        await request(house, "GET", "/")
        await asyncio.sleep(0)

    for _ in range(2):
        asyncio.run(main())
    assert runs == ["built", "started"] * 2


def test_the_plugins_do_not_take_the_first_request_for_their_own() -> None:
    seen: list[Exchange | None] = []

    async def start() -> None:
        seen.append(current_exchange())

    house = Narthex(Hello(), config(a=offer(start=start)))
    asyncio.run(request(house, "GET", "/"))
    assert seen == [None]


def driven(diary: Diary) -> Narthex:
    return Narthex(diary.app, {"narthex": {"drive_lifespan": True}, **config(a=diary.guest("a"))})


def test_drive_lifespan_starts_the_app_with_the_first_request_and_gives_it_its_state() -> None:
    diary = Diary()
    house = driven(diary)
    for _ in range(2):
        assert asyncio.run(request(house, "GET", "/")).body == b"app"
    life = ["a starts", "app starts", "request {'made': 'by the app'}", "a stops"]
    assert diary.lines == life * 2


def test_drive_lifespan_does_not_drive_it_twice_where_the_server_does_too() -> None:
    diary = Diary()
    house = driven(diary)

    async def main() -> list[str]:
        server = Server(house)
        await server.tell("startup")
        assert (await request(house, "GET", "/")).body == b"app"
        return await _shut(server)

    async def _shut(server: Server) -> list[str]:
        await server.tell("shutdown")
        await server.task
        return [message["type"] for message in server.said]

    assert asyncio.run(main()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    expected = ["a starts", "app starts", "request {'made': 'by the app'}", "app stops", "a stops"]
    assert diary.lines == expected


def test_drive_lifespan_with_an_app_that_cannot_start_refuses() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "secret detail"})

    diary = Diary()
    house = Narthex(failing, {"narthex": {"drive_lifespan": True}, **config(a=diary.guest("a"))})
    reply = asyncio.run(request(house, "GET", "/"))
    assert (reply.status, b"secret" in reply.body) == (503, False)
    assert diary.lines == ["a starts", "a stops"]


def test_requests_after_the_shutdown_has_begun_are_refused() -> None:
    async def main() -> int | None:
        gate = asyncio.Event()

        async def stop() -> None:
            await gate.wait()

        house = Narthex(Hello(), config(a=offer(stop=stop, vet=lambda exchange: Deny(418, "asked"))))
        server = Server(house)
        await server.tell("startup")
        ending: Awaitable[Message] = asyncio.ensure_future(server.tell("shutdown"))
        await asyncio.sleep(0.01)
        reply = await request(house, "GET", "/")
        gate.set()
        await ending
        return reply.status

    assert asyncio.run(main()) == 503


def test_a_server_that_vanishes_takes_the_apps_lifespan_with_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    diary = Diary()

    async def main() -> None:
        server = Server(Narthex(diary.app, config(a=diary.guest("a"))))
        await server.tell("startup")
        server.task.cancel()
        await asyncio.wait([server.task])

    asyncio.run(main())
    assert diary.lines == ["a starts", "app starts", "a stops"]


def test_a_house_that_nobody_holds_is_not_swept_away_before_it_has_stopped() -> None:
    async def main() -> bool:
        await request(Narthex(Hello()), "GET", "/")
        gc.collect()
        return "narthex keeper" in {task.get_name() for task in asyncio.all_tasks()}

    assert asyncio.run(main())
