"""Which names say that their value is a secret: of header fields, query parameters, cookies, JSON keys, variables.

A name is read word by word, however it is written: `X-Api-Key`, `x_api_key`, `xApiKey` and `apikey` are the same, and
`author`, `secretary`, `token_type` and `max_tokens = 100` are none.
"""

import enum
import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final


class Weight(enum.IntEnum):
    """How much a name says about its value."""

    NONE = 0
    MAYBE = 1
    """A secret, if its value is neither a number nor a word."""
    TOKEN = 2
    """A token or key; a short number is none, nor a plain word behind a colon ("token: expired")."""
    PASSWORD = 3
    """A secret, whatever it looks like."""
    FIELD = 4
    """A header field whose whole line is secret: Authorization, Cookie."""


_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]++|[0-9]++")
_LONGEST: Final = 200  # characters of a name
_KEPT: Final = 4096  # names that are remembered

_FIELDS: Final = frozenset({"authorization", "cookie", "cookies"})
_PASSWORDS: Final = re.compile(r"secrets?|pwd|passwort|kennwort|contrasena|pin|cvv2?|cvc|t?otp|credentials?|creds")
_TOKENS: Final = re.compile(r"tokens?|jwt|bearer|session|sid|sess|csrf|xsrf|signature|sig|hmac|assertion|pass|pw")
_PASSWORD_PARTS: Final = re.compile(
    r"password|passwd|passphrase|passcode|mysqlpwd|(?:client|app|shared|user|my)secret|^inputvalue$"
)
_TOKEN_PARTS: Final = re.compile(
    r"""(?:api|access|auth|secret|private|sign|signing|encryption|master|account|shared|session|client|service|license
    |deploy|ssh|subscription|webhook|consumer|server|app|storage|encrypt)key s?(?:data|value|base64|pem)?$
    |token s?$|sessid|sessionid|setcookie|cardnumber|creditcard""",
    re.VERBOSE,
)
# The last word of names that tell something *about* a secret.
_ABOUT: Final = re.compile(
    r"""age|algo?|algorithms?|at|attempts|backend|bits|budget|bytes|class|counts?|created|enabled|endpoint|errors?|exp
    |expired|expires|expiry|field|file|format|header|hint|ids?|index|invalid|issuer|kind|length|len|lifetime|limits?|max
    |methods?|min|missing|mode|names?|number|path|policy|prefix|provider|required|retries|scopes?|seconds|size|source
    |state|status|store|strength|supported|time|timeout|ttl|types?|uri|url|usage|used|uses|valid|verified|version""",
    re.VERBOSE,
)
_SECRET_IDS: Final = frozenset({"session", "sess", "secret", "cookie"})  # whose id is as good as they are
_IN_QUERY: Final = frozenset({"code", "key", "state", "ticket", "samlresponse", "samlrequest"})


class Names:
    """Judges names.

    Args:
        more: further ones, as patterns with `*` and `?`, upper and lower case alike: "x-internal-*".
        harmless: such as are none, whatever they sound like; they win.
    """

    def __init__(self, more: Iterable[str] = (), harmless: Iterable[str] = ()) -> None:
        self._more = _patterns(more)
        self._harmless = _patterns(harmless)
        self._known: dict[str, Weight] = {}

    def weight(self, name: str) -> Weight:
        """How much the name says about its value. Costs 0.1 µs for one that was seen lately, else about 3."""
        known = self._known.get(name)
        if known is None:
            known = self._weigh(name[-_LONGEST:])
            if len(self._known) >= _KEPT:  # names may be made by strangers
                self._known.clear()
            if len(name) <= _LONGEST:
                self._known[name] = known
        return known

    def in_query(self, name: str) -> Weight:
        """The same for a parameter of a URL, where `code` and `key` are secrets too, if their values look so."""
        weight = self.weight(name)
        if not weight and name.lower() in _IN_QUERY and not _any(self._harmless, name):
            return Weight.MAYBE
        return weight

    def _weigh(self, name: str) -> Weight:
        if _any(self._harmless, name):
            return Weight.NONE
        return Weight.PASSWORD if _any(self._more, name) else weigh(name)


def weigh(name: str) -> Weight:
    """What the words of a name say."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return Weight.NONE
    last = words[-1] if not words[-1].isdigit() or len(words) == 1 else words[-2]
    joined = "".join(words)
    if _ABOUT.fullmatch(last) and not (last in ("id", "ids") and _SECRET_IDS & {*words}):
        return Weight.NONE
    if last in _FIELDS or joined.endswith("authorization"):
        return Weight.FIELD
    if any(map(_PASSWORDS.fullmatch, words)) or _PASSWORD_PARTS.search(joined):
        return Weight.PASSWORD
    if last == "auth" or any(map(_TOKENS.fullmatch, words)) or _TOKEN_PARTS.search(joined):
        return Weight.TOKEN
    return Weight.NONE


def _patterns(given: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(translate(pattern.lower())) for pattern in given)


def _any(patterns: tuple[re.Pattern[str], ...], name: str) -> bool:
    lowered = name.lower()
    return any(pattern.match(lowered) for pattern in patterns)
