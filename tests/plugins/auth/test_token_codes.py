import re
from pathlib import Path

import pytest

from narthex_plugins.auth.claims import Expectations
from narthex_plugins.auth.tokens import KeyCode, KeyRefused, TokenCode, TokenRefused
from narthex_plugins.auth.weakness import RSA_BITS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/tokens.md").read_text("utf-8")


@pytest.mark.parametrize("code", [*TokenCode, *KeyCode])
def test_every_code_is_documented(code: str) -> None:
    assert f"| `{code}` |" in PAGE


def test_no_code_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `((?:token|key)_\w+)` \|", PAGE, re.MULTILINE)) == {*TokenCode, *KeyCode}


def test_the_tests_that_show_a_requirement_exist() -> None:
    sources = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) > 8
    assert [name for name in named if f"def {name}(" not in sources] == []


def test_the_limits_are_those_of_the_page() -> None:
    assert f"below {RSA_BITS[0]} or above {RSA_BITS[1]} bits" in PAGE
    assert f"at most {Expectations('', frozenset()).max_size // 1024} KiB" in PAGE


def test_a_refusal_tells_its_code_and_detail_as_text() -> None:
    assert str(TokenRefused(TokenCode.EXPIRED, "at 7")) == "token_expired: at 7"
    assert str(TokenRefused(TokenCode.EXPIRED)) == "token_expired"
    assert str(KeyRefused(KeyCode.WEAK, kid="a")) == "key_weak (kid 'a')"
