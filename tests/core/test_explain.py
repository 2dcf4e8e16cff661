"""The house on one screen, and what would be asked of one request."""

from pathlib import Path

import pytest

from narthex import PUBLIC, Inside, Outside, Route, explain
from narthex.config import Config, load
from narthex.loader import Built, survey
from tests.guests import offer


async def endpoint(request: object) -> None: ...


FILE = """\
[narthex]
app = "shop.main:app"
open = ["/", "/docs/**"]
quiet = ["/_narthex/ping"]

[plugins.wrapped]
use = "{wrapped}"

[plugins.person]
use = "tests.guests:Person"

[plugins.curfew]
use = "tests.guests:PlainGuard"
mode = "shadow"

[plugins.slow]
use = "tests.guests:AsyncGuard"
timeout = "2s"

[plugins.rule]
use = "tests.guests:Rule"

[plugins.watcher]
use = "tests.guests:Watcher"
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Built, Config]:
    monkeypatch.chdir(tmp_path)
    routes = (
        Route(path="/ping", endpoint=endpoint, access=PUBLIC, summary="Whether it answers."),
        Route(path="/sales/{id}", endpoint=endpoint, access="sales:{id}:read", methods=("GET", "POST")),
    )
    wrapped = offer(routes=lambda: routes, wrap=lambda: Inside(lambda app: app))["use"]
    Path("narthex.toml").write_text(FILE.replace("{wrapped}", str(wrapped)))
    config = load("narthex.toml")
    return survey(config), config


def test_the_house_is_told_stage_by_stage_with_the_lines_of_the_file(house: tuple[Built, Config]) -> None:
    text = explain.house(*house)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "narthex.toml: 6 plugins"
    assert "1 admit slow narthex.toml:16, a async-guard, at most 2 s" in lines
    assert "2 authenticate person narthex.toml:9" in lines
    assert "3 vet curfew narthex.toml:12, a plain-guard, shadow: refuses nothing" in lines
    assert "app shop.main:app (wrapped: 1 inside)" in lines
    assert "6 respond watcher narthex.toml:23" in lines
    assert "open /, /docs/** narthex.toml:3" in lines
    assert "taken GET /_narthex/ping public by wrapped narthex.toml:6 Whether it answers." in lines
    assert "taken GET,POST /_narthex/sales/{id} needs sales:{id}:read by wrapped narthex.toml:6" in lines


def test_it_fits_one_screen(house: tuple[Built, Config]) -> None:
    lines = explain.house(*house).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120


def told(house: tuple[Built, Config], method: str, target: str) -> list[str]:
    return [" ".join(line.split()) for line in explain.path(*house, method, target).splitlines()]


def test_a_path_is_told_with_the_hooks_that_would_be_asked(house: tuple[Built, Config]) -> None:
    lines = told(house, "get", "/orders?x=1")
    assert lines[0] == "GET /orders?x=1"
    assert [line.split()[1] for line in lines if line[:1].isdigit()] == [
        *("admit", "authenticate", "vet", "authorize"),
        *("respond", "observe"),
    ]
    assert "answers the app shop.main:app" in lines


def test_an_open_path_says_which_pattern_opened_it(house: tuple[Built, Config]) -> None:
    lines = told(house, "GET", "/docs/a")
    assert any(line.startswith("open: ") and "/docs/** narthex.toml:3" in line for line in lines)
    assert not any("authorize" in line.split()[:2] for line in lines)


def test_a_plugins_path_says_who_answers_and_who_may(house: tuple[Built, Config]) -> None:
    lines = told(house, "POST", "/_narthex/sales/7")
    assert any("plugin endpoint GET,POST /_narthex/sales/{id} needs sales:{id}:read" in line for line in lines)
    assert any("405: a plugin's path, with GET, HEAD, POST" in line for line in told(house, "PUT", "/_narthex/sales/7"))
    assert any(line.startswith("quiet: ") for line in told(house, "GET", "/_narthex/ping"))


@pytest.mark.parametrize("target", ["/a%2fb", "/a//b", "/a/%2e%2e/b"])
def test_an_odd_path_is_said_to_be_refused(house: tuple[Built, Config], target: str) -> None:
    assert told(house, "GET", target)[1].startswith("refused with 400 odd_path: ")


def test_a_house_without_plugins_or_file_is_explained_too() -> None:
    config = load(None)
    text = explain.house(survey(config), config)
    assert text.startswith("no file: no plugins")
    assert "given in code" in text


def test_a_websocket_is_asked_about_by_its_name() -> None:
    config = load({"plugins": {"a": offer(wrap=lambda: Outside(lambda app: app))}})
    built = survey(config)
    assert explain.path(built, config, "websocket", "/chat").startswith("WEBSOCKET /chat")
    assert "1 outside" in explain.house(built, config)


def test_both_views_number_the_stages_alike(house: tuple[Built, Config]) -> None:
    def numbers(text: str) -> set[tuple[str, ...]]:
        return {tuple(line.split()[:2]) for line in text.splitlines() if line[2:3].isdigit()}

    assert numbers(explain.path(*house, "GET", "/orders")) < numbers(explain.house(*house))


def test_endpoints_of_plugins_stand_in_columns(house: tuple[Built, Config]) -> None:
    rows = [line for line in explain.house(*house).splitlines() if line.startswith("  taken")]
    assert len({row.index(" by wrapped") for row in rows}) == 1


def test_what_the_environment_set_is_told() -> None:
    config = load({"plugins": {"health": {}}}, {"NARTHEX_PLUGINS__HEALTH__LIMIT": "2s"})
    assert "[plugins.health] limit NARTHEX_PLUGINS__HEALTH__LIMIT" in " ".join(
        explain.house(survey(config), config).split()
    )
