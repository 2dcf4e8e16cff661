"""Decorators and the identity, in six frameworks behind `narthex run`: what the client gets, what the app is told."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.wire.narthex_run import LIMIT, SERVERS, House, narthex_run
from tests.wire.replies import ask, body, status

FRAMEWORKS: Final = ("fastapi", "starlette", "litestar", "django", "quart", "raw")
FULL: Final = os.environ.get("FRAMEWORKS") == "full"
"""Each framework on every server, not only on one."""
CELLS: Final = [
    (framework, server)
    for number, framework in enumerate(FRAMEWORKS)
    for server in (SERVERS if FULL else [SERVERS[number % len(SERVERS)]])
]
TOML: Final = """
[narthex]
expose = ["starlette", "headers", "client"]
trusted_proxies = ["127.0.0.1"]
[plugins.person]
use = "tests.guests:Person"
[plugins.tell-route]
use = "tests.wire.guarded.plugins:TellRoute"
[plugins.logging]
output = "{log}"
"""
DENIED: Final = "ASGI callable returned without completing handshake."
"""uvicorn 0.54 logs this at error for every websocket refused with a response, also where nothing stands in front."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site that is served, and its log."""

    framework: str
    house: House
    log: Path

    @property
    def port(self) -> int:
        return int(self.house.url.rpartition(":")[2])

    def get(self, path: str, who: str = "", **fields: str) -> tuple[int, bytes]:
        """Status and body."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)) as connection:
            connection.request("GET", path, headers={**named(who), **fields})
            response = connection.getresponse()
            return response.status, response.read()

    def faults(self) -> list[str]:
        """What the log says at level error and above, and what went past it to standard error."""
        logged = [json.loads(line) for line in self.log.read_text().splitlines()]
        lines = [line["message"] for line in logged if line["level"] in {"error", "critical"}]
        lines += [line for line in self.house.stderr.splitlines() if re.search("ERROR|CRITICAL|Traceback", line)]
        return [line for line in lines if DENIED not in line]


@pytest.fixture(scope="module", params=CELLS, ids=" on ".join)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    framework, server = request.param
    directory = tmp_path_factory.mktemp(framework)
    log = directory / "log.jsonl"
    toml = TOML.format(log=log)
    with narthex_run(f"tests.wire.guarded.{framework}_site:app", directory, toml, server=server) as house:
        assert house.url, house.stderr
        yield Site(framework, house, log)


# -- decorators


@pytest.mark.parametrize("path", ["/plain", "/waiting"])
@pytest.mark.parametrize(
    ("who", "code", "said"),
    [
        ("", 401, b'"authentication_required"'),
        ("alice user", 403, b'"role_required"'),
        ("erin engineer", 200, b"app"),
        ("ada admin", 200, b"app"),
    ],
)
def test_a_guarded_endpoint_refuses_and_nobody_logs_a_fault(
    site: Site, path: str, who: str, code: int, said: bytes
) -> None:
    seen, answer = site.get(path, who)
    assert (seen, said in answer) == (code, True)
    assert site.faults() == []


def test_an_identity_is_asked_for_with_the_header_that_says_how(site: Site) -> None:
    reply = ask(site.port, b"GET /auth HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert (status(reply), b"www-authenticate: bearer\r\n" in reply.lower()) == (401, True)
    assert b"application/problem+json" in reply
    assert site.get("/auth", "alice")[0] == 200


@pytest.mark.parametrize(("who", "code"), [("", 401), ("alice user", 403)])
def test_a_guarded_websocket_is_refused_before_it_is_accepted(site: Site, who: str, code: int) -> None:
    if site.framework == "django":
        pytest.skip("Django has no websockets of its own")
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://127.0.0.1:{site.port}/ws", additional_headers=named(who)),
    ):
        pass
    assert refused.value.response.status_code in {code, 403}  # 403 where the server knows no denial response
    with connect(f"ws://127.0.0.1:{site.port}/ws", additional_headers=named("erin engineer")) as socket:
        assert socket.recv(timeout=LIMIT) == "app"
    assert site.faults() == []


def named(who: str) -> dict[str, str]:
    return {"x-test-user": who} if who else {}


@pytest.mark.parametrize("app", [*(f"{one}_site:app" for one in FRAMEWORKS if one != "raw"), "django_site:wsgi"])
def test_the_wrong_order_refuses_to_boot(app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_ORDER", "wrong")  # not for the raw app, which registers nothing
    module, _, attribute = app.partition(":")
    options: dict[str, Any] = {"wsgi": True} if attribute == "wsgi" else {}
    with narthex_run(f"tests.wire.guarded.{app}", tmp_path, **options) as house:
        assert (house.wait(), house.url) == (3, "")
        for part in ("served without the guard", f"{module}.bare", f"{module}.py:", "below the route"):
            assert part in house.stderr


# -- the route


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [("GET", "/orders/7", "/orders/{id}"), ("PUT", "/orders/7", "/orders/{id}"), ("GET", "/nothing", "None")],
)
def test_plugins_are_told_the_template_of_the_route(site: Site, method: str, path: str, template: str) -> None:
    reply = ask(site.port, f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    expected = "None" if site.framework == "raw" else template
    assert f"x-route: {expected}\r\n".lower().encode() in reply.lower()


# -- who asks


def told(site: Site, path: str, who: str = "", **fields: str) -> dict[str, Any]:
    seen, answer = site.get(path, who, **fields)
    assert seen == 200, answer
    found: dict[str, Any] = json.loads(answer)
    return found


@pytest.mark.parametrize("path", ["/who", "/who-plain"])
def test_the_app_is_told_who_asks_in_every_way_it_may_look(site: Site, path: str) -> None:
    facts = told(site, path, "alice engineer", **{"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
    assert (facts["subject"], facts["scope"]) == ("alice", "alice")
    assert (facts["user"], facts["auth"]) == ([True, "alice"], ["authenticated"])
    exposed = [["x-narthex-roles", "engineer"], ["x-narthex-session", "s1"], ["x-narthex-subject", "alice"]]
    assert sorted(facts["headers"]) == exposed
    assert (facts["client"], facts["scheme"]) == ("203.0.113.7", "https")
    assert facts["elsewhere"] or path == "/who"  # a plain function runs in a thread of the framework


def test_nobody_is_anonymous_in_every_way(site: Site) -> None:
    for path in ("/who", "/who-plain"):
        facts = told(site, path)
        assert (facts["subject"], facts["scope"], facts["headers"]) == (None, None, [])
        assert (facts["user"], facts["auth"]) == ([False, ""], [])


SPELLINGS: Final = b"""
X-Narthex-Subject x-narthex-subject X-NARTHEX-SUBJECT x_narthex_subject X_Narthex_Subject x-narthex_subject
X_NARTHEX-ROLES x-narthex-session x-narthex-anything
""".split()


def test_a_clients_own_fields_of_that_name_never_arrive_in_any_spelling(site: Site) -> None:
    forged = b"".join(name + b": root\r\n" for name in SPELLINGS)
    for who, expected in ((b"", set()), (b"X-Test-User: alice\r\n", {"x-narthex-subject", "x-narthex-roles"})):
        head = b"GET /who HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + forged + who + b"\r\n"
        reply = ask(site.port, head)
        assert status(reply) == 200
        fields = json.loads(body(reply))["headers"]
        assert {name for name, _ in fields} >= expected
        assert [value for _, value in fields if "root" in value] == []


# -- WSGI


def test_a_wsgi_framework_is_told_by_remote_user_and_refuses_without_a_fault(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with narthex_run("tests.wire.guarded.django_site:wsgi", tmp_path, TOML.format(log=log), wsgi=True) as house:
        site = Site("django", house, log)
        forged = {"Remote-User": "root", "X_Narthex_Subject": "root", "Remote_User": "root"}
        for who, subject in (("alice engineer", "alice"), ("", None)):
            facts = told(site, "/who-plain", who, **forged)
            assert (facts["remote_user"], facts["subject"]) == (subject, subject)
            assert [value for _, value in facts["headers"] if "root" in value] == []
        assert [site.get("/plain", who)[0] for who in ("", "bob user", "erin engineer")] == [401, 403, 200]
        assert b"x-route: /orders/{id}" in ask(
            site.port, b"GET /orders/7 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        assert site.faults() == []
