"""What the code knows, the reference tells."""

import re
from pathlib import Path

import narthex.errors
from narthex.cli import BUILT_IN
from narthex.errors import NarthexError
from narthex.guards import Refused
from narthex.hooks import BOOT_HOOKS, STAGES

ROOT = Path(__file__).parents[2]
ERRORS = (ROOT / "docs/reference/errors.md").read_text()
HOOKS = (ROOT / "docs/reference/hooks.md").read_text()


def test_every_hook_is_documented() -> None:
    assert [hook for hook in (*STAGES, *BOOT_HOOKS) if f"| `{hook}` |" not in HOOKS] == []


def test_every_code_of_a_refusal_is_documented() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "core/narthex").rglob("*.py"))
    codes = re.findall(r"Deny\(\s*\d{3}(?: if .*? else \d{3})?,\s*\"(\w+)\"", sources)
    assert len(codes) > 10
    assert {code for code in codes if f"| `{code}` |" not in ERRORS} == set()


def test_every_error_class_is_documented() -> None:
    known = [one for one in vars(narthex.errors).values() if isinstance(one, type)]
    codes = [one.code for one in (*known, Refused) if issubclass(one, NarthexError)]
    assert [code for code in codes if f"| `{code}` |" not in ERRORS] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    runbooks = (ROOT / "docs/runbooks/README.md").read_text()  # which the index leads to
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    told = [page for page in pages if f"({page})" in index or f"({page.removeprefix('runbooks/')})" in runbooks]
    assert [
        page for page in pages if page not in told and not page.startswith("decisions/") and page != "README.md"
    ] == []


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_every_command_is_documented() -> None:
    commands = (ROOT / "docs/reference/commands.md").read_text()
    assert [name for name in BUILT_IN if f"| `narthex {name}" not in commands] == []
