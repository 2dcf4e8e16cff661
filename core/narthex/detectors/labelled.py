"""Secrets that a name gives away: `password=...`, `"token": "..."`, `Cookie: ...`, `--api-key ...`, `('sid', '...')`.

The text is gone through once, from name to name; behind a name that says something the value is taken, as its quotes,
brackets or white space delimit it, and the search goes on behind it. When in doubt more is taken and not less.
"""

import re
from collections.abc import Iterator
from typing import Final

from narthex.detectors.looks import has_digit, is_no_word
from narthex.detectors.names import Names, Weight

# A name, whatever closes round it, and what stands between a name and its value. Every repeat is possessive, and an
# attempt begins only where no name goes on, so that the whole is linear.
_LABEL: Final = re.compile(
    r"""(?<![\w.-])-*+(?P<name>[A-Za-z_$][\w.$-]*+)
    (?:["'`\\\])}]*+[ \t]*+
    (?P<sign>=>|:=|==?|:|\|(?=["'\ \t])|,(?=[ \t]*+[bru]?\\*+["']))|(?P<form>\\?"(?:\\r|\\n|\r|\n)))
    [ \t]*+(?:\r?\n[ \t]*+(?=[bru]?["']))?+""",
    re.VERBOSE | re.ASCII,
)
_NAMING: Final = frozenset({"name", "key", "id"})
_FLAG: Final = re.compile(r"(?<![\w.-])--?+(?P<name>[A-Za-z][\w-]*+)[ \t]++(?=[^\s-])", re.ASCII)
_OPENING: Final = re.compile(r"[bBrRuU]{0,2}+(?P<escape>\\{0,7}+)(?P<quote>[\"'`])")
_BRACKET: Final = re.compile(r"[\[({]")
_BRACKETS: Final = re.compile(r"[\[({\])}\n]")
_BARE: Final = re.compile(
    # Marks that end a value do so only where nothing follows that could be its end.
    r"""(?:[^\s&;,"'`<>(){}\[\]|\\]|[,"'`)\]}](?=[\w$])|;(?![\w .]{1,40}+=|\s|$)|\\(?![rn"'`\\])|[(\[{])++""",
    re.VERBOSE | re.ASCII,
)
_SCHEME: Final = re.compile(
    r"(?i:bearer|basic|token|digest|negotiate|apikey|api-key|aws4-hmac-sha256|hawk|signature|dpop)[ \t]++(?=\S)"
)
_LINE: Final = re.compile(r"(?:[^\n\r\\]|\\(?![rn]))*+")
_FORM: Final = re.compile(r"(?:\\r|\\n|\r|\n){2,4}+(?P<value>(?:[^\n\r\\]|\\(?![rn]))*+)")
# Code in tracebacks: a call, a subscript, a type, a name for nothing. A digit within could be a secret's.
_CODE: Final = re.compile(
    r"[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)*+[(\[][^0-9\n)\]]*+(?:[)\]](?!\w)|$)", re.ASCII | re.MULTILINE
)
_NOTHING: Final = re.compile(
    r"none|null|nil|true|false|undefined|str|bytes|int|float|bool|object|any|optional|self|[.?*%]+|%[srd]|\{\w*\}",
    re.IGNORECASE,
)
_BEFORE_KEY: Final = re.compile(r"(?i:api|access|secret|private|signing|encryption|master|shared)[ _-]?$")
_REPORT: Final = 200  # characters of a validation error
_SHORT_NUMBER: Final = 10
_WHOLE_WORD: Final = 20  # letters, beyond which a word behind a colon is none of prose


def find_labelled(text: str, names: Names) -> Iterator[tuple[int, int]]:
    """Where the values stand of names that say they are secret. Linear in the text's length."""
    done = announced = 0
    for label in _LABEL.finditer(text):
        if label.start() >= done:
            weight = _weight(text, label, names)
            if label["name"].lower() in _NAMING:
                announced = _announced(text, label, names) or announced
            elif announced and label["name"].lower() == "value" and label.start() - announced < _REPORT:
                weight = Weight.PASSWORD
            span = _value(text, label, weight) if weight else None
            if span is not None and span[1] > span[0]:
                yield span
                done = span[1]
    if "-" in text:
        yield from _flags(text, names)


def _announced(text: str, label: re.Match[str], names: Names) -> int:
    """Where a name ends that is a value itself, `name="password" value="..."`; 0 where it says nothing."""
    quoted = _quoted(text, label.end())
    return quoted[1] if quoted is not None and names.weight(text[slice(*quoted)]) else 0


def names_secret(text: str, names: Names) -> bool:
    """Whether any name in the text says that its value is a secret, whatever the value."""
    return any(_weight(text, label, names) for label in _LABEL.finditer(text))


