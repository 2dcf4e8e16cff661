"""Faults, planted one to a plugin; each must be caught by the check that is meant for it, and by no other.

`FAULTS` says which that is. `Sound` has none: it is what the others are made of.
"""

import asyncio
import functools
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from narthex import PUBLIC, Deny, Exchange, House, Identity, Inside, Outside, Route, Settings, hookimpl
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.config import Secret

FAULTS: Final[dict[str, str]] = {}


def caught_by(check: str) -> Callable[[type[Any]], type[Any]]:
    """Say which check a fault is for."""

    def mark(fault: type[Any]) -> type[Any]:
        FAULTS[f"{fault.__module__}:{fault.__qualname__}"] = check
        return fault

    return mark


class Plain(Settings):
    """One setting."""

    path: str = Field("/planted", description="Where its endpoint is.")


class Sound:
    """Keeps the contract: guards, observes, adds a header, wraps, and has an endpoint and a life."""

    name = "planted"
    Settings: ClassVar[type[Settings]] = Plain

    def __init__(self, settings: Any, house: House) -> None:
        self._settings = settings
        self.house = house
        self.seen: list[str] = []

    @hookimpl
    async def vet(self, exchange: Exchange) -> Deny | None:
        await asyncio.sleep(0)
        return Deny(403, "planted") if "x-planted" in exchange.headers else None

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [(b"x-planted", b"1")]

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        self.seen.append(exchange.id)

    @hookimpl
    def wrap(self) -> Inside | Outside | None:
        return Inside(lambda app: functools.partial(self.through, app))

    async def through(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)


# -- guards


@caught_by("a_guard_that_cannot_judge_refuses")
class PassesWhatItCannotRead(Sound):
    """Takes a fault of its own for a yes."""

    @hookimpl
    def admit(self, exchange: Exchange) -> Deny | None:
        try:
            return Deny(403, "planted") if exchange.headers.get("x-planted") else None
        except Exception:  # noqa: BLE001  the fault
            return None


@caught_by("a_guard_that_cannot_judge_refuses")
class BelievesAnybodyWithoutAClock(Sound):
    """Knows who asks where it cannot tell the time."""

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | None:
        try:
            return Identity(subject="late") if self.house.clock.now() < 0 else None
        except Exception:  # noqa: BLE001  the fault
            return Identity(subject="somebody")


@caught_by("an_exception_in_a_hook_fails_closed_or_changes_nothing")
class SwallowsWhatItsHooksRaise(Sound):
    """Puts a net under its own guard."""

    def __init__(self, settings: Any, house: House) -> None:
        super().__init__(settings, house)
        hook = self.vet

        @functools.wraps(hook)
        async def safe(exchange: Exchange) -> Deny | None:
            try:
                given = hook(exchange)
                return await given if asyncio.iscoroutine(given) else None
            except LookupError:
                return None

        self.vet = safe  # type: ignore[method-assign]


@caught_by("odd_requests_break_no_hook")
class NeedsAClient(Sound):
    """Takes for granted that a server knows the client's address."""

    @hookimpl
    def admit(self, exchange: Exchange) -> Deny | None:
        return Deny(403, "planted") if exchange.client.startswith("10.") else None  # type: ignore[union-attr]


@caught_by("a_welcome_caller_comes_through")
class RefusesEverybody(Sound):
    """Is for nobody."""

    @hookimpl
    def admit(self, exchange: Exchange) -> Deny:
        return Deny(403, "planted")


# -- what passes through


class _Wrapping(Sound):
    """Wraps the app in one way or another."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError

    async def through(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.around(app, scope, receive, send)
        else:
            await app(scope, receive, send)


@caught_by("nothing_is_written_into_the_callers_scope")
class WritesIntoTheScope(_Wrapping):
    """Leaves a note in the server's own dict."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        scope["planted"] = True
        await app(scope, receive, send)


@caught_by("nothing_is_written_into_the_callers_scope")
class AddsToTheCallersHeaders(Sound):
    """Gives the app a field, and the server too."""

    @hookimpl
    def admit(self, exchange: Exchange) -> None:
        exchange.scope["headers"].append((b"x-added", b"1"))


@caught_by("repeated_headers_stay_apart")
class FoldsTheAnswersHeaders(_Wrapping):
    """Takes header fields for a dict."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def folding(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": list(dict(message["headers"]).items())}
            await send(message)

        await app(scope, receive, folding)


@caught_by("repeated_headers_stay_apart")
class FoldsTheRequestsHeaders(_Wrapping):
    """Takes header fields for a dict, on their way in."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "headers": list(dict(scope["headers"]).items())}, receive, send)


