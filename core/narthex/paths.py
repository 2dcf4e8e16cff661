"""What a path is to a guard: the app's own view of it, patterns over that view, and paths too odd to judge.

Servers and frameworks disagree about paths. uvicorn puts `root_path` in front of the path, hypercorn does
not; Starlette takes it off on a segment boundary, Django, Quart and a2wsgi without looking at the boundary,
Litestar at its first occurrence anywhere. A guard must see what the app will see, so `route_path` follows
the boundary rule and `odd_path` names every path on which the others would come to another answer. Where
the plan holds a guard such a path is refused instead of interpreted.

Some apps put a prefix of their own in the place of `root_path`: `FastAPI(root_path=...)`, Django's
FORCE_SCRIPT_NAME. Who knows it says so (`own_root`). What no one outside can know are other names of one
endpoint: Datasette decodes `~61` to `a`, a method may be overridden by a header, and Litestar gives an ASGI app
mounted at /x the path /xyz too.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from narthex.asgi import Scope
from narthex.errors import ConfigError


def route_path(scope: Scope, own_root: str = "") -> str:
    """Give the path as the app's router sees it: `path` without a leading `root_path`.

    `own_root` is the app's own prefix, which takes the place of the scope's `root_path`; "" where it has none.
    The prefix is taken off where it stands on a segment boundary, a trailing slash of `root_path` does not
    count. "" becomes "/". Never raises. Cost: two lookups without a root path, about 0.3 µs with one.
    Source: ASGI HTTP specification, "root_path"; Starlette's `get_route_path`.
    """
    path: str = scope["path"]
    root: str | None = own_root or scope.get("root_path")
    if root:
        root = root.rstrip("/")
        end = len(root)
        if path.startswith(root) and path[end : end + 1] in {"", "/"}:
            path = path[end:]
    return path or "/"


def binds(methods: Collection[str], method: str) -> bool:
    """Say whether a rule for `methods` (upper case, may be empty) speaks of an exchange with this method.

    No methods bind everything. GET brings HEAD. A websocket, method "WEBSOCKET", is bound only where it is
    named. The caller's spelling does not count: servers pass `post` on as it came, and Django and werkzeug
    take it for POST.
    """
    if not methods:
        return True
    method = method.upper()
    return method in methods or (method == "HEAD" and "GET" in methods)


# The group that matched names the reason.
_ODD: Final = re.compile(
    r"(?P<double>//)"
    r"|(?P<backslash>\\)"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<dots>/\.\.?(?:[/;]|\Z))"
    r"|(?P<encoded>%(?:00|2[ef]|5c))",
    re.IGNORECASE,
)
UNKNOWN: Final = object()  # equal to no raw path, None included
_KNOWN_PATHS: Final = 4096
_LONGEST_KNOWN: Final = 256
"""Paths remembered as not odd, and the longest among them in characters: under 4 MB, whatever is asked."""
_ODD_RAW: Final = re.compile(rb"%(?:00|2f|5c)", re.IGNORECASE)
_REASONS: Final = {
    "double": "double slash",
    "backslash": "backslash",
    "control": "control character",
    "dots": "dot segment",
    "encoded": "slash, backslash, dot or NUL encoded twice",
}


def odd_path(scope: Scope, own_root: str = "") -> str | None:
    """Say why no guard can judge this path, for the log, or None where every framework agrees on it.

    Refused are: a path that does not start with "/" (an absolute-form target, `*`); `//`, backslashes,
    control characters (a `$` in a router's regular expression matches before a last newline) and dot
    segments in the decoded path; `%2f`, `%5c` and `%00` in `raw_path`; the same and `%2e` left over after
    decoding, for an app or a proxy behind it that decodes once more; and a `root_path` that occurs in the
    path but not as its first whole segments, since some frameworks would cut it out there.
    Not refused: other characters encoded twice, invalid UTF-8 (decoded to U+FFFD by every server), `;`
    parameters (no Python framework strips them), upper case.
    Cost: about 0.5 µs for common paths, a few µs for odd ones. Source: RFC 3986 §3.3, §5.2.4; RFC 9112
    §3.2.
    """
    path: str = scope["path"]
    if path[:1] != "/":
        return "does not start with a slash"
    # Five scans in C cost a tenth of the search, and nearly every path ends here.
    if "//" in path or "/." in path or "%" in path or "\\" in path or not path.isprintable():
        found = _ODD.search(path)
        if found and found.lastgroup:
            return _REASONS[found.lastgroup]
    raw: bytes | None = scope.get("raw_path")
    # Some servers leave the query string on raw_path; a slash may be encoded there.
    if raw and b"%" in raw and _ODD_RAW.search(raw.partition(b"?")[0]):
        return "encoded slash, backslash or NUL"
    root: str | None = own_root or scope.get("root_path")
    return _odd_root(path, root, anywhere=not own_root) if root else None


class KnownPaths:
    """Remembers paths that are not odd: most were asked for before, and one look-up costs less than looking again.

    Args:
        own_root: the app's own prefix, as for `odd_path`.

    Attributes:
        even: decoded path to the raw one of those that are not odd; the same object always. It says nothing of a path
            that may stand on a prefix.
    """

    def __init__(self, own_root: str = "") -> None:
        self._own_root = own_root
        self.even: dict[str, bytes | None] = {}

    def odd(self, scope: Scope) -> str | None:
        """Say what `odd_path` says. A path that may stand on a prefix is looked at each time."""
        path: str = scope["path"]
        raw: bytes | None = scope.get("raw_path")
        even = self.even
        # Both spellings: what is even decoded may have been odd as it came.
        if even.get(path, UNKNOWN) == raw and not (self._own_root or scope.get("root_path")):
            return None
        why = odd_path(scope, self._own_root)
        if why is None and len(path) <= _LONGEST_KNOWN and (raw is None or len(raw) <= 3 * _LONGEST_KNOWN):
            if len(even) >= _KNOWN_PATHS:
                even.clear()  # somebody walks random paths; the known ones come back by themselves
            even[path] = raw
        return why


def _odd_root(path: str, root: str, *, anywhere: bool) -> str | None:
    """Judge a prefix; only the frameworks that have no prefix of their own look for it `anywhere`."""
    bare = root.rstrip("/")
    start = path.find(bare) if bare else -1
    if start < 0 or (start > 0 and not anywhere):
        return None
    end = len(bare)
    if start > 0 or path[end : end + 1] not in {"", "/"}:
        return "root path inside the path"
    # Starlette does not take such a prefix off, Litestar does.
    return "root path ends in a slash" if bare != root else None


class Pattern:
    """An anchored path pattern, relative to the app: literal but for `*` and `**`.

    `*` is exactly one segment that is not empty, or one or more characters within a segment
    (`/files/*.css`); `**` is any number of whole segments, none included: `/admin/**` matches `/admin`,
    `/admin/` and all below. A trailing slash does not count, in the pattern or in the path. Case does.
    Patterns are written decoded.

    Attributes:
        text: as written, for `explain` and logs.
        bare: the text without its trailing slash, "" for "/".
        literal: there is no wildcard in it; `bare` is then all that it matches, a trailing slash aside.

    Raises:
        ConfigError: the text is not such a pattern; says what is wrong and what to write.

    Cost: a comparison for a literal and for `/prefix/**`, else at most (segments of the path) times (segments
    of the pattern) comparisons, whatever the path.
    """

    __slots__ = ("_prefix", "_segments", "bare", "literal", "text")

    def __init__(self, text: str) -> None:
        _check(text)
        self.text = text
        self.bare = text.removesuffix("/")
        self.literal = "*" not in text
        above = self.bare.removesuffix("/**")
        self._prefix = above if above != self.bare and "*" not in above else None
        self._segments = tuple(
            None if segment == "**" else tuple(segment.split("*")) for segment in self.bare[1:].split("/")
        )

    def matches(self, path: str) -> bool:
        """Say whether the route path matches, with or without one trailing slash."""
        bare = path.removesuffix("/")
        if self.literal:
            return bare == self.bare
        if self._prefix is not None:
            return bare == self._prefix or bare.startswith(self._prefix + "/")
        return bare[:1] in {"", "/"} and _match(self._segments, bare.split("/")[1:])

    def __eq__(self, other: object) -> bool:
        return self.bare == other.bare if isinstance(other, Pattern) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.bare)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


# A segment of a pattern: the literals between its stars (one literal: no star), or None for `**`.
_Segment = tuple[str, ...] | None


def _match(pattern: tuple[_Segment, ...], path: list[str]) -> bool:
    """Match segment by segment; only the last `**` is ever widened, so the work is bounded by the product.

    Widening an earlier one could not help: the segments between the two were matched as early as possible.
    """
    at = here = 0
    star = resume = -1
    while here < len(path):
        if at < len(pattern) and (segment := pattern[at]) is not None and _fits(segment, path[here]):
            at, here = at + 1, here + 1
        elif at < len(pattern) and pattern[at] is None:
            star, resume = at, here
            at += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(segment is None for segment in pattern[at:])


def _fits(literals: tuple[str, ...], segment: str) -> bool:
    """Match one segment: each star takes at least one character, each literal its first place after that."""
    if len(literals) == 1:
        return segment == literals[0]
    first, last = literals[0], literals[-1]
    if not segment.startswith(first):
        return False
    at = len(first) + 1
    for literal in literals[1:-1]:
        found = segment.find(literal, at)
        if found < 0:
            return False
        at = found + len(literal) + 1
    return len(segment) - len(last) >= at and segment.endswith(last)


_MISTAKES: Final = (
    (re.compile(r"\A(?!/)"), "does not start with a slash", "patterns are relative to the app: /admin/**"),
    (re.compile(r"\A\s|\s\Z"), "starts or ends in a space", ""),
    (re.compile(r"[\x00-\x1f\x7f-\x9f\\]"), "holds a control character or a backslash", ""),
    (re.compile(r"[?#]"), "holds a query string or a fragment", "a pattern is a path only"),
    (re.compile(r"%[0-9A-Fa-f]{2}"), "is percent-encoded", "patterns are written decoded"),
    (re.compile(r"[{}<>]"), "holds a parameter", "write * for one segment, ** for any number"),
    (re.compile(r"//"), "holds an empty segment", ""),
    (re.compile(r"/\.\.?(?:/|\Z)"), "holds a dot segment", ""),
    (re.compile(r"\*\*[^/]|[^/]\*\*"), "has ** within a segment", "write * there, or /** for all below"),
)


def _check(text: str) -> None:
    for mistake, what, hint in _MISTAKES:
        if mistake.search(text):
            raise ConfigError(f"the path pattern {text!r} {what}", hint=hint)


class PathSet:
    """Many patterns, asked at once.

    Cost: one dictionary lookup for all literal ones together, then each wildcard one in the order given.
    """

    __slots__ = ("_literal", "_wild", "patterns")

    def __init__(self, patterns: Iterable[Pattern | str] = ()) -> None:
        self.patterns = tuple(Pattern(each) if isinstance(each, str) else each for each in patterns)
        self._literal = {each.bare: each for each in reversed(self.patterns) if each.literal}
        self._wild = tuple(each for each in self.patterns if not each.literal)

    def matches(self, path: str) -> Pattern | None:
        """Give the pattern that matches: a literal one, else the first wildcard one, or None."""
        if found := self._literal.get(path.removesuffix("/")):
            return found
        for pattern in self._wild:
            if pattern.matches(path):
                return pattern
        return None

    def __bool__(self) -> bool:
        return bool(self.patterns)
