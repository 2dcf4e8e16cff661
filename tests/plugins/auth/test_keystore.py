"""Keys in the store: made once, sealed, rotated with overlap, followed by every process."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert

from narthex.config import Secret
from narthex.errors import ConfigError, StartError
from narthex.sealing import Sealer
from narthex.testing import Client, FixedClock
from narthex_plugins.auth import keystore
from narthex_plugins.auth.events import KeyAdded, KeyGone
from narthex_plugins.auth.keystore import LOOK, remove, reseal, rows, sealed_row
from narthex_plugins.auth.signing import SigningKey, load_signing_key, new_signing_key
from narthex_plugins.auth.tables import keys as keys_table
from tests.plugins.auth.site import KEY, Site, bearer, plugin_of, settings, site


def kids(house: Site) -> list[str]:
    return [key["kid"] for key in json.loads(house.client.get("/.well-known/jwks.json").body)["keys"]]


def rotate(house: Site) -> str:
    return house.client.run(house.plugin._keys.rotate()).kid


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_first_start_makes_a_key_and_its_public_half_alone_is_published(algorithm: str) -> None:
    with site(algorithm=algorithm) as house:
        reply = house.client.get("/.well-known/jwks.json")
        [key] = reply.json()["keys"]
    assert (key["alg"], key["use"]) == (algorithm, "sig")
    assert {"d", "p", "q", "dp", "dq", "qi", "k"}.isdisjoint(key)
    assert reply.headers["cache-control"] == "public, max-age=300"
    assert reply.headers["content-type"] == "application/jwk-set+json"


def test_a_copy_that_is_still_good_need_not_be_sent_again() -> None:
    with site() as house:
        tag = house.client.get("/.well-known/jwks.json").headers["etag"]
        again = house.client.get("/.well-known/jwks.json", [("if-none-match", tag)])
    assert (again.status, again.body) == (304, b"")


def test_a_restart_finds_the_same_key(store_url: str) -> None:
    with site(store_url) as first:
        before = kids(first)
    with site(store_url) as second:
        assert kids(second) == before


def test_logins_go_on_where_the_clock_is_set_back_to_before_the_first_key() -> None:
    with site() as house:
        house.add()
        house.clock.advance(-7 * 86_400)
        token = house.login()["access_token"]
        assert house.me(bearer(token)).status == 200


def test_where_every_key_is_gone_from_the_store_a_new_one_signs_at_once(store_url: str) -> None:
    with site(store_url) as house:
        house.add()
        there = set(kids(house))
        house.write(lambda connection: remove(connection, "auth", there))
        house.client.run(house.plugin._keys._turn())
        assert house.me(bearer(house.login()["access_token"])).status == 200


def test_keys_are_made_and_opened_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def noted(private: bytes, algorithm: str) -> SigningKey:
        threads.add(threading.get_ident())
        return load_signing_key(private, algorithm)

    monkeypatch.setattr(keystore, "load_signing_key", noted)
    with site() as house:
        assert rotate(house) in kids(house)
    assert len(threads) > 0
    assert threading.get_ident() not in threads


def test_of_processes_that_start_at_once_one_makes_the_key(store_url: str) -> None:
    def start(_number: int) -> list[str]:
        with site(store_url) as house:
            return kids(house)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(start, range(4)))
    assert len(found[0]) == 1
    assert found == [found[0]] * 4


def test_no_private_key_lies_in_the_store_in_clear(tmp_path: Path) -> None:
    with site(f"sqlite:///{tmp_path}/narthex.db", algorithm="EdDSA") as house:
        der = house.plugin._keys.signing().signer.private_bytes()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert der[-32:] not in written
    assert b"auth_keys" in written


def test_another_secret_key_stops_the_start_and_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/narthex.db"
    with site(url):
        pass
    own = {"store": url, "secret_key": Secret("another secret key, as long as it must be")}
    client = Client(None, {"narthex": own, "plugins": {"auth": {"use": "narthex_plugins.auth:Auth", **settings()}}})
    with pytest.raises(StartError, match="sealed under another secret key"):
        client.__enter__()


def test_without_a_secret_key_nothing_is_kept_in_a_store() -> None:
    config = {"plugins": {"auth": {"use": "narthex_plugins.auth:Auth", **settings()}}}
    with pytest.raises(ConfigError, match="secret_key"):
        Client(None, config)


def test_in_memory_it_works_without_a_secret_key() -> None:
    table = {"use": "narthex_plugins.auth:Auth", **settings()}
    with Client(None, {"narthex": {"store": "memory"}, "plugins": {"auth": table}}) as client:
        assert plugin_of(client.house)._keys.kept


def test_a_new_key_is_published_first_and_signs_when_the_overlap_has_passed() -> None:
    with site() as house:
        house.add()
        [old] = kids(house)
        new = rotate(house)
        assert kids(house) == [old, new]
        assert house.plugin._keys.signing().kid == old
        house.clock.advance(600)
        assert house.plugin._keys.signing().kid == new


def test_a_token_of_the_retired_key_is_good_until_it_expires_and_the_key_is_gone_after_that() -> None:
    with site(leeway="0s") as house:
        house.add()
        [old] = kids(house)
        new = rotate(house)
        house.clock.advance(599)
        token = house.login()["access_token"]
        house.clock.advance(899)
        assert house.me(bearer(token)).status == 200
        house.clock.advance(62)
        house.client.run(house.plugin._keys._turn())
        assert kids(house) == [new]
        assert [event.kid for event in house.events(KeyGone)] == [old]
        assert house.me(bearer(token)).status == 401


def test_keys_are_rotated_on_schedule() -> None:
    with site(rotate_every="1d") as house:
        house.clock.advance(86_400 - 601)
        house.client.run(house.plugin._keys._turn())
        assert len(kids(house)) == 1
        house.clock.advance(1)
        house.client.run(house.plugin._keys._turn())
        house.client.run(house.plugin._keys._turn())
        assert len(kids(house)) == 2
        assert [event.signs_at for event in house.events(KeyAdded)] == [house.clock.time + 600]


def test_another_algorithm_in_the_file_is_taken_up_with_overlap(store_url: str) -> None:
    clock = FixedClock()
    with site(store_url, clock=clock, algorithm="ES256"):
        pass
    with site(store_url, clock=clock, algorithm="EdDSA") as house:
        assert house.plugin._keys.signing().signer.algorithm == "ES256"
        clock.advance(600)
        assert house.plugin._keys.signing().signer.algorithm == "EdDSA"
        assert len(kids(house)) == 2


def test_a_longer_lifetime_keeps_retired_keys_longer_too(store_url: str) -> None:
    clock = FixedClock()
    with site(store_url, clock=clock, access_lifetime="15m") as house:
        house.client.run(house.plugin._keys.rotate())
    with site(store_url, clock=clock, access_lifetime="1h") as house:
        assert [key.lifetime for key in house.plugin._keys.ring.keys] == [3600, 3600]


def test_every_process_follows_a_rotation(store_url: str) -> None:
    clock = FixedClock()
    with site(store_url, clock=clock) as one, site(store_url, clock=clock) as other:
        new = rotate(one)
        other.client.wait_until(lambda: new in [key.kid for key in other.plugin._keys.kept])
        assert kids(one) == kids(other)


def test_a_process_that_was_told_nothing_looks_on_its_own(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narthex_plugins.auth.keystore.LOOK", 0.05)
    with site(store_url) as one, site(store_url) as other:
        monkeypatch.setattr(one.plugin._store.link, "announce", lambda *_: None)
        new = rotate(one)
        other.client.wait_until(lambda: new in [key.kid for key in other.plugin._keys.kept])
    assert LOOK > 0.05


def test_keys_sealed_anew_are_read_by_the_next_start_and_not_missed_by_those_that_run(store_url: str) -> None:
    new = Secret("another secret key, as long as it must be")
    with site(store_url) as house:
        done = house.write(lambda connection: reseal(connection, "auth", Sealer(KEY), Sealer(new)))
        house.client.run(house.plugin._keys._turn())
        assert (done, len(kids(house)), house.plugin._keys.trouble) == (1, 1, "")
        before = kids(house)
    table = {"use": "narthex_plugins.auth:Auth", **settings()}
    own = {"store": Secret(store_url), "secret_key": new}
    with Client(None, {"narthex": own, "plugins": {"auth": table}}) as client:
        assert [key.kid for key in plugin_of(client.house)._keys.kept] == before


def test_a_row_that_cannot_be_opened_is_told_and_the_others_go_on() -> None:
    with site() as house:
        keys = house.plugin._keys
        stranger, now = Sealer(Secret("the key of another deployment, say")), house.clock.now()
        row = sealed_row("auth", new_signing_key("ES256"), keys._policy, stranger, now, now)
        house.write(lambda connection: connection.execute(insert(keys_table), row))
        house.client.run(keys._turn())
        assert len(kids(house)) == 1
        assert "another secret key" in keys.trouble
        assert len(house.write(lambda connection: rows(connection, "auth"))) == 2


def test_the_database_holds_no_key_in_a_form_that_openssl_reads(tmp_path: Path) -> None:
    with site(f"sqlite:///{tmp_path}/narthex.db"):
        pass
    with sqlite3.connect(tmp_path / "narthex.db") as connection:
        [(sealed,)] = connection.execute("SELECT sealed FROM auth_keys").fetchall()
    assert sealed[:1] == b"\x01"
    assert b"\x30\x81" not in sealed[:4]