@caught_by("chunks_are_passed_on_at_once")
class HoldsTheAnswerBack(_Wrapping):
    """Wants to see the whole body first."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def holding(message: Message) -> None:
            held.append(message)

        await app(scope, receive, holding)
        for message in held:
            await send(message)


@caught_by("chunks_are_passed_on_at_once")
class ReadsTheWholeRequest(_Wrapping):
    """Wants to see the whole body first, on its way in."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        held = [await receive()]
        while held[-1].get("more_body"):
            held.append(await receive())

        async def again() -> Message:
            return held.pop(0) if held else await receive()

        await app(scope, again, send)


@caught_by("the_response_starts_once")
class StartsTwice(_Wrapping):
    """Answers, and lets the app answer."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def twice(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send({**message, "headers": list(message["headers"])})
            await send(message)

        await app(scope, receive, twice)


@caught_by("the_answer_is_the_apps_own")
class AddsALength(Sound):
    """Observes, and breaks the answer all the same: a second length, which is a lie."""

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [(b"content-length", b"0")]


@caught_by("the_answer_is_the_apps_own")
class ChangesTheStatus(_Wrapping):
    """Knows statuses better than the app."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def changing(message: Message) -> None:
            await send({**message, "status": 200} if "status" in message else message)

        await app(scope, receive, changing)


