"""The pages of docs/howto that one follows command by command, followed."""

import re
from pathlib import Path

import pytest

from tests.docs.walkthrough import blocks, walk
from tests.slow import sampled
from tests.wire.servers import free_port

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
PAGES = sorted(page for page in HOWTO.glob("*.md") if any(block.language == "sh" for block in blocks(page.read_text())))


def elsewhere(page: str) -> str:
    """The same page on ports that are free: nobody else's 8000 is in the way, and ours in nobody's."""
    ports = {port: str(free_port()) for port in sorted(set(re.findall(r"\b80\d\d\b", page)))}
    return re.sub(r"\b80\d\d\b", lambda found: ports[found[0]], page)


# Those of which `make test` follows the commands: a server each, and every way of writing a page.
SAMPLE = {"log-in.md", "metrics.md", "reload.md", "datasette.md", "guards.md"}


@pytest.mark.parametrize("page", sampled(PAGES, lambda page: page.name in SAMPLE), ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    assert walk(elsewhere(page.read_text()), tmp_path)


def test_the_page_on_datasette_is_among_them() -> None:
    assert HOWTO / "datasette.md" in PAGES


def test_every_page_is_in_the_list_of_pages() -> None:
    told = (HOWTO / "README.md").read_text()
    assert [page.name for page in HOWTO.glob("*.md") if f"({page.name})" not in told and page.name != "README.md"] == []


@pytest.mark.parametrize("page", ["```sh\nfalse\n```", "```sh\necho no\n```\n\n```text\nyes\n```"])
def test_a_page_that_does_not_work_is_noticed(page: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        walk(page, tmp_path)


def test_files_commands_and_servers_work_together(tmp_path: Path) -> None:
    page = (
        '```sh title="serve"\necho http://here; sleep 60\n```\n```sh serve\nbash serve\n```\n```text\nhttp...here\n```'
    )
    assert walk(page, tmp_path) == 1
    assert (tmp_path / "serve").exists()
