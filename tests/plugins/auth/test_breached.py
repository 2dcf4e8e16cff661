"""Passwords that were in a breach: files of hashes and of words, and what they keep from being set."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narthex.errors import ConfigError, DependencyError, StartError
from narthex_plugins.auth.breached import HashedFile, PlainFile, open_breaches
from tests.plugins.auth.site import PASSWORD, bearer, site

KNOWN = ["correct horse battery", "tiefblau und leise", "Grüße aus Ulm", "a" * 40, "trustno1trustno1"]


def hashed(path: Path, words: list[str], *, end: str = "\r\n", counts: bool = True, lower: bool = False) -> Path:
    lines = sorted(hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper() for word in words)
    text = "".join(f"{line}:{len(line)}{end}" if counts else f"{line}{end}" for line in lines)
    path.write_bytes((text.lower() if lower else text).encode())
    return path


@settings(max_examples=60, deadline=None)
@given(st.sets(st.text("abc", max_size=6), min_size=1), st.booleans(), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_every_hash_of_a_file_is_found_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, words: set[str], counts: bool, lower: bool, end: str
) -> None:
    path = tmp_path_factory.mktemp("breached") / "hashes.txt"
    breaches = open_breaches(hashed(path, list(words), end=end, counts=counts, lower=lower))
    assert isinstance(breaches, HashedFile)
    for word in ("", "a", "b", "c", "ab", "abc", "cab", *words):
        assert breaches.holds(word) is (word in words and word != "")


def test_a_large_file_is_not_held_in_memory_and_searched_in_few_reads(tmp_path: Path) -> None:
    words = [f"word {number}" for number in range(20_000)]
    breaches = open_breaches(hashed(tmp_path / "hashes.txt", words))
    assert all(breaches.holds(word) for word in words[::97])
    assert not any(breaches.holds(f"other {number}") for number in range(200))


def test_a_list_of_words_is_compared_without_case_and_as_every_keyboard_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(KNOWN), "utf-8")
    breaches = open_breaches(path)
    assert isinstance(breaches, PlainFile)
    for word in (*KNOWN, "TIEFBLAU und leise", "Gru\u0308ße aus Ulm"):
        assert breaches.holds(word)
    assert not breaches.holds("tiefblau und laut")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (("B" * 40 + "\n" + "A" * 40 + "\n").encode() * 40, "not in order"),
        (("A" * 40 + "\n").encode() * 40 + b"password\n" * 400, "others are not"),
        (b"\xff\xfe\x00", "decode"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        open_breaches(tmp_path / "file")
    table = {"memory": 8192, "passes": 1, "lanes": 1, "breached": str(tmp_path / "none")}
    with pytest.raises(StartError, match="No such file"), site(passwords=table):
        pass


def test_a_password_of_a_breach_cannot_be_set(tmp_path: Path) -> None:
    path = hashed(tmp_path / "hashes.txt", KNOWN)
    table = {"memory": 8192, "passes": 1, "lanes": 1, "breached": str(path)}
    with site(passwords=table) as house:
        house.add()
        token = house.login()["access_token"]
        bad = house.post("password", [bearer(token)], current_password=PASSWORD, new_password=KNOWN[1])
        assert (bad.status, bad.json()["error"]) == (400, "password_refused")
        assert "in a breach" in bad.json()["error_description"]
        path.unlink()
        gone = house.post("password", [bearer(token)], current_password=PASSWORD, new_password="noch nie gesehen")
        assert gone.status == 503
        hashed(path, KNOWN)
        good = house.post("password", [bearer(token)], current_password=PASSWORD, new_password="noch nie gesehen")
        assert good.status == 200


def test_nobody_can_say_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(DependencyError):
        HashedFile(tmp_path / "none").holds("x")