@caught_by("websockets_pass")
class KnowsOnlyHttp(Sound):
    """Waits for a request where a websocket connects."""

    async def through(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            raise RuntimeError(scope["method"])
        await app(scope, receive, send)


@caught_by("websockets_pass")
class LosesTheReason(Sound):
    """Closes websockets in its own words."""

    async def through(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            await send({"type": message["type"], "code": 1000} if message["type"] == "websocket.close" else message)

        await app(scope, receive, closing)


@caught_by("an_exception_of_the_app_passes")
class SwallowsTheAppsException(_Wrapping):
    """Thinks that nobody needs to know."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except LookupError:
            logging.getLogger("planted").info("the app failed")


@caught_by("a_cancellation_passes")
class SwallowsACancellation(Sound):
    """Goes on when it is told to stop."""

    @hookimpl
    async def vet(self, exchange: Exchange) -> Deny | None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return None
        return None if exchange.headers.get("x-planted") is None else Deny(403, "planted")


@caught_by("a_cancellation_passes")
class EndsACancelledAppInPeace(_Wrapping):
    """Takes a cancelled app for one that is done."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            return


@caught_by("the_loop_is_not_blocked")
class Sleeps(Sound):
    """Takes a short rest, and everybody's."""

    @hookimpl
    def admit(self, exchange: Exchange) -> None:
        time.sleep(0.001)


@caught_by("the_loop_is_not_blocked")
class WaitsForALock(Sound):
    """Waits for a thread that is not in a hurry."""

    @hookimpl
    def admit(self, exchange: Exchange) -> None:
        threading.Event().wait(0.06)


@caught_by("the_loop_is_not_blocked")
class ReadsAFile(Sound):
    """Looks up every request in a file."""

    @hookimpl
    def admit(self, exchange: Exchange) -> None:
        Path(__file__).read_bytes()


# -- what it is


@caught_by("it_can_be_built")
class UnknownHook(Sound):
    """Implements what is no hook."""

    @hookimpl
    def vett(self, exchange: Exchange) -> None: ...


@caught_by("it_can_be_built")
class GeneratorHook(Sound):
    """Yields where it should return."""

    @hookimpl
    async def vet(self, exchange: Exchange) -> Any:
        yield None


@caught_by("it_can_be_built")
class MadeWithLess(Sound):
    """Takes no house."""

    def __init__(self, settings: Any) -> None: ...


@caught_by("it_says_what_it_is_for")
class Silent(Sound):
    __doc__ = None


class Loose(Plain):
    """Takes whatever is written."""

    model_config = ConfigDict(extra="ignore")


@caught_by("it_refuses_a_key_it_does_not_know")
class TakesAnyKey(Sound):
    """Does not notice a misspelt setting."""

    Settings = Loose


class Soft(Plain):
    """Can be changed."""

    model_config = ConfigDict(frozen=False)


@caught_by("its_settings_cannot_be_changed")
class CanBeChanged(Sound):
    """Has settings that anybody may change later."""

    Settings = Soft


class Inner(Settings):
    """A table within."""

    size: int = 3


class Undescribed(Plain):
    """Says nothing of a field of the table within."""

    words: tuple[Inner, ...] = Field((), description="Words.")


@caught_by("every_setting_has_a_description")
class SaysNothingOfASetting(Sound):
    """Leaves operators guessing."""

    Settings = Undescribed


class PlainWord(Plain):
    """A password like any text."""

    word: str = Field("", description="A word.")
    door_password: str = Field("", description="`word`, and of the door.")


class Worded(Plain):
    """A secret."""

    word: Secret = Field(Secret("made-up-by-the-contract-suite-0123456789abcdef"), description="A word.")


@caught_by("no_secret_is_shown")
class KeepsTheTextOfASecret(Sound):
    """Reveals its secret to whoever prints it."""

    Settings = Worded

    def __init__(self, settings: Any, house: House) -> None:
        super().__init__(settings, house)
        self._word = settings.word.reveal()


class Named(Plain):
    """A setting that no page tells of."""

    unheard_of: int = Field(1, description="Nobody knows.")


@caught_by("a_page_names_every_setting")
class HasASettingThatNoPageNames(Sound):
    """Leaves readers guessing."""

    Settings = Named


@caught_by("its_requirement_holds")
class ForAnotherRelease(Sound):
    """Was written for a release that is not this one."""

    requires = "narthex>=99"


class _Routed(Sound):
    """Has an endpoint."""

    @hookimpl
    def routes(self) -> list[Route]:
        return [Route(path=self._settings.path, endpoint=self.answer, access=PUBLIC)]

    async def answer(self, request: Request) -> Response:
        return PlainTextResponse("planted")


@caught_by("its_endpoints_say_who_may_call")
class RouteWithoutAccess(_Routed):
    """Does not say who may call."""

    @hookimpl
    def routes(self) -> list[Route]:
        return [Route(path=self._settings.path, endpoint=self.answer, access="")]


@caught_by("two_instances_live_side_by_side")
class RouteAtAFixedPath(_Routed):
    """Has no room for a second instance."""

    @hookimpl
    def routes(self) -> list[Route]:
        return [Route(path="/fixed", endpoint=self.answer, access=PUBLIC)]


# -- its life


@caught_by("two_instances_share_nothing")
class SharesAList(Sound):
    """Remembers for all of its kind."""

    all_seen: ClassVar[list[str]] = []

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        self.all_seen.append(exchange.id)


@caught_by("two_instances_share_nothing")
class CountsForAll(Sound):
    """Counts for all of its kind."""

    count = 0

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        type(self).count += 1


@caught_by("two_instances_share_nothing")
class RemembersInADefault(Sound):
    """Remembers in a default argument."""

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        self.remember(exchange.id)

    def remember(self, word: str, into: dict[str, int] = {}) -> None:  # noqa: B006  the fault
        into[word] = 1


@caught_by("nothing_is_opened_while_it_is_built")
class OpensAFileWhenBuilt(Sound):
    """Writes before anybody asked it to start."""

    def __init__(self, settings: Any, house: House) -> None:
        super().__init__(settings, house)
        with tempfile.TemporaryFile() as file:
            file.write(b"planted")


@caught_by("nothing_is_opened_while_it_is_built")
class StartsAThreadWhenBuilt(Sound):
    """Works before anybody asked it to start."""

    def __init__(self, settings: Any, house: House) -> None:
        super().__init__(settings, house)
        threading.Thread(target=time.sleep, args=(2,), daemon=True, name="planted").start()


@caught_by("it_starts_and_stops_twice")
class StartsOnce(Sound):
    """Is used up after one life."""

    used = False

    def __init__(self, settings: Any, house: House) -> None:
        super().__init__(settings, house)
        self._used = False

    @hookimpl
    def start(self) -> None:
        if self._used:
            raise RuntimeError("only once")
        self._used = True


@caught_by("it_starts_and_stops_twice")
class StumblesAtItsStop(Sound):
    """Cannot let go."""

    @hookimpl
    async def stop(self) -> None:
        raise RuntimeError("stuck")


@caught_by("nothing_is_left_after_its_stop")
class LeavesATask(Sound):
    """Begins what it does not end."""

    @hookimpl
    async def start(self) -> None:
        self._task = asyncio.create_task(asyncio.Event().wait(), name="planted")


@caught_by("nothing_is_left_after_its_stop")
class LeavesAThread(Sound):
    """Begins a thread that it does not join."""

    @hookimpl
    def start(self) -> None:
        threading.Thread(target=time.sleep, args=(20,), daemon=True, name="planted").start()


@caught_by("nothing_is_left_after_its_stop")
class LeavesAFile(Sound):
    """Opens a file that it does not close."""

    @hookimpl
    def start(self) -> None:
        os.open("planted.log", os.O_CREAT | os.O_WRONLY)


@caught_by("a_client_that_goes_leaves_nothing_behind")
class ShieldsTheApp(_Wrapping):
    """Lets the app go on after its client went."""

    async def around(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.shield(asyncio.create_task(app(scope, receive, send)))  # type: ignore[arg-type]


FAULTS["tests.contract.broken_example.planted:Typo"] = "its_example_can_be_followed"
FAULTS["tests.contract.planted_heavy:Heavy"] = "off_it_is_not_imported"
