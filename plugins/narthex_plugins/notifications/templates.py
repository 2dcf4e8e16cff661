"""What is said: sandboxed Jinja2 in bounds of time and size.

Templates are the operator's, what goes into them is anybody's. Values are JSON, so there is nothing to call but a few
methods of texts, lists and dictionaries; whatever makes large things out of small ones (`*`, `~`, `+`, `%`, padding)
is measured as it happens; and a trace function, which Python calls at each line of a compiled template, ends what takes
too long. Nothing that was rendered is rendered again.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from jinja2 import BaseLoader, DictLoader, StrictUndefined, TemplateError, nodes, pass_eval_context
from jinja2.compiler import CodeGenerator
from jinja2.filters import do_replace, sync_do_join
from jinja2.nodes import EvalContext
from jinja2.runtime import markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment

from narthex_plugins.notifications.settings import FileSettings, TemplateSettings

SIZE: Final = 256 * 1024
"""Characters of one part at most."""
SECONDS: Final = 0.5
"""For all parts of one."""
_METHODS: Final = frozenset(
    {"items", "keys", "values", "get", "upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "split",
     "splitlines", "startswith", "endswith", "removeprefix", "removesuffix", "count", "index", "cycle", "changed"}
)  # fmt: skip
_FILTERS: Final = frozenset(
    {"abs", "capitalize", "d", "default", "dictsort", "e", "escape", "filesizeformat", "first", "float", "forceescape",
     "int", "items", "join", "last", "length", "list", "lower", "max", "min", "reject", "rejectattr", "replace",
     "reverse", "round", "select", "selectattr", "sort", "string", "striptags", "sum", "title", "tojson", "trim",
     "truncate", "unique", "upper", "urlencode", "wordcount", "count", "map", "attr"}
)  # fmt: skip
_BUILT_IN: Final = {
    "message": TemplateSettings(subject="{{ subject }}", text="{{ text }}"),
    "test": TemplateSettings(
        subject="A test of the channel {{ notification.channel }}",
        text="Narthex can reach you by the channel {{ notification.channel }}.",
    ),
    "event": TemplateSettings(
        subject="{{ summary | default(topic) }}",
        text="{{ topic }}\n{% for name, value in fields | dictsort %}{{ name }}: {{ value }}\n{% endfor %}",
    ),
}


class TemplateFault(Exception):
    """A template cannot be followed: what is wrong, for its author."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said; `body` is JSON for a webhook, or None for the usual one."""

    subject: str
    text: str
    html: str | None = None
    body: str | None = None


class _Generator(CodeGenerator):
    """Has `~` measured too."""

    def visit_Concat(self, node: nodes.Concat, frame: Any) -> None:  # noqa: N802  Jinja's name
        """Write a call of `_Sandbox.joined` where Jinja writes one of its own."""
        self.write("environment.joined(context.eval_ctx, (")
        for one in node.nodes:
            self.visit(one, frame)
            self.write(", ")
        self.write("))")


class _Sandbox(ImmutableSandboxedEnvironment):
    """Calls only what `_METHODS` names, and measures what grows."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, *, escaped: bool, loader: BaseLoader) -> None:
        super().__init__(autoescape=escaped, loader=loader, undefined=StrictUndefined, keep_trailing_newline=False)
        self.filters = {name: made for name, made in self.filters.items() if name in _FILTERS}
        self.filters |= {"replace": _replaced, "join": _together}
        self.globals = {"range": _short_range}
        self.policies["json.dumps_kwargs"] = {"sort_keys": False}

    def joined(self, context: EvalContext, parts: tuple[Any, ...]) -> Any:
        """What `~` comes to."""
        return _small(markup_join(parts) if context.autoescape else str_join(parts))

    def is_safe_callable(self, obj: Any) -> bool:
        """Methods of plain values, macros of the template itself, and `range`."""
        if obj is _short_range or type(obj).__module__ == "jinja2.runtime":
            return True
        owner = getattr(obj, "__self__", None)
        known = isinstance(owner, str | dict | list) or type(owner).__module__ == "jinja2.runtime"
        return known and getattr(obj, "__name__", "") in _METHODS

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers as they are; texts and lists only where the result is small; no powers, no % of texts."""
        if operator == "**" or (operator == "%" and not isinstance(left, int | float)):
            raise TemplateFault(f"{operator} is not to be had here")
        if operator == "*" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise TemplateFault("* is for numbers")
        if operator == "*" and max(abs(left), abs(right)) > 1e15:
            raise TemplateFault("the numbers are too large")
        return _small(super().call_binop(context, operator, left, right))


