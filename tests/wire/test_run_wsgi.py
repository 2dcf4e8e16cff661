"""`--wsgi`: who the caller is, in REMOTE_USER, and nobody can say so by a header."""

from pathlib import Path

import pytest

from tests.wire.narthex_run import SERVERS, narthex_run

PERSON = '[plugins.person]\nuse = "tests.guests:Person"\n'


@pytest.mark.parametrize("server", SERVERS)
def test_the_identity_is_remote_user(server: str, tmp_path: Path) -> None:
    with narthex_run("shop:wsgi", tmp_path, PERSON, server=server, wsgi=True) as house:
        assert house.get(**{"x-test-user": "alice admin"}).startswith("'alice' ")


def test_an_anonymous_caller_is_no_remote_user_whatever_headers_say(tmp_path: Path) -> None:
    spoofed = {"Remote-User": "root", "Remote_User": "root", "Forwarded_User": "root"}
    with narthex_run("shop:wsgi", tmp_path, PERSON, wsgi=True) as house:
        assert house.get(**spoofed) == "None ['HTTP_REMOTE_USER']"


def test_a_subject_beyond_ascii_is_spelt_as_wsgi_has_it(tmp_path: Path) -> None:
    with narthex_run("shop:wsgi", tmp_path, PERSON, wsgi=True) as house:
        # The header is read as latin-1 by the test's identifier; WSGI strings are UTF-8 bytes decoded as latin-1.
        assert house.get(**{"x-test-user": "zoë"}).startswith(repr("zoë".encode().decode("latin-1")))
