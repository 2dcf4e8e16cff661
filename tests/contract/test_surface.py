"""The public surface is what was agreed; a change of it is meant, and is a matter of the version (SemVer)."""

from pathlib import Path
from typing import Final

import pytest

from tests.contract.surface import surface

AGREED: Final = Path(__file__).with_name("surface.txt")
COMMAND: Final = "make surface"


def asked_of_the_version(before: str, now: str) -> str:
    """What a change of the surface asks for, in words; "" where there is none."""
    old, new = before.splitlines(), now.splitlines()
    gone = [line for line in old if line not in set(new)]
    come = [line for line in new if line not in set(old)]
    if not gone and not come:
        return ""
    asks = (
        "Something was taken away or changed: a MAJOR version (SemVer §8), or, before 1.0.0, a minor one. Can the old "
        "form stay beside the new one?"
        if gone
        else "Something was added: a MINOR version (SemVer §7). A new argument or setting has a default?"
    )
    lines = [*(f"- {line}" for line in gone), *(f"+ {line}" for line in come)]
    return "\n".join(
        ["the public surface has changed:", *lines, asks, f"Where it is meant: CHANGELOG.md, and {COMMAND}"]
    )


def test_the_surface_is_the_one_that_was_agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    change = asked_of_the_version(AGREED.read_text(), surface(monkeypatch.setenv))
    assert not change, change


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [("a\nb\n", "a\n", "MAJOR"), ("a\n", "a\nb\n", "MINOR"), ("f(x)\n", "f(x, y=1)\n", "MAJOR"), ("a\n", "a\n", "")],
)
def test_a_change_says_what_it_asks_of_the_version(before: str, now: str, word: str) -> None:
    said = asked_of_the_version(before, now)
    assert word in said
    assert bool(said) == (before != now)


@pytest.mark.parametrize(
    "line",
    [
        "hook vet(exchange: Exchange) -> Deny | Answer | None",
        "class Identity: subject: str",
        "class Exchange: method: str",
        "class House: has clock",
        "class Permissions: has_role(identity: Identity, role: str) -> bool",
        'setting [narthex] prefix: path pattern, = "/_narthex"',
        'setting [plugins.health] live: path pattern, = "/healthz"',
        "refusal 401 authentication_required",
        "error StartError(BootError): start_failed",
        "metric counter narthex_refusals_total(plugin, code)",
        "endpoint health GET /healthz: public",
        "exit code 3 FAILED_START",
        "command narthex check",
        "name narthex.hookimpl",
    ],
)
def test_each_kind_of_promise_is_on_it(line: str) -> None:
    assert line in AGREED.read_text().splitlines()
