"""A plugin says for which releases of narthex it was written, and is refused by others."""

import pytest

from narthex.errors import PluginError
from narthex.requirement import check_requirement


def plugin(requires: object) -> type:
    return type("Curfew", (), {"requires": requires})


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
    check_requirement(plugin(requires), "curfew", installed=here)


@pytest.mark.parametrize(
    ("requires", "here"), [("narthex>=1,<2", "2.0"), ("narthex>=1,<2", "0.9"), ("narthex>=1,<2", "2.0rc1")]
)
def test_another_release_is_refused_with_the_line(requires: str, here: str) -> None:
    with pytest.raises(PluginError) as caught:
        check_requirement(plugin(requires), "curfew", "narthex.toml:7", here)
    assert str(caught.value).startswith(
        f"narthex.toml:7: plugin curfew requires narthex<2,>=1, and this is narthex {here}"
    )


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


def test_without_being_told_it_looks_at_what_is_installed() -> None:
    with pytest.raises(PluginError, match=r"and this is narthex \d"):
        check_requirement(plugin("narthex>=99"), "curfew")
    check_requirement(plugin("narthex<99"), "curfew")
