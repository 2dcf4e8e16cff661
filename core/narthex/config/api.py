"""docs/reference/api.md, written from the docstrings of what authors of plugins use.

Read from the sources and not from the live classes: annotations stand in the page as they stand in the code, whatever
the version of Python.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_PREAMBLE: Final = """\
# API

<!-- Written by `python -m narthex.config.reference api` from the docstrings. Do not edit. -->

What authors of plugins import. What `narthex` itself offers is imported from there (`from narthex import Deny`), the
rest from the module that is named. [Hooks](hooks.md) says when what is asked, and
[write a plugin](../howto/write-a-plugin.md) puts it together.
"""
PAGE: Final = (
    ("In front of an app", (("narthex.app", "Narthex"),)),
    ("Verdicts", (("narthex.verdict", "Allow Deny Answer"),)),
    ("Who asks", (("narthex.identity", "Identity"),)),
    ("What is asked", (("narthex.exchange", "Exchange"), ("narthex.asgi", "Headers"))),
    ("What a plugin may use", (("narthex.house", "House"), ("narthex.rehearsal", "Rehearsal Asked"))),
    ("What a plugin gives", (("narthex.routing", "Route"), ("narthex.hooks", "Inside Outside Health"))),
    (
        "Settings",
        (
            ("narthex.config.settings", "Settings PathPattern"),
            ("narthex.config.units", "Duration Size"),
            ("narthex.secrets", "Secret Address"),
        ),
    ),
    (
        "Events",
        (
            ("narthex.events", "EventBus Event HouseStarted HouseStopping ExchangeRefused HookFailed ExchangeClosed"),
            ("narthex.events", "AlertFired AlertResolved"),
        ),
    ),
    ("Metrics, exchanges under way, the store", (("narthex.metrics", "Metrics"), ("narthex.live", "LiveExchanges"))),
    ("", (("narthex.storage", "Store"),)),
    (
        "What somebody should know of",
        (
            ("narthex.alerting", "AlertRule Board Panel Query"),
            ("narthex.measures", "Match Level Rate Share Quantile Absent"),
        ),
    ),
    ("In the app", (("narthex.context", "current_exchange current_identity log_context"),)),
    ("", (("narthex.guards", "require_auth require_role require_permission Refused"),)),
    ("Testing", (("narthex.testing.driving", "request websocket Reply"), ("narthex.testing.fakes", "config"))),
    ("", (("narthex.testing.client", "Client"), ("narthex.testing.identity", "as_identity"))),
    ("", (("narthex.testing.suite", "contract"),)),
    ("", (("narthex.testing.fakes", "Hello FixedClock a_plugin an_exchange memory_store Counted"),)),
    ("", (("narthex.testing.driving", "drive http_scope websocket_scope"),)),
)
"""Heading, and under it modules with their names; no heading goes on with the one before."""
_OFFERED_BY: Final = ("narthex", "narthex.config", "narthex.testing")
"""Packages whose `__all__` says that a name is imported from there, and not from the module that defines it."""
_SECTION: Final = re.compile(r"^(Attributes|Args|Returns|Raises|Yields):$", re.MULTILINE)
_OUTSIDE: Final = re.compile(r"^\S", re.MULTILINE)
_ITEM: Final = re.compile(r"^(\*{0,2}\w+(?:, \w+)*): (.*)$")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Doc:
    """A docstring, taken apart.

    Attributes:
        text: what stands before the first section, as Markdown.
        sections: title to its entries, each with a name, or "" where it has none.
    """

    text: str
    sections: dict[str, list[tuple[str, str]]]


def api_md() -> str:
    """The page."""
    parts = [_PREAMBLE]
    for heading, modules in PAGE:
        if heading:
            parts.append(f"## {heading}\n")
        for module, names in modules:
            tree = ast.parse(_source(module))
            parts += (_entry(_offered_by(name) or module, name, tree) for name in names.split())
    return "\n".join(parts)


def read_doc(text: str) -> Doc:
    """Take a docstring in Google's form apart."""
    before, *rest = _SECTION.split(text)
    sections: dict[str, list[tuple[str, str]]] = {}
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        found = _OUTSIDE.search(body)  # prose that goes on after the section
        inside = body[: found.start()] if found else body
        before += f"\n{body[len(inside) :]}"
        sections[title] = list(_items(inside))
    return Doc(re.sub(r"\n{3,}", "\n\n", before.strip()), sections)


def _items(body: str) -> Iterator[tuple[str, str]]:
    """Entries of a section; a line that is indented further goes on with the entry above it."""
    entries: list[str] = []
    for line in body.splitlines():
        if line.startswith("     ") and entries:
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    for entry in entries:
        found = _ITEM.match(entry)
        yield (found[1], found[2]) if found else ("", entry)


