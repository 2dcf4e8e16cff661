"""`narthex new-plugin`: what it writes works in an environment of its own, and it overwrites nothing."""

import os
import site
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from narthex.commands.new_plugin import Kind
from tests.slow import sampled

BIN = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, cwd: Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def new_plugin(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "narthex", "new-plugin", *arguments, cwd=cwd, code=code)


def environment(directory: Path) -> Path:
    """A Python of its own, where nothing but what is installed here can be imported, and no plugin of a test."""
    run(sys.executable, "-m", "venv", "--without-pip", directory, cwd=directory.parent)
    python = directory / BIN / "python"
    found = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=directory).stdout.strip()
    here = "; ".join(f"site.addsitedir({one!r})" for one in site.getsitepackages())
    (Path(found) / "here.pth").write_text(f"import site; {here}\n")
    return python


def tree(directory: Path) -> list[str]:
    return sorted(one.relative_to(directory).as_posix() for one in directory.rglob("*") if one.is_file())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kinds", sampled([list(Kind), list(Kind)[:1]], lambda kinds: len(kinds) == 1), ids=len)
def test_the_tests_of_every_kind_pass_at_once_in_an_environment_of_its_own(kinds: list[Kind], tmp_path: Path) -> None:
    python, packages = environment(tmp_path / "venv"), [tmp_path / f"narthex-night-{kind}" for kind in kinds]
    for kind in kinds:
        new_plugin(f"night-{kind}", "--kind", kind, cwd=tmp_path)
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, *(argument for package in packages for argument in ("--editable", package)), cwd=tmp_path)
    done = run(python, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *packages, cwd=tmp_path)
    assert "failed" not in done.stdout
    assert "skipped" not in done.stdout
    for package in packages:
        checked = run(python, "-m", "narthex", "check", cwd=package, NIGHT_IDENTIFIER_KEY="open sesame")
        assert checked.stdout.endswith("narthex.toml: fine, 1 plugin\n")
    listed = run(python, "-m", "narthex", "plugins", cwd=tmp_path).stdout
    assert all(f"narthex-night-{kind} 0.1.0" in listed for kind in kinds)


def test_it_says_what_comes_next(tmp_path: Path) -> None:
    said = new_plugin("curfew", cwd=tmp_path).stdout
    assert said.startswith("narthex-curfew: the plugin curfew, a package of 12 files. Next:\n")
    assert [line.strip() for line in said.splitlines()[2:]] == [
        "cd narthex-curfew",
        "python -m pip install -e '.[test]'",
        "python -m pytest",
        "narthex check",
    ]


def test_an_empty_directory_or_a_new_one_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    new_plugin("curfew", "--directory", "empty", cwd=tmp_path)
    new_plugin("curfew", "-d", "a/b/c", cwd=tmp_path)
    assert tree(tmp_path / "empty") == tree(tmp_path / "a/b/c")
    assert "narthex_curfew/plugin.py" in tree(tmp_path / "empty")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "empty"]


@pytest.mark.parametrize("there", ["a directory", "a file"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    target = tmp_path / "narthex-curfew"
    if there == "a directory":
        target.mkdir()
    (target / "README.md" if there == "a directory" else target).write_text("mine")
    done = new_plugin("curfew", cwd=tmp_path, code=2)
    assert "nothing was written (name another directory: --directory DIR)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [(tmp_path / name).read_text() for name in tree(tmp_path)] == ["mine"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Night_Watch", "did you mean night-watch?"),
        ("2fa", "lower-case words"),
        ("a--b", "did you mean a-b?"),
        ("../evil", "did you mean evil?"),
        ("x" * 51, "at most 50 characters"),
        ("", "lower-case words"),
        ("narthex-curfew", "name it curfew"),
        ("narthex", "says narthex twice"),
        ("class", "is a word of Python's"),
        ("second", "or of narthex.testing's"),
        ("health", "is installed already, from narthex (take another name, or pip uninstall narthex)"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(name: str, words: str, tmp_path: Path) -> None:
    done = new_plugin(name, cwd=tmp_path, code=2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert tree(tmp_path) == []


@pytest.mark.parametrize("arguments", [(), ("curfew", "--kind", "policy"), ("curfew", "second")])
def test_what_makes_no_sense_is_a_usage_error(arguments: Sequence[str], tmp_path: Path) -> None:
    assert "Traceback" not in new_plugin(*arguments, cwd=tmp_path, code=2).stderr
    assert tree(tmp_path) == []


def test_where_it_cannot_write_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = new_plugin("curfew", "--directory", "file/below", cwd=tmp_path, code=2)
    assert "file/below cannot be written: " in done.stderr
    assert tree(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["none", "house"])
def test_a_name_that_means_something_else_in_the_code_is_no_trouble(name: str, tmp_path: Path) -> None:
    new_plugin(name, cwd=tmp_path)
    text = (tmp_path / f"narthex-{name}/narthex_{name}/plugin.py").read_text()
    assert f"class {name.capitalize()}Plugin:" in text