class Templates:
    """Every template, compiled.

    Args:
        settings: by name.
        read: the text of a file that a template names.

    Raises:
        TemplateFault: one of them is no template.
    """

    def __init__(self, settings: Mapping[str, TemplateSettings], read: Callable[[str], str]) -> None:
        plain, escaped = dict[str, str](), dict[str, str]()
        for name, one in {**_BUILT_IN, **settings}.items():
            for part in ("subject", "text", "html", "body"):
                given: str | FileSettings | None = getattr(one, part)
                if given is not None:
                    text = read(given.file) if isinstance(given, FileSettings) else given
                    (escaped if part == "html" else plain)[f"{name}.{part}"] = text
        self._plain = _Sandbox(escaped=False, loader=DictLoader(plain))
        self._escaped = _Sandbox(escaped=True, loader=DictLoader(escaped))
        self._parts = {**dict.fromkeys(plain, self._plain), **dict.fromkeys(escaped, self._escaped)}
        self.names = frozenset({**_BUILT_IN, **settings})
        for part, environment in self._parts.items():
            try:
                environment.get_template(part)
            except TemplateError as error:
                raise TemplateFault(f"template {part}: {error}") from None

    def render(self, name: str, data: Mapping[str, Any], facts: Mapping[str, Any]) -> Message:
        """Say it. Takes up to `SECONDS`; call it off the event loop.

        Args:
            name: of the template.
            data: values by their names.
            facts: what `notification` is, whatever `data` says.

        Raises:
            TemplateFault: it has no such name, names a value that is not there, or goes beyond its bounds.
        """
        if name not in self.names:
            raise TemplateFault(f"there is no template {name!r}")
        values = {**data, "notification": facts}
        with _Deadline(time.monotonic() + SECONDS):
            parts = {part: self._part(f"{name}.{part}", values) for part in ("subject", "text", "html", "body")}
        return Message(parts["subject"] or "", parts["text"] or "", parts["html"], parts["body"])

    def _part(self, part: str, values: Mapping[str, Any]) -> str | None:
        environment = self._parts.get(part)
        if environment is None:
            return None
        pieces, size = list[str](), 0
        try:
            for piece in environment.get_template(part).generate(values):
                pieces.append(piece)
                size += len(piece)
                _must_fit(size)
        except TemplateFault as error:
            raise TemplateFault(f"template {part}: {error}") from None
        except Exception as error:  # noqa: BLE001  whatever values do to a template
            raise TemplateFault(f"template {part}: {type(error).__name__}: {error}"[:400]) from None
        return "".join(pieces)


class _Deadline:
    """Ends what runs inside it, at the next line of a compiled template once the time is over."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._before: Any = None

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._call)

    def __exit__(self, *_exc: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._line if "environment" in frame.f_code.co_freevars or _is_template(frame) else None

    def _line(self, _frame: FrameType, _event: str, _arg: object) -> Any:
        if time.monotonic() > self._until:
            raise TemplateFault(f"it takes longer than {SECONDS} s")
        return self._line


def _is_template(frame: FrameType) -> bool:
    return "environment" in frame.f_globals and "blocks" in frame.f_globals


def _short_range(*bounds: int) -> range:
    """As `range`, of at most 1000."""
    found = range(*bounds)
    if len(found) > 1000:
        raise TemplateFault("a range has 1000 numbers at most")
    return found


@pass_eval_context
def _replaced(context: EvalContext, text: object, old: str, new: str, count: int | None = None) -> str:
    """Jinja's own, where the result is small."""
    _must_fit(str(text).count(old) * len(new))
    return do_replace(context, str(text) if not hasattr(text, "__html__") else text, old, new, count)  # type: ignore[arg-type]


@pass_eval_context
def _together(context: EvalContext, values: Iterable[Any], between: str = "", attribute: str | None = None) -> str:
    """Jinja's `join`, where the result is small."""
    parts = list(values)
    _must_fit(len(parts) * len(between))
    return sync_do_join(context, parts, between, attribute)


def _small(value: Any) -> Any:
    if hasattr(value, "__len__"):
        _must_fit(len(value))
    return value


def _must_fit(size: int) -> None:
    if size > SIZE:
        raise TemplateFault(f"more than {SIZE} characters come of it")
