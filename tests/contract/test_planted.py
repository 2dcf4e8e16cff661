"""The contract suite put to the test: every planted fault is caught, by the check that is meant for it alone."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from narthex.testing.suite import CHECKS, lifetime, shape, subject, transparency
from narthex.testing.suite.subject import Check, Finding, NotNow, Subject
from tests.contract.planted import FAULTS

HERE: Final = Path(__file__).parent
PAGE: Final = HERE / "planted.md"
QUICK: Final = [check for check in CHECKS if check is not shape.off_it_is_not_imported]


@pytest.fixture(autouse=True)
def _impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for module in (subject, transparency, lifetime):
        monkeypatch.setattr(module, "PATIENCE", 0.5)
    yield
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError):
            if descriptor.readlink().name == "planted.log":
                os.close(int(descriptor.name))


def findings(checked: Subject, checks: Sequence[Check] = QUICK) -> dict[str, str]:
    """What the checks say: the name of each that found something, and its words."""
    found: dict[str, str] = {}
    for check in checks:
        try:
            check(checked)
        except Finding as finding:
            found[check.__name__] = str(finding)
        except NotNow:
            continue
    return found


def planted(use: str) -> Subject:
    return Subject(use, docs=PAGE, second={"path": "/second"})


def test_a_sound_plugin_is_let_through_by_every_check() -> None:
    assert findings(planted("tests.contract.planted:Sound"), CHECKS) == {}


@pytest.mark.parametrize("use", FAULTS)
def test_a_fault_is_caught_by_its_check_alone(use: str) -> None:
    checks = CHECKS if FAULTS[use] == "off_it_is_not_imported" else QUICK
    found = findings(replace(planted(use), beside=["tests.contract.planted_light:Light"]), checks)
    assert list(found) == [FAULTS[use]], found
    assert "what to do: " in found[FAULTS[use]]


@pytest.mark.parametrize(
    ("use", "words"), [("no-such-plugin", "pip install -e"), ("tests.contract.nowhere:Plugin", "cannot be imported")]
)
def test_what_is_not_installed_fails_and_does_not_only_skip(use: str, words: str) -> None:
    checked = Subject(use).prepared(HERE, lambda name, value: None)
    found = findings(checked, CHECKS)
    assert list(found) == ["it_can_be_built"]
    assert words in found["it_can_be_built"]


def test_every_check_has_a_fault_of_its_own() -> None:
    assert {check.__name__ for check in CHECKS} == set(FAULTS.values())