def _flags(text: str, names: Names) -> Iterator[tuple[int, int]]:
    """Values of command line options that stand behind a space."""
    for flag in _FLAG.finditer(text):
        if names.weight(flag["name"]):
            value = _quoted(text, flag.end()) or _bare(text, flag.end())
            if value is not None:
                yield value


def _weight(text: str, label: re.Match[str], names: Names) -> Weight:
    start, name = label.span("name")[0], label["name"]
    before = text[start - 1 : start]
    if before and before in "?&#;":
        return names.in_query(name)
    if name == "input" and "loc" in text[max(start - _REPORT, 0) : start]:
        return Weight.PASSWORD  # what pydantic did not accept: `loc` says of which field, before or behind
    if name.lower() in ("key", "keys") and _BEFORE_KEY.search(text[max(start - 12, 0) : start]):
        return Weight.TOKEN
    return names.weight(name)


def _value(text: str, label: re.Match[str], weight: Weight) -> tuple[int, int] | None:
    """Where the value behind a label stands, if it is one that tells anything."""
    if label["form"] is not None:
        form = _FORM.match(text, label.end("form") - _breaks(label["form"]))
        return form.span("value") if form else None
    start = label.end()
    if weight is Weight.FIELD and label["sign"] == ":" and _OPENING.match(text, start) is None:
        return _line(text, label.start(), start)
    if _BRACKET.match(text, start):
        return _bracketed(text, start) if weight > Weight.MAYBE else None
    span = _quoted(text, start)
    if span is None and label["sign"] != "," and not _is_code(text, label):
        span = _bare(text, start)
    return None if span is None or _tells_nothing(text[slice(*span)], weight, label) else span


def _is_code(text: str, label: re.Match[str]) -> bool:
    """Whether a call or a subscript follows, as in the lines of a traceback; in a URL it is none."""
    before = text[label.start() - 1 : label.start()]
    return _CODE.match(text, label.end()) is not None and before not in ("?", "&")


def _breaks(form: str) -> int:
    """How much of the end of `form` is the line break."""
    return 2 if form.endswith(("\\r", "\\n")) else 1


def _tells_nothing(value: str, weight: Weight, label: re.Match[str]) -> bool:
    """Whether a value tells nothing: None, a type, the name itself, a number that only counts, a word of prose."""
    if not value or _NOTHING.fullmatch(value) or value.rpartition(".")[2] == label["name"].rpartition(".")[2]:
        return True
    if weight >= Weight.PASSWORD:
        return False
    plain = value.rstrip(".,:;!?")
    if plain.isdigit() and len(plain) <= _SHORT_NUMBER:
        return True
    if weight is Weight.MAYBE:
        return not is_no_word(value)
    prose = (
        label["sign"] in (":", "|")
        and label[0].endswith((" ", "\t"))
        and not label[0].rstrip(": \t").endswith(("'", '"'))
    )
    return prose and len(plain) < _WHOLE_WORD and not has_digit(plain) and plain[1:] == plain[1:].lower()


def _quoted(text: str, start: int) -> tuple[int, int] | None:
    """What stands in quotes, however often they are escaped; without an end, all to the end of the line."""
    opening = _OPENING.match(text, start)
    if opening is None:
        return None
    inside = _inside(opening["escape"], opening["quote"]).match(text, opening.end())
    return None if inside is None else inside.span()


def _closing(depth: int, quote: str) -> re.Pattern[str]:
    """All up to a quote behind as many backslashes."""
    if depth == 0:
        return re.compile(rf"(?:[^{quote}\\\n]|\\[^\n])*+")
    return re.compile(rf"(?:[^{quote}\\\n]|(?!\\{{{depth}}}{quote})[^\n{quote}])*+")


_INSIDE: Final = {(depth, quote): _closing(depth, quote) for depth in range(8) for quote in "\"'`"}


def _inside(escape: str, quote: str) -> re.Pattern[str]:
    return _INSIDE[len(escape), quote]


def _bracketed(text: str, start: int) -> tuple[int, int]:
    """From a bracket to the one that closes it, or to the end of the line."""
    depth = 0
    for bracket in _BRACKETS.finditer(text, start):
        if bracket[0] == "\n":
            return start, bracket.start()
        depth += 1 if bracket[0] in "[({" else -1
        if depth == 0:
            return start, bracket.end()
    return start, len(text)


def _line(text: str, label: int, start: int) -> tuple[int, int] | None:
    """The rest of a header line; within quotes only to the closing one."""
    quote = text[label - 1 : label]
    pattern = _inside("", quote) if quote and quote in "\"'`" else _LINE
    found = pattern.match(text, start)
    return None if found is None else found.span()


def _bare(text: str, start: int) -> tuple[int, int] | None:
    scheme = _SCHEME.match(text, start)
    found = _BARE.match(text, scheme.end() if scheme else start)
    return None if found is None else (start, found.end())
