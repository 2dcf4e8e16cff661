"""What every installed plugin keeps to, whoever wrote it: DESIGN §5, last point.

A new plugin is in here as soon as it is an entry point. Where it cannot be tried without settings, or where a second
instance needs other ones, `FIRST` and `SECOND` say so.
"""

import asyncio
import copy
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from narthex import Exchange, Narthex, hookimpl
from narthex.asgi import ASGIApp, Message
from narthex.config import load
from narthex.errors import ConfigError
from narthex.hooks import STAGES
from narthex.entrypoints import installed
from narthex.loader import survey
from narthex.testing import drive, http_scope, request, websocket
from tests.apps import Hello
from tests.guests import eye, seat

FIRST: Final[dict[str, dict[str, object]]] = {"logging": {"output": "first.jsonl"}}
SECOND: Final[dict[str, dict[str, object]]] = {
    "guestbook": {"path": "/second"},
    "health": {"live": "/second/healthz", "ready": "/second/readyz"},
    "logging": {"output": "second.jsonl", "capture": False, "header": "x-second-id"},
}
DOCS: Final = Path(__file__).parents[2] / "docs/reference/plugins"

every_plugin = pytest.mark.parametrize("name", sorted(installed()))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(name: str, **more: object) -> dict[str, object]:
    return {**FIRST.get(name, {}), **more}


def house(name: str, app: ASGIApp | None = None, **others: Mapping[str, object]) -> Narthex:
    """The plugin in front of an app; its relative paths start in the test's own directory."""
    return Narthex(app or Hello(), {"plugins": {name: table(name), **others}})


def made_class(name: str) -> type[Any]:
    found: type[Any] = installed()[name].load()
    return found


@every_plugin
def test_it_is_called_as_it_is_installed_and_says_what_it_is_for(name: str) -> None:
    found = made_class(name)
    assert found.name == name
    assert found.__doc__
    assert sys.modules[found.__module__.rpartition(".")[0]].__doc__


@every_plugin
def test_a_key_it_does_not_know_is_refused_with_its_line(name: str) -> None:
    Path("narthex.toml").write_text(f"[plugins.{name}]\nno-such-key = 1\n")
    with pytest.raises(ConfigError) as caught:
        survey(load("narthex.toml"))
    assert "narthex.toml:2" in str(caught.value)
    assert "no-such-key" in str(caught.value)


@every_plugin
def test_every_setting_has_a_description_and_none_can_be_changed(name: str) -> None:
    settings = made_class(name).Settings
    assert [key for key, field in settings.model_fields.items() if not field.description] == []
    assert settings.model_config["frozen"]
    assert settings.model_config["extra"] == "forbid"


@every_plugin
def test_its_example_can_be_followed(name: str) -> None:
    package = made_class(name).__module__.rpartition(".")[0]
    Path("narthex.toml").write_text((files(package) / "example.toml").read_text())
    built = survey(load("narthex.toml"))
    assert built.guests[0].name == name


@every_plugin
def test_nothing_is_opened_while_the_house_is_only_built(name: str) -> None:
    survey(load({"plugins": {name: table(name)}}))
    assert list(Path().iterdir()) == []


@every_plugin
def test_requests_pass_and_nothing_is_written_into_the_callers_scope(name: str) -> None:
    app = Hello()
    scope = http_scope("GET", "/somewhere", [("accept", "*/*")])
    before = copy.deepcopy(scope)
    reply = asyncio.run(drive(house(name, app), scope, [{"type": "http.request"}]))
    assert (reply.status, reply.body, reply.error, len(reply.starts)) == (200, b"hello", None, 1)
    assert scope == before


@every_plugin
def test_websockets_pass(name: str) -> None:
    reply = asyncio.run(websocket(house(name), "/chat", ["a", "b"]))
    kinds = [message["type"].removeprefix("websocket.") for message in reply.messages]
    assert (kinds, reply.error) == (["accept", "send", "send"], None)


@every_plugin
def test_the_lifespan_passes_twice(name: str) -> None:
    made = house(name)

    async def main() -> list[str]:
        told: asyncio.Queue[Message] = asyncio.Queue()
        said: list[str] = []

        async def send(message: Message) -> None:
            said.append(message["type"])

        for event in ("startup", "shutdown"):
            told.put_nowait({"type": f"lifespan.{event}"})
        async with asyncio.timeout(20):
            await made({"type": "lifespan", "asgi": {}, "state": {}}, told.get, send)
        return said

    for _ in range(2):
        assert asyncio.run(main()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@every_plugin
def test_a_client_that_goes_leaves_nothing_behind(name: str) -> None:
    told: list[Exchange] = []

    async def main() -> None:
        made = house(name, calls_for_ever, last=eye(told))
        await made._life.start()
        task = asyncio.ensure_future(request(made, "GET", "/"))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert len(made._estate.live) == 0

    asyncio.run(main())
    assert len(told) == 1


async def calls_for_ever(scope: object, receive: object, send: object) -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


HOOKS: Final = [(name, hook) for name in sorted(installed()) for hook in STAGES if hasattr(made_class(name), hook)]


@pytest.mark.parametrize(("name", "hook"), HOOKS)
def test_an_exception_of_its_hooks_fails_closed_or_changes_nothing(name: str, hook: str) -> None:
    def fails(self: object, exchange: Exchange) -> None:
        raise LookupError("the-secret-detail")

    refuses = hook not in {"respond", "observe"}
    app = Hello()
    broken = seat(type("Broken", (made_class(name),), {hook: hookimpl(fails)}))
    reply = asyncio.run(request(Narthex(app, {"plugins": {name: {**table(name), **broken}}}), "GET", "/"))
    assert (app.reached, reply.body == b"hello") == (not refuses, not refuses)
    assert b"the-secret-detail" not in reply.body


@every_plugin
def test_two_instances_live_side_by_side(name: str) -> None:
    second = {"use": name, **SECOND.get(name, {})}
    made = Narthex(Hello(), {"plugins": {name: table(name), "second": second}})

    async def main() -> list[int | None]:
        return [(await request(made, "GET", "/")).status for _ in range(2)]

    assert asyncio.run(main()) == [200, 200]
    assert [guest.name for guest in made.guests] == [name, "second"]


@every_plugin
def test_off_it_is_not_imported_and_leaves_nothing(name: str) -> None:
    module = made_class(name).__module__.rpartition(".")[0]
    program = (
        "import sys; from narthex import Narthex\n"
        f"house = Narthex(print, {{'plugins': {{{name!r}: {{'enabled': False}}}}}})\n"
        f"assert not [one for one in sys.modules if one.startswith({module!r})]\n"
        "assert house._walk.bare and not house.guests, 'a pass-through is left'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@every_plugin
def test_it_has_a_page_that_names_every_setting(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text()
    assert [key for key in made_class(name).Settings.model_fields if f"`{key}`" not in page] == []
