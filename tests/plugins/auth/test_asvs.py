import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/asvs.md").read_text()


def test_every_test_that_the_page_on_asvs_names_exists() -> None:
    written = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert sorted(name for name in named if f"def {name}(" not in written) == []


def test_every_module_that_it_names_exists() -> None:
    modules = set(re.findall(r"`(\w+\.py)`", PAGE))
    there = {file.name for file in (ROOT / "plugins/narthex_plugins/auth").rglob("*.py")}
    assert modules - there == set()
