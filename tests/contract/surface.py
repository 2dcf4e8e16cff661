"""The public surface, one line a promise; `make surface` writes it to tests/contract/surface.txt.

What a line promises, and what a change of it asks of the version, stands in docs/reference/stability.md. The lines are
made of the code itself, read and not run where that is enough; the wording of docstrings is no part of them.
"""

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from narthex.cli import BUILT_IN
from narthex.config import load
from narthex.config.describe import Row, rows
from narthex.config.reference import installed
from narthex.config.settings import NarthexSettings, PluginKeys, Settings
from narthex.errors import NarthexError
from narthex.hooks import BOOT_HOOKS, STAGES
from narthex.loader import survey
from narthex.serve.exits import Exit
from narthex.testing.suite.subject import Subject
from narthex_plugins.metrics.requests import BYTES_IN, BYTES_OUT, DURATIONS, REQUESTS

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ("core/narthex", "plugins/narthex_plugins", "contrib/narthex_contrib")
MODULES: Final = (
    *("narthex", "narthex.alerting", "narthex.config", "narthex.errors", "narthex.events"),
    *("narthex.live", "narthex.measures", "narthex.metrics", "narthex.services", "narthex.storage", "narthex.testing"),
)
_DENY: Final = re.compile(r'Deny\(\s*(\d{3})(?: if .*? else (\d{3}))?,\s*"(\w+)"')
_METRIC: Final = re.compile(r'\.(counter|gauge|histogram)\(\s*"(\w+)",\s*"[^"]*"(?:,\s*\(([^)]*)\))?')
_MADE_BY_CORE: Final = frozenset({"EventBus", "Exchange", "House", "LiveExchanges", "Metrics", "Services"})
_TABLES: Final = frozenset({"NarthexSettings"})  # told of key by key
_CORES: Final = re.compile(r"core's own|core does")
_WORD: Final = re.compile(r"\w+")


def surface(setenv: Callable[[str, str], None]) -> str:
    """Every line, sorted.

    Args:
        setenv: sets a variable that a plugin's example reads a secret from.
    """
    parts = (_names(), _hooks(), _settings(), _codes(), _metrics(), _commands(), _endpoints(setenv))
    return "".join(f"{line}\n" for part in parts for line in sorted(set(part)))


def _names() -> Iterator[str]:
    """What can be imported from where, with signatures, fields and methods."""
    for name in MODULES:
        module = import_module(name)
        own = [
            key
            for key, one in vars(module).items()
            if getattr(one, "__module__", "") == name and key[0] != "_" and isinstance(one, type)
        ]
        for public in getattr(module, "__all__", own):
            yield f"name {name}.{public}"
            yield from _shape(getattr(module, public))


def _shape(thing: Any) -> Iterator[str]:
    """A function's signature, or a class's public methods and fields, as its source has them."""
    home, name = str(getattr(thing, "__module__", "")), getattr(thing, "__qualname__", "")
    if not home.startswith("narthex"):
        return
    for node in _tree(home).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name:
                yield f"function {name}{_signature(node)}"
            case ast.ClassDef() if node.name == name and node.name not in _TABLES:
                yield from (f"class {name}: {line}" for line in _members(node))
            case _:
                pass


def _tree(module: str) -> ast.Module:
    return ast.parse(Path(import_module(module).__file__ or "").read_text())


def _members(node: ast.ClassDef) -> Iterator[str]:
    for below in node.body:
        match below:
            case ast.FunctionDef(name="__init__"):
                if node.name not in _MADE_BY_CORE:
                    yield f"made with {_signature(below)}"
                yield from _attributes(below)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if _CORES.search(ast.get_docstring(below) or ""):
                pass
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not below.name.startswith("_"):
                yield f"{below.name}{_signature(below)}"
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                value = f" = {ast.unparse(below.value)}" if below.value else ""
                yield f"{name}: {ast.unparse(below.annotation)}{value}"
            case _:
                pass


def _attributes(made: ast.FunctionDef) -> Iterator[str]:
    """What the constructor keeps under a public name."""
    for node in ast.walk(made):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()) if not name.startswith("_"):
                yield f"has {name}"
            case _:
                pass


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    returns = ast.unparse(node.returns) if node.returns else ""
    if any(ast.unparse(one) == "property" for one in node.decorator_list):
        return f": {returns}"
    awaited = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    return f"({re.sub(r'^self(, )?', '', ast.unparse(node.args))}) -> {awaited}{returns}"


def _hooks() -> Iterator[str]:
    for node in ast.walk(_tree("narthex.hooks")):
        if isinstance(node, ast.FunctionDef) and node.name in (*STAGES, *BOOT_HOOKS):
            yield f"hook {node.name}{_signature(node)}"


def _settings() -> Iterator[str]:
    tables: dict[str, type[Settings]] = {"narthex": NarthexSettings, "plugins.*": PluginKeys}
    tables |= {f"plugins.{name}": kind for name, kind in installed("narthex").items()}
    for name, kind in tables.items():
        yield from _rows(name, rows(kind))


def _rows(table: str, keys: Sequence[Row]) -> Iterator[str]:
    for row in keys:
        default = "required" if row.required else f"= {row.default or 'nothing'}"
        yield f"setting [{table}] {row.key}: {row.kind}, {default}"
        yield from _rows(f"{table}.{row.key}", row.below)


def _codes() -> Iterator[str]:
    """What callers and operators match on."""
    for text in _sources():
        for one, other, code in _DENY.findall(text):
            yield from (f"refusal {status} {code}" for status in (one, other) if status)
    for kind in _tree("narthex.errors").body:
        if isinstance(kind, ast.ClassDef):
            error: type[NarthexError] = getattr(import_module("narthex.errors"), kind.name)
            yield f"error {kind.name}({', '.join(base.__name__ for base in error.__bases__)}): {error.code}"


def _metrics() -> Iterator[str]:
    for text in _sources():
        for kind, name, labels in _METRIC.findall(text):
            yield f"metric {kind} {name}({', '.join(_WORD.findall(labels))})"
    for family in (REQUESTS, DURATIONS, BYTES_IN, BYTES_OUT):  # counted without a call for each
        yield f"metric {family.kind} {family.name}({', '.join(family.labels)})"


def _sources() -> Iterator[str]:
    for root in CODE:
        yield from (file.read_text() for file in sorted((ROOT / root).rglob("*.py")))


def _commands() -> Iterator[str]:
    yield from (f"command narthex {name}" for name in BUILT_IN)
    yield from (f"exit code {code.value} {code.name}" for code in Exit)


def _endpoints(setenv: Callable[[str, str], None]) -> Iterator[str]:
    """Of each plugin on its own, as its example has it."""
    for name in installed("narthex"):
        subject = Subject(name).prepared(ROOT, setenv)
        for taken in survey(load(subject.config())).chain.routes:
            methods = "WEBSOCKET" if taken.route.kind == "websocket" else ",".join(taken.route.methods)
            yield f"endpoint {name} {methods} {taken.path}: {taken.route.access}"


if __name__ == "__main__":
    sys.stdout.write(surface(os.environ.__setitem__))
