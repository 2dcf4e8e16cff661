"""Each kind is found in what its issuer makes, and not in what only looks like it."""

import random
import re
from hashlib import sha1

import pytest

from narthex.detectors.kinds import DESCRIPTIONS, KINDS, NAMED, Kind, Searcher, Surety
from narthex.detectors.kinds.checksums import ends_in_crc32, grafana_crc32
from narthex_contrib.secretscan.scanning import masked
from tests.contrib.secretscan.forms import FORMS, MADE, fill, secret

SEARCHER = Searcher()


def ids(text: str) -> list[str]:
    return [one.id for one in SEARCHER.find(text)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_each_kind_is_found(kind: Kind) -> None:
    draw = random.Random(kind.id)
    found = [kind.id in ids(f"see {secret(kind.id, draw)} there\n") for _ in range(20)]
    assert sum(found) >= 19


def test_there_are_many_and_each_is_told_whole() -> None:
    assert len(DESCRIPTIONS) == len(KINDS) + len(NAMED) >= 60
    assert [one.id for one in KINDS if not (one.description and one.source)] == []
    assert [one.id for one in NAMED if not (one.description and one.source)] == []
    assert [name for name in DESCRIPTIONS if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []
    assert {*FORMS, *MADE} == {one.id for one in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_what_stands_in_for_one_is_none(kind: Kind) -> None:
    form = FORMS.get(kind.id)
    if form is None or "<" not in form:
        return
    for filler in ("x", "X", "0", "A"):
        blank = form.replace("<u>", "0" * 36)
        text = "".join(filler * int(part) if part.isdigit() else part for part in re.split(r"<\w+:(\d+)>", blank))
        assert kind.id not in ids(f"see {text} there\n")


@pytest.mark.parametrize("prefix", ["ghp_", "npm_"])
def test_a_wrong_checksum_makes_a_token_doubtful_and_an_example_none(prefix: str) -> None:
    draw = random.Random(3)
    right = MADE["github-token" if prefix == "ghp_" else "npm-token"](draw)
    wrong = prefix + fill("<w:36>", draw)
    assert [one.surety for one in SEARCHER.find(f"see {right} there")] == [Surety.CERTAIN]
    assert [one.surety for one in SEARCHER.find(f"see {wrong} there")] == [Surety.POSSIBLE]
    assert SEARCHER.find(f"for example {wrong} there") == []


def test_the_checksums_are_those_of_the_issuers() -> None:
    # Published by others to show the checksum, taken apart here: they were never good for anything.
    assert ends_in_crc32("_".join(("ghp", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17")))
    assert grafana_crc32("_".join(("glsa", "yscW25imSKJIuav8zF37RZmnbiDvB05G", "fcaa" + "f58a")))


def test_what_documentation_shows_the_world_is_none() -> None:
    assert ids("aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE") == []
    assert ids("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY") == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_never_is_more_than_a_small_part_shown(kind: Kind) -> None:
    text = f"see {secret(kind.id, random.Random(kind.id))} there\n"
    for one in SEARCHER.find(text):
        value = text[one.start : one.end]
        shown = masked(value, one.id).partition("***")[0]
        assert len(shown) <= min(12, len(value) // 2)
        assert len(value) - len(shown) >= 8 or not shown


@pytest.mark.parametrize(
    "text",
    [
        "password = get_password()",
        'password = "${DB_PASSWORD}"',
        "token: str = Field(description='The token')",
        'API_KEY = os.environ["API_KEY"]',
        "key = hashlib.sha256(data).hexdigest()",
        f"commit {sha1(b'any').hexdigest()}",  # noqa: S324  as git has it
        f'"integrity": "sha512-{"aB3" * 28}aB=="',
        "postgresql://user:password@localhost/db",
        "https://user:${PASSWORD}@host/",
        "-----BEGIN PRIVATE KEY-----",
        "Authorization: Bearer <token>",
        "password: Optional[str] = None",
    ],
)
def test_code_and_prose_hold_none(text: str) -> None:
    assert ids(text) == []


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "db.password", "userPassword", "--password", "mysql_pwd", "ADMIN_PASS"]
)
@pytest.mark.parametrize("sign", ["=", ": ", " = ", " := "])
def test_a_password_is_found_behind_many_names(name: str, sign: str) -> None:
    value = fill("<A:1><a:6><0:3>!<a:3>", random.Random(f"{name}{sign}"))
    found = SEARCHER.find(f"{name}{sign}'{value}'\n")
    assert [f"{name}{sign}'{value}'"[one.start : one.end] for one in found] == [value]
