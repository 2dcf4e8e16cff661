import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import narthex_plugins.health
from narthex import Narthex, Settings, current_exchange, hookimpl
from narthex.asgi import Receive, Scope, Send
from narthex.config import load
from narthex.errors import ConfigError
from narthex.hooks import Health
from narthex.testing import FixedClock, Reply, request
from tests.plugins.logging.drive import hello, running


class NoSettings(Settings):
    pass


class Patient:
    """Is as it is told to be."""

    name = "patient"
    state: ClassVar[str] = "pass"
    asked: ClassVar[int] = 0

    Settings = NoSettings

    def __init__(self, settings: object, house: object) -> None: ...

    @hookimpl
    async def health(self) -> Health:
        type(self).asked += 1
        match self.state:
            case "raises":
                raise RuntimeError("password is hunter2")
            case "hangs":
                await asyncio.sleep(60)
            case "nonsense":
                return "fine"  # type: ignore[return-value]  # what a careless plugin does
            case "slow":
                await asyncio.sleep(0.05)
            case "in an exchange?":
                return Health("pass" if current_exchange() is None else "fail")
            case "warn" | "fail" as status:
                return Health(status, "so so")
        return Health("pass")


class Plain(Patient):
    """The same without waiting."""

    name = "plain"

    @hookimpl
    def health(self) -> Health:  # type: ignore[override]
        return Health("fail", "plainly")


@pytest.fixture(autouse=True)
def well() -> None:
    Patient.state, Patient.asked = "pass", 0


def house(clock: FixedClock | None = None, kind: str = "Patient", **settings: object) -> Narthex:
    plugins: Mapping[str, Any] = {"health": settings, "patient": {"use": f"{__name__}:{kind}"}}
    return Narthex(hello, {"plugins": plugins}, clock=clock)


def ready(app: Narthex, *, times: int = 1, method: str = "GET") -> Reply:
    async def go() -> Reply:
        async with running(app):
            replies = await asyncio.gather(*(request(app, method, "/readyz") for _ in range(times)))
        assert len({reply.status for reply in replies}) == 1
        return replies[0]

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("state", "status", "told"),
    [
        ("pass", 200, "pass"),
        ("warn", 200, "warn"),
        ("fail", 503, "fail"),
        ("raises", 503, "fail"),
        ("hangs", 503, "fail"),
        ("nonsense", 503, "fail"),
    ],
)
def test_readiness_is_what_the_plugins_say(state: str, status: int, told: str) -> None:
    Patient.state = state
    reply = ready(house(limit=0.05))
    assert (reply.status, json.loads(reply.body)) == (status, {"status": told})
    assert reply.headers["content-type"] == "application/health+json"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("state", "output"), [("raises", "raised an exception"), ("hangs", "took too long"), ("fail", "so so")]
)
def test_details_say_what_is_wrong_but_never_the_exception(state: str, output: str) -> None:
    Patient.state = state
    reply = ready(house(limit=0.05, details=True))
    assert json.loads(reply.body)["checks"] == {"patient": [{"status": "fail", "output": output}]}
    assert b"hunter2" not in reply.body


def test_a_plain_check_counts_like_an_async_one() -> None:
    assert ready(house(kind="Plain")).status == 503


def test_head_is_answered_as_get() -> None:
    reply = ready(house(), method="HEAD")  # the server leaves the body out
    assert (reply.status, reply.headers["content-length"]) == (200, "17")


def test_checks_run_at_the_same_time() -> None:
    Patient.state = "slow"
    plugins = {f"patient-{number}": {"use": f"{__name__}:Patient"} for number in range(20)}
    app = Narthex(hello, {"plugins": {"health": {"limit": "5s"}, **plugins}})
    began = time.monotonic()
    assert ready(app).status == 200
    assert Patient.asked == 20
    assert time.monotonic() - began < 0.9  # 20 x 0.05 s one after the other


def test_many_probes_share_one_round() -> None:
    Patient.state = "slow"
    ready(house(), times=30)
    assert Patient.asked == 1


def test_a_round_runs_in_no_probe_s_exchange() -> None:
    Patient.state = "in an exchange?"
    assert ready(house()).status == 200


def test_a_result_is_given_again_until_it_is_old() -> None:
    clock = FixedClock()
    app = house(clock, cache="1s")

    async def go() -> None:
        async with running(app):
            for seconds, asked in ((0.0, 1), (0.9, 1), (0.2, 2), (1.0, 3)):
                clock.advance(seconds)
                await request(app, "GET", "/readyz")
                assert Patient.asked == asked

    asyncio.run(go())


def test_a_probe_that_hangs_up_does_not_end_the_round_of_the_others() -> None:
    Patient.state = "slow"
    app = house()

    async def go() -> Reply:
        async with running(app):
            first = asyncio.create_task(request(app, "GET", "/readyz"))
            second = asyncio.create_task(request(app, "GET", "/readyz"))
            await asyncio.sleep(0.01)
            first.cancel()
            return await second

    assert asyncio.run(go()).status == 200
    assert Patient.asked == 1


def test_before_start_up_has_ended_it_lives_but_is_not_ready() -> None:
    async def go() -> tuple[int | None, int | None]:
        app = house()
        return (await request(app, "GET", "/healthz")).status, (await request(app, "GET", "/readyz")).status

    assert asyncio.run(go()) == (200, 503)
    assert Patient.asked == 0


def test_after_shutdown_it_is_not_ready() -> None:
    app = house()
    assert ready(app).status == 200
    assert asyncio.run(request(app, "GET", "/readyz")).status == 503


def test_liveness_does_not_ask_the_plugins() -> None:
    Patient.state = "fail"
    app = house(details=True)

    async def go() -> Reply:
        async with running(app):
            return await request(app, "GET", "/healthz")

    reply = asyncio.run(go())
    assert (reply.status, reply.body) == (200, b'{"status":"pass"}')
    assert Patient.asked == 0


def test_changes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = FixedClock()
    app = house(clock)
    caplog.set_level(logging.INFO, "narthex.plugins.health")

    async def go() -> None:
        async with running(app):
            for state in ("pass", "raises", "raises", "pass", "pass"):
                Patient.state = state
                clock.advance(2)
                await request(app, "GET", "/readyz")

    asyncio.run(go())
    said = [record.getMessage() for record in caplog.records if record.name == "narthex.plugins.health"]
    assert said == [
        "the health check of patient raised",
        "health of patient: fail, was pass: raised an exception",
        "health of patient: pass, was fail",
    ]


def test_the_paths_are_settings_and_the_app_keeps_the_others() -> None:
    async def go() -> list[bytes]:
        app = house(live="/-/alive", ready="/-/ready")
        async with running(app):
            return [(await request(app, "GET", path)).body for path in ("/-/alive", "/-/ready", "/healthz")]

    assert asyncio.run(go()) == [b'{"status":"pass"}', b'{"status":"pass"}', b"hello"]


@pytest.mark.parametrize("path", ["healthz", "/health/*", "/{name}", "/a?b", ""])
def test_what_is_no_plain_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="live"):
        house(live=path)


def test_the_checks_of_other_methods_are_not_run() -> None:
    assert ready(house(), method="POST").status == 405
    assert Patient.asked == 0


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the app is down")


def test_every_setting_stands_in_the_reference() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/plugins/health.md").read_text()
    assert [key for key in narthex_plugins.health.Health.Settings.model_fields if f"| `{key}` |" not in page] == []


def test_the_example_loads() -> None:
    example = Path(narthex_plugins.health.__file__).with_name("example.toml")
    assert [guest.name for guest in Narthex(failing, load(example, {})).guests] == ["health"]
