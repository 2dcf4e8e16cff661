"""What would become of a request that nobody sent."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from narthex import Allow, Answer, Deny, DependencyError, Exchange, Identity, Narthex, Route
from narthex.cli import app
from narthex.config import load
from narthex.loader import survey
from narthex.rehearsal import Rehearsal, rehearse
from narthex.testing import Counted, Hello, as_identity, config, request
from narthex.testing.identity import ASKING
from tests.guests import offer

ALICE = Identity(subject="alice", roles=frozenset({"engineer"}))


def ask(method: str = "GET", target: str = "/x", who: Identity | None = ALICE, **plugins: Any) -> Rehearsal:
    built = survey(load(config(**plugins)))
    return asyncio.run(rehearse(built.chain, built.tenancy.permissions(), method, target, who, running=False))


def test_the_policies_see_method_path_query_and_identity() -> None:
    seen: list[tuple[str, str, str, Identity | None]] = []

    def authorize(exchange: Exchange) -> Allow:
        seen.append((exchange.method, exchange.route_path, exchange.query, exchange.identity))
        return Allow("yes", "rule 1")

    found = ask("POST", "/a%20b?c=d", policy=offer(authorize=authorize))
    assert seen == [("POST", "/a b", "c=d", ALICE)]
    assert (found.allowed, found.verdict, found.by) == (True, Allow("yes", "rule 1"), "policy")


POLICIES = {
    "allow": lambda exchange: Allow(),
    "deny": lambda exchange: Deny(403, "no"),
    "silent": lambda exchange: None,
    "answer": lambda exchange: Answer(303),
    "nonsense": lambda exchange: "yes",
    "failing": lambda exchange: 1 / 0,
}


@pytest.mark.parametrize("second", POLICIES)
@pytest.mark.parametrize("first", POLICIES)
def test_the_verdict_is_that_of_a_request_which_is_sent(first: str, second: str) -> None:
    plugins: dict[str, Any] = {
        "asking": ASKING,
        "one": offer(authorize=POLICIES[first]),
        "two": offer(authorize=POLICIES[second]),
    }
    found = ask("GET", "/x", ALICE, **plugins)
    with as_identity(ALICE):
        reply = asyncio.run(request(Narthex(Hello(), config(**plugins)), "GET", "/x"))
    status = 200 if found.allowed else getattr(found.verdict, "status", None)
    assert status == reply.status


def test_guards_that_need_a_real_request_are_named_and_not_asked() -> None:
    called: list[str] = []
    guards = {stage: offer(**{stage: lambda exchange: called.append("called")}) for stage in ("admit", "vet")}
    found = ask("GET", "/x", ALICE, **guards)
    assert called == []
    assert [(one.step.instance, bool(one.note)) for one in found.asked] == [("admit", True), ("vet", True)]
    assert found.allowed


def test_nothing_is_counted_logged_or_told(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    house = Narthex(
        Hello(), config(policy=offer(authorize=POLICIES["failing"]), other=offer(authorize=POLICIES["deny"]))
    )
    house._estate.metrics.attach(counted)
    built = house._walk.built
    with caplog.at_level(logging.DEBUG, "narthex"):
        found = asyncio.run(rehearse(built.chain, built.tenancy.permissions(), "GET", "/x", None, running=True))
    assert isinstance(found.verdict, Deny)
    assert (counted.values, caplog.records) == ({}, [])


def test_a_policy_in_shadow_mode_says_what_it_would_and_decides_nothing() -> None:
    found = ask(policy={**offer(authorize=POLICIES["deny"]), "mode": "shadow"})
    assert found.allowed
    assert found.asked[0].verdict == Deny(403, "no")
    assert found.asked[0].note == "shadow: refuses nothing"


def test_an_async_policy_is_asked_only_in_a_house_that_runs() -> None:
    async def authorize(exchange: Exchange) -> Deny:
        await asyncio.sleep(0)
        raise DependencyError("no store")

    built = survey(load(config(policy=offer(authorize=authorize))))
    for running in (False, True):
        found = asyncio.run(rehearse(built.chain, built.tenancy.permissions(), "GET", "/x", ALICE, running=running))
        assert (found.known, found.allowed) == (running, False)
    assert isinstance(found.verdict, Deny)
    assert found.verdict.code == "dependency_unavailable"


def test_what_hangs_on_a_policy_that_was_not_asked_is_not_known() -> None:
    async def authorize(exchange: Exchange) -> None: ...

    for other, known in (("allow", False), ("silent", False), ("deny", True)):
        found = ask("GET", "/x", ALICE, slow=offer(authorize=authorize), other=offer(authorize=POLICIES[other]))
        assert (found.known, found.allowed) == (known, False)


def test_open_odd_and_taken_paths_are_judged_as_core_judges_them() -> None:
    async def endpoint(request: object) -> None: ...

    route = Route(path="/sales", endpoint=endpoint, access="sales:read")
    plugins = {"policy": offer(authorize=POLICIES["deny"]), "taker": offer(routes=lambda: [route])}
    built = survey(load({"narthex": {"open": ["/docs/**"]}, **config(**plugins)}))

    def code(method: str, target: str, who: Identity | None) -> str | None:
        found = asyncio.run(rehearse(built.chain, built.tenancy.permissions(), method, target, who, running=False))
        return found.verdict.code if isinstance(found.verdict, Deny) else None

    assert code("GET", "/docs/a", None) is None
    assert code("GET", "/a//b", ALICE) == "odd_path"
    assert code("GET", "/_narthex/sales", None) == "authentication_required"
    assert code("GET", "/_narthex/sales", ALICE) == "permission_denied"
    assert code("GET", "/_narthex/sales", Identity(subject="b", permissions=frozenset({"sales:read"}))) is None
    assert code("POST", "/_narthex/sales", ALICE) == "method_not_allowed"


FILE = """\
[plugins.rule]
use = "tests.guests:Rule"
path = "/admin/**"
role = "admin"
"""


def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.chdir(tmp_path)
    Path("narthex.toml").write_text(FILE)
    done = CliRunner().invoke(app, ["explain", *arguments])
    return done.exit_code, " ".join(done.output.split())


def test_the_command_prints_who_and_every_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = explain(tmp_path, monkeypatch, "GET", "/admin/x", "--as", "alice", "--role", "engineer")
    assert code == 0
    assert text.startswith("GET /admin/x as alice (roles engineer) 4 authorize rule narthex.toml:1")
    assert "verdict refused with 403" in text
    assert "verdict let through" in explain(tmp_path, monkeypatch, "/admin/x", "--as", "a", "--role", "admin")[1]
    assert "as an anonymous caller" in explain(tmp_path, monkeypatch, "/admin/x", "--anonymous")[1]


@pytest.mark.parametrize(
    "arguments",
    [("--as", "a"), ("/x", "--role", "admin"), ("/x", "--as", "a", "--anonymous"), ("/x", "--as", "a", "--claim", "b")],
)
def test_the_command_refuses_what_makes_no_sense(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert explain(tmp_path, monkeypatch, *arguments)[0] == 2
