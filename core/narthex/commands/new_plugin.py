"""`narthex new-plugin`: a package that works, to be changed into the one that is wanted.

What is written stands in `templates`: `common`, and one folder a kind. In the name of a file PACKAGE, MODULE and NAME
stand for the plugin's own; in its text `$package`, `$module` and `$name` do.
"""

import keyword
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

import narthex
from narthex.config.settings import INSTANCE
from narthex.entrypoints import installed
from narthex.errors import ConfigError


class Kind(StrEnum):
    """What the plugin begins as."""

    GUARD = "guard"
    OBSERVER = "observer"
    IDENTIFIER = "identifier"
    ROUTES = "routes"


_LONGEST: Final = 50
_TAKEN: Final = frozenset({"asking", "last-eye", "second", "who"})
"""Instances that stand beside the plugin in its tests."""
_IMPORTED: Final = frozenset({*narthex.__all__, "ClassVar", "Iterable", "JSONResponse", "Request", "Response"})
"""What the templates import, or Python has: no name for the class."""
_FENCED: Final = "```toml\n{}\n```\n"


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case words joined by hyphens, such as curfew.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="guard refuses, observer takes note, identifier says who asks, routes has endpoints of its own."
        ),
    ] = Kind.GUARD,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory",
            "-d",
            metavar="DIR",
            help="Where to write it.",
            show_default="narthex-NAME",
            resolve_path=False,
        ),
    ] = None,
) -> None:
    """Write the package of a new plugin, with tests that pass.

    Into a new or an empty directory; nothing is ever overwritten.
    """
    values = _values(_checked(name), kind)
    target = directory or Path(values["distribution"])
    texts = dict(_texts(kind, values))
    _write(target, texts)
    typer.echo(f"{target}: the plugin {name}, a package of {len(texts)} files. Next:\n")
    for line in (f"cd {target}", "python -m pip install -e '.[test]'", "python -m pytest", values["check"]):
        typer.echo(f"    {line}")


def _checked(name: str) -> str:
    """A name that can be that of a plugin's table, of a distribution and of a package.

    Raises:
        ConfigError: it cannot, or another plugin has it.
    """
    if not INSTANCE.fullmatch(name) or len(name) > _LONGEST:
        better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST]
        hint = f"did you mean {better}? " if INSTANCE.fullmatch(better) else ""
        raise ConfigError(
            f"{name!r} cannot name a plugin",
            hint=f"{hint}a name is lower-case words joined by single hyphens, at most {_LONGEST} characters",
        )
    if name == "narthex" or name.startswith("narthex-"):
        rest = name.removeprefix("narthex").strip("-") or "curfew"
        raise ConfigError(f"{name!r} says narthex twice", hint=f"name it {rest}: the package becomes narthex-{rest}")
    if keyword.iskeyword(name) or name in _TAKEN:
        raise ConfigError(f"{name!r} is a word of Python's or of narthex.testing's", hint=f"take {name}-guard, or so")
    point = installed().get(name)
    if point is not None:
        whose = point.dist.name if point.dist is not None else point.value
        raise ConfigError(
            f"a plugin called {name!r} is installed already, from {whose}",
            hint=f"take another name, or pip uninstall {whose}",
        )
    return name


def _values(name: str, kind: Kind) -> dict[str, str]:
    """What the templates' words stand for."""
    module = name.replace("-", "_")
    title = "".join(part.capitalize() for part in name.split("-"))
    values = {
        "name": name,
        "module": module,
        "constant": module.upper(),
        "package": f"narthex_{module}",
        "distribution": f"narthex-{name}",
        "class": f"{title}Plugin" if title in _IMPORTED or keyword.iskeyword(title) else title,
        "release": _release(),
    }
    about = tomllib.loads((_folder(kind.value) / "about.toml").read_text("utf-8"))
    filled = {key: Template(text).substitute(values).strip("\n") for key, text in about.items()}
    return {**values, "check": "narthex check", **filled, "example": _FENCED.format(filled["table"])}


def _release() -> str:
    """The releases that this one's plugins work with: to the end of its major version (SemVer §8, §4)."""
    try:
        here = version("narthex")
    except PackageNotFoundError:
        return ""
    major, minor = (int(part) for part in re.findall(r"\d+", here)[:2])
    return f">={major}.{minor},<{major + 1}"


def _folder(name: str) -> Traversable:
    return files("narthex.commands") / "templates" / name


def _texts(kind: Kind, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Path within the package, and text."""
    for folder in ("common", kind.value):
        for path, template in _templates(_folder(folder)):
            for word in ("PACKAGE", "MODULE", "NAME"):
                path = path.replace(word, values[word.lower()])  # noqa: PLW2901  word by word
            yield path, Template(template.read_text("utf-8")).substitute(values)


def _templates(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    """Every template of a folder, with the path of what it becomes."""
    for one in folder.iterdir():
        if one.is_dir():
            yield from _templates(one, f"{path}{one.name}/")
        elif one.name.endswith(".tmpl"):
            yield f"{path}{one.name.removesuffix('.tmpl')}", one


def _write(target: Path, texts: Mapping[str, str]) -> None:
    """All files or none.

    Raises:
        ConfigError: there is something already, or it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(
            f"{target} {'is not empty' if target.is_dir() else 'is a file'}; nothing was written",
            hint="name another directory: --directory DIR",
        )
    made: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix=".narthex-", dir=target.parent)
        for path, text in texts.items():
            file = Path(made) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        Path(made).chmod(0o755)
        Path(made).rename(target)  # an empty directory gives way
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
