"""The tutorials, followed command by command, in an environment of their own where what they install is installed."""

import os
import re
import site
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import walkthrough
from tests.wire.servers import free_port

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PAGES = [page for page in sorted(TUTORIAL.glob("*.md")) if page.name != "README.md"]
INSTALL = re.compile(r"^```sh install\n(?:cd (\S+)\n)?pip install -e [^\n]*\n```$", re.MULTILINE)


def environment(directory: Path) -> Path:
    """Its folder of programs: a Python that sees what is installed here, and `narthex`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True, timeout=120)
    programs = directory / "bin"
    packages = next(directory.glob("lib/python*/site-packages"))
    here = "; ".join(f"site.addsitedir({one!r})" for one in site.getsitepackages())
    (packages / "here.pth").write_text(f"import site; {here}\n")
    (programs / "narthex").write_text(f'#!/bin/sh\nexec {programs / "python"} -m narthex "$@"\n')
    (programs / "narthex").chmod(0o755)
    return programs


def followed_here(page: str, programs: Path) -> str:
    """The page with the programs of an environment, with pip that needs no network, and on a port that is free."""
    pip = f"{sys.executable} -m pip --python {programs / 'python'} install --quiet --no-deps --no-build-isolation"
    page = INSTALL.sub(lambda found: f"```sh\n{pip} --editable {found[1] or '.'}\n```", page).replace(
        "8000", str(free_port())
    )
    return re.sub(r"^(```sh(?: serve)?\n)", rf"\1export PATH={programs}{os.pathsep}$PATH\n", page, flags=re.MULTILINE)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_tutorial_leads_where_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkthrough, "PATIENCE", 240.0)  # its commands run whole test suites
    (tmp_path / "work").mkdir()
    assert walkthrough.walk(followed_here(page.read_text(), environment(tmp_path / "venv")), tmp_path / "work")


def test_every_tutorial_is_in_the_list() -> None:
    told = (TUTORIAL / "README.md").read_text()
    assert PAGES
    assert [page.name for page in PAGES if f"({page.name})" not in told] == []
