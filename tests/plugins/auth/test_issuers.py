"""Tokens of external issuers, whose keys are fetched from a provider on loopback."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from narthex.clock import SystemClock
from narthex.errors import StartError
from narthex.testing import Counted, FixedClock, Reply, request
from narthex_plugins.auth.refusals import TokenCode
from tests.plugins.auth.forge import EVERY, FAMILIES, forger
from tests.plugins.auth.provider import Provider, certificate, eventually, me, provider, settle
from tests.plugins.auth.site import ISSUER, Site, bearer
from tests.plugins.auth.site import site as any_site


@pytest.fixture
def issuer() -> Iterator[Provider]:
    with provider() as running:
        yield running


def site(**more: Any) -> AbstractContextManager[Site]:
    return any_site(**{"timeout": "30s", **more})


def code(reply: Reply) -> tuple[int | None, str]:
    return reply.status, str(reply.json().get("code"))


async def all_at_once(house: Site, tokens: list[str]) -> list[int | None]:
    asked = (request(house.client.house, "GET", "/_narthex/auth/me", [bearer(token)]) for token in tokens)
    return [reply.status for reply in await asyncio.gather(*asked)]


def test_a_token_of_an_issuer_in_the_file_is_accepted(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        told = me(house, issuer.token(sid="s1", scope="orders:read")).json()
        assert (told["subject"], told["issuer"], told["session_id"]) == ("robot", issuer.url, "s1")
        assert (told["roles"], told["permissions"]) == ([], [])


@pytest.mark.parametrize("algorithm", [name for name in EVERY if name not in FAMILIES["HS"]])
def test_every_algorithm_that_is_asked_for_is_verified(issuer: Provider, algorithm: str) -> None:
    issuer.keys = [forger(algorithm).jwk]
    with site(issuers=[issuer.table(algorithms=[algorithm])]) as house:
        assert me(house, issuer.token(forger(algorithm))).status == 200


def test_the_keys_are_fetched_once_for_many_tokens(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        assert {me(house, issuer.token(jti=str(number))).status for number in range(20)} == {200}
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


def test_roles_and_permissions_are_translated(issuer: Provider) -> None:
    words = {
        "roles": ["realm_access.roles", ["https://shop.example/groups"]],
        "role_map": {"shop-admins": ["admin", "engineer"]},
        "permissions": ["scope"],
        "everyone": ["user"],
    }
    claims = {"realm_access": {"roles": ["admin"]}, "https://shop.example/groups": ["shop-admins"]}
    with site(issuers=[issuer.table(**words)]) as house:
        told = me(house, issuer.token(scope="orders:read orders:*", claims=claims)).json()
        assert told["roles"] == ["admin", "engineer", "user"]
        assert told["permissions"] == ["orders:read"]
        assert me(house, issuer.token(jti="two", realm_access={"roles": ["admin"]})).json()["roles"] == ["user"]


@pytest.mark.parametrize(
    ("claim", "refused"),
    [
        ("access", None),
        ("refresh", TokenCode.CLAIM_INVALID),
        (["access"], TokenCode.CLAIM_INVALID),
        (None, TokenCode.CLAIM_MISSING),
    ],
)
def test_a_token_that_does_not_say_what_access_tokens_say_is_refused(
    issuer: Provider, claim: object, refused: TokenCode | None
) -> None:
    with site(issuers=[issuer.table(says={"token_type": ["access"]})]) as house:
        reply = me(house, issuer.token(claims={"token_type": claim}))
        assert (reply.status, reply.json().get("code")) == ((401, refused) if refused else (200, None))


def test_an_external_issuer_does_not_speak_for_us_nor_we_for_it(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        ours = house.client.get("/.well-known/jwks.json").json()["keys"][0]["kid"]
        assert me(house, issuer.token(iss=ISSUER, jti="x")).status == 401
        forged = issuer.token(header={"kid": ours}, iss=ISSUER)
        assert code(me(house, forged)) == (401, TokenCode.SIGNATURE)
        house.add("alice")
        token = house.login()["access_token"]
        assert me(house, token).json()["issuer"] == ISSUER


def test_one_external_issuer_does_not_speak_for_another(issuer: Provider) -> None:
    with provider() as other:
        other.keys = [forger("ES256", 1).jwk]
        with site(issuers=[issuer.table(), other.table()]) as house:
            assert me(house, issuer.token()).json()["issuer"] == issuer.url
            assert me(house, other.token(forger("ES256", 1))).json()["issuer"] == other.url
            assert me(house, other.token(forger("ES256"))).status == 401
            stolen_name = other.token(forger("ES256"), header={"kid": forger("ES256", 1).kid})
            assert code(me(house, stolen_name)) == (401, TokenCode.SIGNATURE)


def test_a_subject_of_an_issuer_is_not_our_user_of_that_name(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        subject = house.add("alice")
        token = issuer.token(sub=subject)
        body = {"current_password": "correct horse battery", "new_password": "another horse battery"}
        reply = house.post("password", [bearer(token)], **body)
        assert (reply.status, reply.json()["error"]) == (400, "invalid_request")
        assert house.post("logout", [bearer(token)]).status == 400


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"aud": "others"}, TokenCode.AUDIENCE),
        ({"aud": None}, TokenCode.CLAIM_MISSING),
        ({"exp": 1_700_000_000 - 11}, TokenCode.EXPIRED),
        ({"iat": 1_700_000_000 + 11}, TokenCode.NOT_YET_VALID),
        ({"jti": None}, TokenCode.CLAIM_MISSING),
        ({"sub": None}, TokenCode.CLAIM_MISSING),
        ({"sub": ""}, TokenCode.CLAIM_INVALID),
    ],
)
def test_what_would_be_refused_anyway_is_refused_without_a_fetch(
    issuer: Provider, claims: dict[str, object], expected: str
) -> None:
    with site(issuers=[issuer.table()]) as house:
        assert code(me(house, issuer.token(claims=claims))) == (401, expected)
        settle(house, issuer.fetches)
        assert code(me(house, issuer.token(forger("ES256", 7), claims=claims))) == (401, expected)
        assert code(me(house, issuer.token(claims=claims))) == (401, expected)
        assert issuer.fetches() == 1


def test_the_type_of_a_token_has_to_be_one_that_is_asked_for(issuer: Provider) -> None:
    with site(issuers=[issuer.table(types=["JWT"])]) as house:
        assert me(house, issuer.token(header={"typ": "JWT"})).status == 200
        assert code(me(house, issuer.token(jti="two"))) == (401, TokenCode.TYPE)
        assert code(me(house, issuer.token(header={"typ": None}))) == (401, TokenCode.TYPE)


def test_an_algorithm_that_is_not_asked_for_is_refused(issuer: Provider) -> None:
    issuer.keys = [forger("ES256").jwk, forger("RS256").jwk]
    with site(issuers=[issuer.table(algorithms=["ES256"])]) as house:
        assert code(me(house, issuer.token(forger("RS256")))) == (401, TokenCode.ALGORITHM)
        assert me(house, issuer.token()).status == 200


def test_an_unknown_issuer_is_asked_nothing(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        assert me(house, issuer.token()).status == 200
        before = list(issuer.asked)
        header = {"jku": f"{issuer.url}/evil", "x5u": f"{issuer.url}/evil"}
        assert code(me(house, issuer.token(iss=f"{issuer.url}/evil", header=header))) == (401, TokenCode.KEY_UNKNOWN)
        assert me(house, issuer.token(header=header, jti="two")).status == 200
        assert issuer.asked == before


def test_a_rotation_is_followed_by_the_first_token_that_shows_it(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        assert me(house, issuer.token()).status == 200
        issuer.keys = [forger("ES256", 1).jwk]
        assert me(house, issuer.token(forger("ES256", 1))).status == 200
        assert issuer.fetches() == 2


def test_a_token_of_a_key_that_was_withdrawn_is_forgotten_with_it(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        old = issuer.token()
        assert me(house, old).status == 200
        issuer.keys = [forger("ES256", 1).jwk]
        assert me(house, issuer.token(forger("ES256", 1))).status == 200
        assert code(me(house, old)) == (401, TokenCode.KEY_UNKNOWN)


def test_a_rotation_of_a_key_without_a_name_is_followed_too(issuer: Provider) -> None:
    issuer.keys = [forger("ES256").jwk_with(kid=None)]
    with site(issuers=[issuer.table()]) as house:
        assert me(house, issuer.token(header={"kid": None})).status == 200
        issuer.keys = [forger("ES256", 1).jwk_with(kid=None)]
        assert me(house, issuer.token(forger("ES256", 1), header={"kid": None})).status == 200
        assert code(me(house, issuer.token(forger("ES256", 2), header={"kid": None}))) == (401, TokenCode.SIGNATURE)
        assert issuer.fetches() == 2


def test_a_thousand_unknown_keys_cause_one_fetch(issuer: Provider) -> None:
    unknown = [issuer.token(forger("ES256", 1), {"kid": f"made-up-{number}"}) for number in range(1000)]
    with site(issuers=[issuer.table()]) as house:
        assert me(house, issuer.token()).status == 200
        assert set(house.client.run(all_at_once(house, unknown[:500]))) == {401}
        assert {me(house, token).status for token in unknown[500:]} == {401}
        assert issuer.fetches() == 2  # the first of all, and one for all of them
        assert me(house, issuer.token(jti="two")).status == 200


def test_a_key_looked_for_in_vain_is_looked_for_again_only_after_a_while(issuer: Provider) -> None:
    clock = FixedClock()
    with site(issuers=[issuer.table(cooldown="15s")], clock=clock) as house:
        fetches = []
        for _ in range(8):
            assert code(me(house, issuer.token(forger("ES256", 1)))) == (401, TokenCode.KEY_UNKNOWN)
            fetches.append(issuer.fetches())
            clock.advance(15)
        assert fetches == [1, 2, 2, 2, 2, 3, 3, 3]


def test_other_unknown_keys_are_looked_for_when_the_cooldown_is_over(issuer: Provider) -> None:
    clock = FixedClock()
    with site(issuers=[issuer.table(cooldown="15s")], clock=clock) as house:
        assert me(house, issuer.token()).status == 200
        assert me(house, issuer.token(forger("ES256", 1))).status == 401
        issuer.keys = [forger("ES256", 2).jwk]
        assert me(house, issuer.token(forger("ES256", 2))).status == 401
        clock.advance(15)
        assert me(house, issuer.token(forger("ES256", 2))).status == 200
        assert issuer.fetches() == 3


def test_a_first_crowd_waits_for_one_fetch(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        tokens = [issuer.token(jti=str(number)) for number in range(200)]
        assert house.client.run(all_at_once(house, tokens)) == [200] * 200
        assert issuer.fetches() == 1


def test_a_slow_issuer_holds_up_nobody_else(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        house.add("alice")
        ours = house.login()["access_token"]
        settle(house, issuer.fetches)
        issuer.gate.clear()

        async def crowd() -> tuple[list[int | None], list[int | None]]:
            unknown = [issuer.token(forger("ES256", 1), {"kid": str(number)}) for number in range(50)]
            waiting = asyncio.create_task(all_at_once(house, unknown))
            others = await all_at_once(house, [ours, issuer.token(), ours] * 20)
            assert not waiting.done()
            issuer.gate.set()
            return others, await waiting

        others, late = house.client.run(crowd())
        assert (set(others), set(late)) == ({200}, {401})
        assert issuer.fetches() == 2


def test_who_gives_up_waiting_disturbs_nobody(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        issuer.gate.clear()

        async def crowd() -> list[int | None]:
            gone = asyncio.create_task(all_at_once(house, [issuer.token()]))
            staying = asyncio.create_task(all_at_once(house, [issuer.token(jti="two")]))
            await asyncio.to_thread(eventually, lambda: issuer.asked)
            gone.cancel()
            issuer.gate.set()
            await asyncio.wait([gone])
            return await staying

        assert house.client.run(crowd()) == [200]
        assert issuer.fetches() == 1


def test_an_issuer_that_is_down_at_boot_stops_nobody_and_is_followed_when_it_comes(issuer: Provider) -> None:
    issuer.says("/keys", status=500)
    clock = FixedClock()
    with site(issuers=[issuer.table()], clock=clock) as house:
        house.add("alice")
        assert me(house, house.login()["access_token"]).status == 200
        reply = me(house, issuer.token())
        assert code(reply) == (503, "issuer_unavailable")
        assert reply.headers["retry-after"] == "1"
        assert house.plugin.health().status == "warn"
        issuer.answers.clear()
        clock.advance(1)
        assert me(house, issuer.token()).status == 200
        assert house.plugin.health().status == "pass"


def test_a_crowd_does_not_hammer_an_issuer_that_is_down(issuer: Provider) -> None:
    issuer.says("/keys", status=500)
    with site(issuers=[issuer.table()], clock=FixedClock()) as house:
        tokens = [issuer.token(jti=str(number)) for number in range(100)]
        assert set(house.client.run(all_at_once(house, tokens))) == {503}
        assert {me(house, token).status for token in tokens} == {503}
        assert issuer.fetches() == 1


def test_keys_are_used_for_a_bounded_time_after_their_issuer_went_down(issuer: Provider) -> None:
    clock = FixedClock()
    with site(issuers=[issuer.table(refresh="1m", keep="10m")], clock=clock) as house:
        seen = issuer.token(exp=clock.now() + 3600)
        assert me(house, seen).status == 200
        issuer.says("/keys", status=500)
        clock.advance(599)
        assert me(house, seen).status == 200
        assert me(house, issuer.token(jti="two", exp=clock.now() + 3600)).status == 200
        clock.advance(1)
        assert code(me(house, seen)) == (503, "issuer_unavailable")
        issuer.answers.clear()
        clock.advance(60)
        assert me(house, seen).status == 200


def test_an_unknown_key_of_an_issuer_that_is_down_may_be_a_new_one(issuer: Provider) -> None:
    with site(issuers=[issuer.table()], clock=FixedClock()) as house:
        assert me(house, issuer.token()).status == 200
        issuer.says("/keys", status=500)
        for number in (1, 2):
            reply = me(house, issuer.token(forger("ES256", number)))
            assert (code(reply), reply.headers["retry-after"]) == ((503, "issuer_unavailable"), "1")
        assert me(house, issuer.token(jti="two")).status == 200
        assert issuer.fetches() == 2


def test_keys_are_fetched_anew_in_the_background(issuer: Provider) -> None:
    with site(issuers=[issuer.table(refresh="50ms")], clock=SystemClock()) as house:
        settle(house, lambda: issuer.fetches() >= 3)
        assert issuer.asked.count("/.well-known/openid-configuration") == 1


def test_a_published_private_key_ends_all_trust_at_once(issuer: Provider) -> None:
    clock = FixedClock()
    with site(issuers=[issuer.table()], clock=clock) as house:
        assert me(house, issuer.token()).status == 200
        issuer.keys = [forger("ES256").jwk, forger("ES256", 1).jwk_with(d="AAAA")]
        assert me(house, issuer.token(forger("ES256", 1))).status == 503
        assert code(me(house, issuer.token())) == (503, "issuer_unavailable")


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {}, b""),
        (200, {}, b"[]"),
        (200, {}, b'{"keys": 1}'),
        (200, {}, b'{"keys": [], "keys": []}'),
        (200, {}, b'{"keys": []' + b" " * 600_000 + b"}"),
        (200, {"content_encoding": "gzip"}, b'{"keys": []}'),
        (204, {}, b""),
        (302, {"location": "http://127.0.0.1:1/keys"}, b""),
        (302, {"location": "http://localhost/keys"}, b""),
        (302, {"location": "/keys"}, b""),
        (302, {"location": "http://["}, b""),
        (401, {}, b""),
    ],
)
def test_what_is_no_set_of_keys_is_not_taken(
    issuer: Provider, status: int, headers: dict[str, str], body: bytes
) -> None:
    with site(issuers=[issuer.table()], clock=FixedClock()) as house:
        assert me(house, issuer.token()).status == 200
        issuer.answers["/keys"] = (status, headers, body)
        assert code(me(house, issuer.token(forger("ES256", 1)))) == (503, "issuer_unavailable")
        assert me(house, issuer.token(jti="two")).status == 200


def test_a_redirect_to_another_origin_is_not_even_asked(issuer: Provider) -> None:
    with provider() as other, site(issuers=[issuer.table()], clock=FixedClock()) as house:
        for code_of_redirect in (301, 302, 303, 307, 308):
            issuer.says("/keys", status=code_of_redirect, location=f"{other.url}/keys")
            assert code(me(house, issuer.token())) == (503, "issuer_unavailable")
            house.clock.advance(30)
        assert other.asked == []
        assert issuer.fetches() == 5


def test_the_environments_proxy_is_not_for_loopback(issuer: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with site(issuers=[issuer.table()]) as house:
        assert me(house, issuer.token()).status == 200


def test_a_proxy_that_makes_no_sense_is_told_and_not_run_into(
    issuer: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://127.0.0.1:1")
    table = issuer.table(issuer="urn:issuer", jwks_uri="https://login.example/keys")
    with site(issuers=[table], clock=FixedClock()) as house:
        assert code(me(house, issuer.token(iss="urn:issuer"))) == (503, "issuer_unavailable")
    assert "the proxy that the environment names" in caplog.text


def test_a_redirect_within_the_origin_is_followed(issuer: Provider) -> None:
    issuer.says("/keys", status=307, location="/keys/")
    issuer.says("/keys/", {"keys": issuer.keys})
    with site(issuers=[issuer.table()]) as house:
        assert me(house, issuer.token()).status == 200


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": "https://another.example"},
        {"jwks_uri": None},
        {"jwks_uri": "http://127.0.0.2.nip.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user:secret@127.0.0.1/keys"},
    ],
)
def test_metadata_that_are_not_the_issuers_own_are_not_taken(issuer: Provider, more: dict[str, object]) -> None:
    issuer.says("/.well-known/openid-configuration", issuer.metadata(**more))
    with site(issuers=[issuer.table()], clock=FixedClock()) as house:
        assert code(me(house, issuer.token())) == (503, "issuer_unavailable")
        assert "/keys" not in issuer.asked


def test_the_metadata_of_rfc_8414_will_do(issuer: Provider) -> None:
    issuer.says("/.well-known/openid-configuration", status=404)
    issuer.says("/.well-known/oauth-authorization-server/tenant", issuer.metadata(issuer=f"{issuer.url}/tenant"))
    with site(issuers=[issuer.table(issuer=f"{issuer.url}/tenant")]) as house:
        assert me(house, issuer.token(iss=f"{issuer.url}/tenant")).status == 200


def test_a_jwks_uri_in_the_file_needs_no_metadata(issuer: Provider) -> None:
    issuer.says("/elsewhere", {"keys": issuer.keys})
    table = issuer.table(issuer="urn:issuer", jwks_uri=f"{issuer.url}/elsewhere")
    with site(issuers=[table]) as house:
        assert me(house, issuer.token(iss="urn:issuer")).status == 200
        assert issuer.asked == ["/elsewhere"]


def test_keys_that_have_moved_are_found_again(issuer: Provider) -> None:
    clock = FixedClock()
    with site(issuers=[issuer.table()], clock=clock) as house:
        assert me(house, issuer.token()).status == 200
        issuer.says("/keys", status=404)
        issuer.says("/moved", {"keys": [forger("ES256", 1).jwk]})
        issuer.says("/.well-known/openid-configuration", issuer.metadata(jwks_uri=f"{issuer.url}/moved"))
        assert me(house, issuer.token(forger("ES256", 1))).status == 503
        clock.advance(1)
        assert me(house, issuer.token(forger("ES256", 1))).status == 200


def test_a_websocket_waits_for_the_keys_as_a_request_does(issuer: Provider) -> None:
    with site(issuers=[issuer.table()]) as house:
        token = issuer.token()
        reply = house.client.websocket("/", subprotocols=["chat", f"narthex.bearer.{token}"])
        assert reply.messages[0]["type"] == "websocket.accept"
        refused = house.client.websocket("/", subprotocols=[f"narthex.bearer.{issuer.token(aud='others')}"])
        assert refused.status == 401


def test_a_request_waits_for_a_slow_issuer_no_longer_than_it_may(issuer: Provider) -> None:
    issuer.gate.clear()
    with site(issuers=[issuer.table(wait="1ms")]) as house:
        reply = me(house, issuer.token())
        assert (code(reply), reply.headers["retry-after"]) == ((503, "issuer_unavailable"), "1")
        issuer.gate.set()
        settle(house, lambda: house.plugin.health().status == "pass")
        assert me(house, issuer.token()).status == 200


def test_a_fetch_that_takes_too_long_is_given_up(issuer: Provider) -> None:
    issuer.gate.clear()
    with site(issuers=[issuer.table(fetch_timeout="1ms")]) as house:
        assert code(me(house, issuer.token())) == (503, "issuer_unavailable")


def test_trouble_with_an_issuer_is_told_once(issuer: Provider, caplog: pytest.LogCaptureFixture) -> None:
    clock = FixedClock()
    issuer.says("/keys", status=500)
    with site(issuers=[issuer.table()], clock=clock) as house:
        for _ in range(4):
            assert me(house, issuer.token()).status == 503
            clock.advance(30)
        issuer.answers.clear()
        assert me(house, issuer.token(exp=clock.now() + 60)).status == 200
    # The plugin may say something else too: of a key it made, where a test before has set the level, of a slow store.
    told = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    told = [line for line in told if issuer.url in line]
    assert ["answers 500" in line for line in told] == [True, False]
    assert "can be fetched again" in told[1]
    assert json.dumps(told).count("robot") == 0


def test_fetches_are_counted_by_issuer_and_outcome(issuer: Provider) -> None:
    issuer.gate.clear()
    with site(issuers=[issuer.table()], clock=FixedClock()) as house:
        counted = Counted()
        house.plugin._house.metrics.attach(counted)
        issuer.gate.set()
        assert me(house, issuer.token()).status == 200
        issuer.says("/keys", status=500)
        assert me(house, issuer.token(forger("ES256", 1))).status == 503
        name = "narthex_auth_issuer_fetches_total"
        told = {outcome: counted[name, "auth", issuer.url, outcome] for outcome in ("ok", "failed")}
    assert told == {"ok": 1, "failed": 1}


def test_https_is_believed_by_its_certificate_alone(tmp_path: Path) -> None:
    with provider(certificate(tmp_path)) as issuer:
        table = issuer.table(insecure_http=False)
        with site(issuers=[{**table, "ca": str(tmp_path / "ca.pem")}]) as house:
            assert me(house, issuer.token()).status == 200
        with site(issuers=[table]) as house:
            assert code(me(house, issuer.token())) == (503, "issuer_unavailable")


def test_a_file_of_certificates_that_is_none_stops_the_boot(issuer: Provider, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(StartError, match="cannot be read"), site(issuers=[issuer.table(ca=str(tmp_path / name))]):
            pass


def test_a_house_without_external_issuers_does_not_import_httpx() -> None:
    code = (
        "import sys, tests.plugins.auth.site as s\n"
        "with s.site() as house: house.add(); house.login()\n"
        "print([name for name in ('httpx', 'httpcore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
