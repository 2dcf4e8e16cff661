"""A plugin says for which releases of narthex it was written, and is refused by others."""

from pathlib import Path

import pytest

from narthex import Narthex
from narthex.errors import PluginError
from narthex.requirement import check_requirement
from tests.apps import Hello
from tests.guests import PlainGuard, seat


def plugin(requires: object) -> type:
    return type("Curfew", (), {"requires": requires})


def said(requires: object, here: str) -> str:
    """What a release says to a plugin: "" where it takes it."""
    try:
        check_requirement(plugin(requires), "curfew", "narthex.toml:7", here)
    except PluginError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(
    ("requires", "here"),
    [
        ("narthex>=1,<2", "1.0.0"),
        ("narthex>=1,<2", "1.99"),
        ("narthex>=1.2,<2", "1.3.0rc1"),
        ("narthex ~= 1.4", "1.5.dev3"),
        ("Narthex", "0.1"),
        (None, "7"),
    ],
)
def test_a_release_that_will_do_is_taken(requires: object, here: str) -> None:
    assert said(requires, here) == ""


@pytest.mark.parametrize(
    ("requires", "here"), [("narthex>=1,<2", "2.0"), ("narthex>=1,<2", "0.9"), ("narthex>=1,<2", "2.0rc1")]
)
def test_another_release_is_refused_with_the_line(requires: str, here: str) -> None:
    wanted = f"narthex.toml:7: plugin curfew requires narthex<2,>=1, and this is narthex {here}"
    assert said(requires, here).startswith(wanted)


@pytest.mark.parametrize(
    "requires",
    [
        "narthex>>1",
        "",
        "flask>=1",
        "narthex[all]>=1",
        'narthex>=1; python_version > "3"',
        "narthex @ http://x",
        1,
        ["a"],
    ],
)
def test_what_is_no_requirement_of_narthex_is_refused_with_how_to_write_it(requires: object) -> None:
    with pytest.raises(PluginError, match='write requires = "narthex>=1,<2"'):
        check_requirement(plugin(requires), "curfew", installed="1.0")


def test_a_house_does_not_boot_with_a_plugin_of_another_release(tmp_path: Path) -> None:
    class Curfew(PlainGuard):
        requires = "narthex>=99"

    table = f'[plugins.curfew]\nuse = "{seat(Curfew)["use"]}"\n'
    (tmp_path / "narthex.toml").write_text(f"[narthex]\n{table}")
    with pytest.raises(PluginError, match=r"narthex\.toml:2: plugin curfew requires narthex>=99"):
        Narthex(Hello(), tmp_path / "narthex.toml")


def test_without_being_told_it_looks_at_what_is_installed() -> None:
    with pytest.raises(PluginError, match=r"and this is narthex \d"):
        check_requirement(plugin("narthex>=99"), "curfew")
    check_requirement(plugin("narthex<99"), "curfew")