def _source(module: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(module)
    return Path(spec.origin).read_text("utf-8")


def _offered_by(name: str) -> str:
    return next((package for package in _OFFERED_BY if name in import_module(package).__all__), "")


def _entry(module: str, name: str, tree: ast.Module) -> str:
    place = f"From `{module}`."
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        match node:
            case ast.ClassDef() if node.name == name:
                return "\n".join([f"### `{name}`\n", place, *_class(node)])
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name and not _is_overload(node):
                return "\n".join([f"### `{name}`\n", place, "", *_function(node)])
            case ast.Assign(targets=[ast.Name(id=found)]) if found == name:
                return f"### `{name}`\n\n{place}\n\n{_text(after)}\n"
            case _:
                pass
    raise LookupError(f"{module} has no {name}")


def _text(node: ast.stmt | None) -> str:
    """What a bare string says, which stands below a name as its documentation."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
        case _:
            return ""


def _class(node: ast.ClassDef) -> Iterator[str]:
    doc = read_doc(ast.get_docstring(node) or "")
    yield f"\n{doc.text}\n"
    meanings = {name: text for names, text in doc.sections.pop("Attributes", []) for name in names.split(", ")}
    yield from (f"Topic: `{topic}`.\n" for topic in _topics(node))
    fields = list(_fields(node))
    if fields:
        yield "| field | type | default | meaning |\n|---|---|---|---|"
        for name, kind, default in fields:
            yield _row(f"`{name}`", f"`{kind}`", default, meanings.pop(name, ""))
        yield ""
    if meanings:
        yield "| attribute | meaning |\n|---|---|"
        yield from (_row(f"`{name}`", text) for name, text in meanings.items())
        yield ""
    yield from _sections(doc)
    for below in node.body:
        if isinstance(below, _Function) and not (below.name.startswith("_") or _is_overload(below) or _is_core(below)):
            yield from _function(below, f"{node.name}.")


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Of a dataclass: name, type, default."""
    if not any("dataclass" in ast.unparse(one) for one in node.decorator_list):
        return
    for below in node.body:
        if isinstance(below, ast.AnnAssign) and isinstance(below.target, ast.Name):
            kind = ast.unparse(below.annotation)
            if kind.startswith("ClassVar") or below.target.id.startswith("_"):
                continue
            written = ast.unparse(below.value) if below.value else ""
            default = "empty" if written.startswith("field(") else f"`{written}`" if written else "required"
            yield below.target.id, kind, default


def _topics(node: ast.ClassDef) -> Iterator[str]:
    """Of an event, under what it can be streamed."""
    for below in node.body:
        match below:
            case ast.AnnAssign(target=ast.Name(id="topic"), value=ast.Constant(value=str(topic))):
                yield topic
            case _:
                pass


def _function(node: _Function, owner: str = "") -> Iterator[str]:
    doc = read_doc(ast.get_docstring(node) or "")
    decorators = [ast.unparse(one) for one in node.decorator_list]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if "property" in decorators:
        shown = f"{owner}{node.name}: {ast.unparse(node.returns)}" if node.returns else f"{owner}{node.name}"
    else:
        arguments = re.sub(r"^self(, )?", "", ast.unparse(node.args))
        shown = f"{owner}{node.name}({arguments}){returns}"
        shown = f"await {shown}" if isinstance(node, ast.AsyncFunctionDef) else shown
    yield f"- `{shown}`  " if owner else f"`{shown}`\n"
    indent = "  " if owner else ""
    yield "\n".join(f"{indent}{line}".rstrip() for line in doc.text.splitlines()) + "\n"
    yield from (f"{indent}{line}".rstrip() for line in _sections(doc))


def _sections(doc: Doc) -> Iterator[str]:
    """Arguments and errors, as a list."""
    for title, entries in doc.sections.items():
        for name, text in entries:
            words = ("raises" if title == "Raises" else "", f"`{name}`" if name else title.lower())
            yield f"- {' '.join(filter(None, words))}: {text}"
    if doc.sections:
        yield ""


def _is_overload(node: _Function) -> bool:
    return any(ast.unparse(one).endswith("overload") for one in node.decorator_list)


def _is_core(node: _Function) -> bool:
    """Whether a method says that only core calls it."""
    return bool(re.search(r"core's own|core does", ast.get_docstring(node) or ""))


def _row(*cells: str) -> str:
    return "| " + " | ".join(_escaped(cells)) + " |"


def _escaped(cells: Iterable[str]) -> Iterator[str]:
    return (cell.replace("|", "\\|") for cell in cells)
