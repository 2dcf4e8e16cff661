"""Hooks that nearly always answer at once, and now and then have to wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from narthex import Allow, Deny, Exchange, Identity, Narthex, hookimpl
from narthex.dress import written
from narthex.errors import PluginError
from narthex.hooks import may_wait
from narthex.testing import Client, Hello, http_scope
from tests.guests import NoSettings, offer


class Late:
    """Answers at once or later, as the request asks."""

    name = "late"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: object) -> None: ...

    @hookimpl
    @may_wait
    def authenticate(self, exchange: Exchange) -> Any:
        return self._when(exchange, Identity(subject="alice") if "x-who" in exchange.headers else None)

    @hookimpl
    @may_wait
    def vet(self, exchange: Exchange) -> Any:
        return self._when(exchange, Deny(403, "closed") if "x-closed" in exchange.headers else None)

    @hookimpl
    @may_wait
    def authorize(self, exchange: Exchange) -> Any:
        return self._when(exchange, None if "x-silent" in exchange.headers else Allow())

    def _when(self, exchange: Exchange, given: Any) -> Any:
        match exchange.headers.get("x-when"):
            case "at once":
                return given
            case "coroutine":
                return self._said(given, wait=False)
            case "later":
                return self._said(given, wait=True)
            case "never":
                return asyncio.sleep(3600)
            case "future":
                return asyncio.get_running_loop().create_future()
            case _:
                raise LookupError

    async def _said(self, given: Any, *, wait: bool) -> Any:
        if wait:
            await asyncio.sleep(0)
        return given


def answer(when: str, *names: str) -> tuple[int | None, str]:
    config: dict[str, Any] = {"plugins": {"late": {"use": "tests.core.test_may_wait:Late", "timeout": 0.2}}}
    with Client(None, config) as client:
        reply = client.get("/", [("x-when", when), *((name, "1") for name in names)])
        return reply.status, "" if reply.status == 200 else str(reply.json()["code"])


@pytest.mark.parametrize("when", ["at once", "coroutine", "later"])
def test_an_answer_counts_whether_it_is_waited_for_or_not(when: str) -> None:
    assert answer(when, "x-who") == (200, "")
    assert answer(when) == (200, "")
    assert answer(when, "x-who", "x-closed") == (403, "closed")
    assert answer(when, "x-who", "x-silent") == (403, "not_allowed")
    assert answer(when, "x-silent") == (401, "authentication_required")


def test_what_never_comes_is_out_of_time_and_other_faults_refuse() -> None:
    assert answer("never") == (503, "guard_timed_out")
    assert answer("future") == (500, "guard_failed")  # an awaitable that was not announced
    assert answer("nonsense") == (500, "guard_failed")


async def _vet(exchange: Exchange) -> None: ...


def _plain(exchange: Exchange) -> None: ...


def _start() -> None: ...


@pytest.mark.parametrize(
    ("hook", "function", "words"),
    [("vet", _vet, "one of the two"), ("observe", _plain, "that is for admit"), ("start", _start, "that is for admit")],
)
def test_the_mark_is_for_plain_hooks_of_what_is_asked_before_the_app(
    hook: str, function: Callable[..., Any], words: str
) -> None:
    with pytest.raises(PluginError) as refused:
        Narthex(Hello(), {"plugins": {"a": offer(**{hook: may_wait(function)})}})
    assert words in f"{refused.value} {refused.value.hint}"


class Torn:
    """A value that cannot be compared, as an array of numbers cannot."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("which of them?")

    __hash__ = None  # type: ignore[assignment]


def test_what_an_app_writes_is_noticed_and_only_that() -> None:
    scope = {**http_scope("GET", "/"), "torn": Torn()}
    worn = dict(scope)
    assert not written(dict(scope), worn)
    assert written({**scope, "endpoint": 1}, worn)
    assert written({**scope, "path": "/other"}, worn)
    assert written({**scope, "torn": Torn()}, worn)
    assert written({key: value for key, value in scope.items() if key != "path"}, worn)
    assert written({**{key: value for key, value in scope.items() if key != "path"}, "endpoint": 1}, worn)
