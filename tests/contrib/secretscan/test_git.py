"""What git is about to keep, what it has kept, and a real pre-commit."""

import os
import random
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from narthex_contrib.secretscan import repository as objects
from narthex_contrib.secretscan.command import Asked, Judges, run
from narthex_contrib.secretscan.report import Outcome
from narthex_contrib.secretscan.settings import ScanSettings
from tests.contrib.secretscan.forms import secret
from tests.contrib.secretscan.running import CLEAN, NARTHEX, git, repository

DRAW = random.Random(23)
TOKEN = secret("github-token", DRAW)
ODD = ["with blank.py", "quote'\".py", "line\nbreak.py", "-rf.py", "ünïcode.py", "tab\t.py"]


def looked(directory: Path, monkeypatch: pytest.MonkeyPatch, **what: bool) -> Outcome:
    monkeypatch.chdir(directory)
    settings = ScanSettings.model_validate({})
    chosen = {"staged": False, "history": False, "fail_fast": False} | what
    judges = Judges(settings, None, None, date(2026, 1, 1))
    return run(Asked([], directory, settings, 1, **chosen), judges)


def test_staged_looks_at_the_index_and_not_at_the_work_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path)
    (tmp_path / "a.py").write_text(f'a = "{TOKEN}"\n')
    git(tmp_path, "add", "a.py")
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "b.py").write_text(f'a = "{TOKEN}"\n')
    assert [one.path for one in looked(tmp_path, monkeypatch, staged=True).open] == ["a.py"]


def test_staged_tells_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path)
    rest = "".join(f"x{number} = {number}\n" for number in range(50))
    (tmp_path / "a.py").write_text(f'a = "{TOKEN}"\n{rest}')
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "a.py").write_text(f'# moved down\na = "{TOKEN}"\nb = "{secret("npm-token", DRAW)}"\n{rest}')
    git(tmp_path, "mv", "a.py", "c.py")
    git(tmp_path, "add", "-A")
    assert [(one.kind, one.line) for one in looked(tmp_path, monkeypatch, staged=True).open] == [("npm-token", 3)]


def test_history_finds_what_was_taken_out_and_names_the_first_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path)
    (tmp_path / "a.py").write_text(f'a = "{TOKEN}"\n')
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "one")
    first = git(tmp_path, "rev-parse", "HEAD").strip()
    (tmp_path / "copy.py").write_text(f'a = "{TOKEN}"\n')
    git(tmp_path, "add", "copy.py")
    git(tmp_path, "commit", "-qm", "the same contents")
    git(tmp_path, "rm", "-q", "a.py", "copy.py")
    git(tmp_path, "commit", "-qm", "gone")
    outcome = looked(tmp_path, monkeypatch, history=True)
    assert [(one.kind, one.commit) for one in outcome.open] == [("github-token", first)]
    assert outcome.files == 1


def test_odd_names_are_scanned_everywhere_and_printed_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path)
    for name in ODD:
        (tmp_path / name).write_text(f"a = '{secret('github-token', DRAW)}'\n")
    git(tmp_path, "add", "-A")
    for what in ({"staged": True}, {}):
        found = [one.path for one in looked(tmp_path, monkeypatch, **what).open]
        assert sorted(found) == sorted(name.replace("\n", "\\n").replace("\t", "\\t") for name in ODD)
    git(tmp_path, "commit", "-qm", "one")
    assert len(looked(tmp_path, monkeypatch, history=True).open) == len(ODD)


def test_links_and_submodules_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = repository(tmp_path / "inner")
    (inner / "x.py").write_text(f'a = "{TOKEN}"\n')
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "one")
    outer = repository(tmp_path / "outer")
    (outer / "secret.txt").symlink_to("/etc/hostname")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "below")
    git(outer, "add", "-A")
    assert looked(outer, monkeypatch, staged=True).open == []
    assert [one.path for one in looked(outer, monkeypatch).open] == ["below/x.py"]


def test_what_git_ignores_is_scanned_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path)
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "x.py").write_text(f'a = "{TOKEN}"\n')
    assert looked(tmp_path, monkeypatch).open == []
    settings = ScanSettings.model_validate({})
    asked = Asked([Path("build")], tmp_path, settings, 1, staged=False, history=False, fail_fast=False)
    assert [one.path for one in asked.looked().findings] == ["build/x.py"]


def test_a_repository_without_a_commit_has_no_history(tmp_path: Path) -> None:
    assert objects.history(repository(tmp_path)) == []


CONFIG = """\
repos:
  - repo: local
    hooks:
      - id: narthex-scan
        name: no secret leaves
        entry: {narthex} scan --fail-fast
        language: system
        types: [text]
"""


def test_pre_commit_refuses_a_key_and_passes_with_an_exemption(tmp_path: Path) -> None:
    pre_commit = shutil.which("pre-commit", path=str(Path(sys.executable).parent))
    assert pre_commit, "the extra `test` brings pre-commit"
    repository(tmp_path)
    environment = CLEAN | {"PRE_COMMIT_HOME": str(tmp_path / ".cache"), "PATH": os.environ["PATH"]}
    (tmp_path / ".pre-commit-config.yaml").write_text(CONFIG.format(narthex=NARTHEX))
    (tmp_path / ".gitignore").write_text(".cache/\n")
    git(tmp_path, "add", "-A")
    subprocess.run([pre_commit, "install"], cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=100)

    def commit() -> subprocess.CompletedProcess[str]:
        git(tmp_path, "add", "-A")
        command = ["git", "commit", "-m", "work"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
        )

    (tmp_path / "app.py").write_text(f'token = "{TOKEN}"\n')
    refused = commit()
    assert refused.returncode == 1
    assert "app.py:1:10: github-token" in refused.stdout + refused.stderr
    assert TOKEN not in refused.stdout + refused.stderr
    assert git(tmp_path, "rev-list", "--all") == ""
    allow = "narthex:" + "allow"
    (tmp_path / "app.py").write_text(f'token = "{TOKEN}"  # {allow} withdrawn in March\n')
    passed = commit()
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert git(tmp_path, "rev-list", "--count", "HEAD").strip() == "1"
