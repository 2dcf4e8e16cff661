"""Every Python block of the documentation runs, and every TOML block of ours loads."""

import re
import tomllib
from pathlib import Path

import pytest

from narthex.config import load
from narthex.loader import survey

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
EXAMPLES = [
    pytest.param(language, text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (language, text) in enumerate(BLOCK.findall(page.read_text()), 1)
    if language in ("python", "toml")
]


@pytest.mark.parametrize(("language", "text"), EXAMPLES)
def test_an_example_works(language: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_SECRET_KEY", "NARTHEX_SECRET_KEY"):  # where a block names none, it is in the environment
        monkeypatch.setenv(name, "0123456789abcdef0123456789abcdef")
    if language == "python":
        exec(compile(text, "example", "exec"), {"__name__": "example"})  # noqa: S102  our own documentation
    elif {"narthex", "plugins"} & tomllib.loads(text).keys():
        file = tmp_path / "narthex.toml"
        file.write_text(text)
        assert survey(load(file)).chain is not None
