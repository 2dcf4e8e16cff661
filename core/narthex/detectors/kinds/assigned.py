"""Values that a name gives away: `DB_PASSWORD=...`, `"apiKey": "..."`, `<password>...</password>`, `--token ...`.

Most of what follows such a name is code: another name, a call, a type, a message. What counts is how the value is
written (in quotes, or bare in a file of settings), whether it is made of words, and how much chance is in it; the more
the name promises, the less is asked of the value.

Places are found by searching for the words themselves, so that text without them costs next to nothing, and at each
place only a bounded number of characters is looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from narthex.detectors.kinds.plausible import (
    classes,
    entropy,
    is_filled_in,
    is_name,
    is_regular,
    is_stand_in,
    is_wordly,
)
from narthex.detectors.kinds.standard import WELL_KNOWN
from narthex.detectors.names import Weight, weigh

WORDS: Final = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "jwt",
    "dsn",
    "kennwort",
    "contrasena",
    "mot_de_p",
    "pin",
)
"""In lower case; one of them is in every name that is looked at."""

_NAME: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$"
_REST_OF_LINE: Final = 200  # characters
_LONGEST: Final = 64  # characters of a name on each side of the word
_WINDOW: Final = 640  # characters behind the name
_REST: Final = re.compile(r"[\w.$-]{0,64}", re.ASCII)
_SIGN: Final = re.compile(
    r"""(?P<closed>\\?["'`]?[\])]{0,2}["']?)[ \t]{0,20}
    (?:(?::[ \t]{0,4}(?:[A-Za-z_][\w.]{0,40}(?:\[[\w.,| ]{0,60}\])?(?:[ \t]?\|[ \t]?[A-Za-z_][\w.]{0,40}){0,3})
    |[ ](?:string|str|varchar|text)(?:\(\d{1,4}\))?)[ \t]{0,4}(?==))?
    (?P<sign>:{0,3}=>?|=>|==?=?|\?=|\|\|=?|::?|->|<-|,(?=[ \t]{0,4}["'])|\((?=[ \t]{0,4}[bru@]?["'])
      |[ \t]value[ \t]{0,4}[=:]|>|(?<=[ \t])(?:is|DEFAULT|BY|by|IDENTIFIED[ ]BY|WITH[ ]PASSWORD)(?=[ \t]))
    [ \t=]{0,40}(?:\r?\n[ \t]{0,40}(?=["']))?
    (?:(?:os\.)?(?:environ\.get|getenv)\([^()\n]{0,60},[ ]{0,2})?""",
    re.VERBOSE | re.ASCII,
)
_QUOTED: Final = re.compile(
    r"""[bBrRuUfF@L]{0,2}(?P<quote>\\?["'`])(?P<value>(?:(?!(?P=quote))[^\n]){0,512}+)(?P=quote)""", re.ASCII
)
_BARE: Final = re.compile(r"""[^\s"'`<>,;]{4,512}+""", re.ASCII)
_TAGGED: Final = re.compile(r"[^<\n]{4,256}+")
_PAIR: Final = re.compile(
    r"""["'`]?[\s,]{0,40}(?:["']?(?:default)?[vV]al(?:ue)?["']?[ \t]{0,4}[:=][ \t]{0,4}|<value>)"""
    r"""(?P<quote>["']?)(?P<value>[^\s"'<>]{4,512}+)""",
    re.ASCII,
)
_OPTION: Final = re.compile(
    r"[ \t]{1,4}(?P<quote>[\"']?)(?P<value>[^\s\"'`<>|;&$(){}-][^\s\"'`<>|;&]{3,256}+)", re.ASCII
)
_WORD_AND_VALUE: Final = re.compile(r"[ \t]{1,4}(?P<quote>[\"'])(?P<value>[^\"'\s]{6,128}+)(?P=quote)", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z_][\w.]*(?:\(|\[|->|::|\.[A-Za-z_])|^[\[({]|\)$|=>|&&|\|\||!=|==", re.ASCII)
_HEX: Final = re.compile(r"(?:0x)?(?:[0-9a-f]{16,}|[0-9A-F]{16,})")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_PLACE: Final = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}://|/[\w.-]+/|\.{0,2}/[\w.-]|[A-Za-z]:\\|~/|[\w.-]+@[\w-]+\.[\w.]+$|.*\.(?:py|js|ts|json|ya?ml|pem|key|crt|cer|p12"
    r"|jks|txt|html?|xml|php|go|rb|sh|md|env|ini|cfg|conf|toml|properties|com|org|net|io)$|\d{4}-\d\d-\d\d|\+?[\d\s().-]+$|[#.][a-z][\w-]*$",
    re.ASCII,
)
_TOKEN_LIKE: Final = re.compile(r"[\w+/.=~:|!@*^$&%#?-]+", re.ASCII)
# Names that tell about a secret, or have a word of one by chance.
_NOT: Final = re.compile(
    r"""public|pub(?:lic)?[-_.]?key|publishable|site[-_.]?key|primary|foreign|cache|partition|sort[-_.]?key|keyword|keyboard|hot[-_.]?key
    |monkey|turkey|keys$|key[-_.]?(?:id|name|code|press|up|down|path|file|ring|store|size|length|type|board|word
    |frame|pair|vault|alias|usage|spec|event)
    |token(?:s$|iz|[-_.]?(?:id|type|name|url|uri|count|limit|path|file|length|expir|endpoint|class|kind|address
    |contract|symbol|end|start|list|budget|usage))
    |(?:max|min|next|num|page|continuation|sync|cancel\w*|cancellation|csrf|xsrf|eos|bos|pad|unk|stop|special|start
    |end|first|last|current|prev\w*)[-_.]?tokens?
    |pass(?:ed|es|ing|enger|port|ive|age|through|thru)|by[-_]?pass|compass|encompass|passphrase[-_.]?(?:prompt
    |file)|_?hash(?:ed|es)?$|digest$|checksum|sha\d+$|md5$
    |secret[-_.]?(?:name|id|arn|path|ref|file|key[-_.]?ref|version|type|length|manager|store|mount)
    |secrets?[-_.]?dir|author|authority|authors|auth[-_.]?(?:url|uri|type|method|mode|provider|endpoint|backend
    |scheme|domain|header|enabled|required|user|server|source|flow|level|name|service|module|status)
    |oauth[-_.]?(?:url|uri|type|version|scope)|credential[-_.]?(?:id|type|name|path|file|provider|source)
    |password[-_.]?(?:field|label|hint|policy|prompt|input|placeholder|rule|strength|min|max|length|encoder|reset
    |form|file|confirm\w*label|error|message|help|text|url|title|type)
    |(?:forgot|reset|change|confirm|enter|show|hide|invalid|incorrect|wrong|no|missing|update|toggle|save
    |require\w*|valid\w*|check|verify|remember|lost|old|new|repeat|choose)[-_. ]?(?:your[-_. ]?)?(?:password|passwd
    |pwd)(?:[-_.](?!$)|[A-Z]|\.)
    |(?:label|message|msg|error|title|text|hint|placeholder|description|tooltip|prompt|help|i18n|locale|translation
    |icon|class|style|route|selector|xpath|column|table|field|param|header|cookie|attr\w*|prop\w*)[-_.]?(?:name)?$
    |_(?:at|by|in|len|regex|pattern|re|env|var|fmt|format|template|prefix|suffix|ttl|url|uri|expiry|idx|index)$
    |idempotency|object[-_.]?key|route[-_.]?key|message[-_.]?key|event[-_.]?key|lookup
    |^key$|^keys$|^auth$|^pin\w|spin|pinn|opin|pint|mapping|shipping|ping|pin$(?<!_pin)(?<!^pin)
    |key[-_.]?signature|signature|nonce|salt|fingerprint|thumbprint|\.length|commit|revision|etag|integrity
    |resolved""",
    re.VERBOSE | re.IGNORECASE,
)
_STRONG_KEY: Final = re.compile(r"(?:^|[-_.a-z0-9])[kK]ey$|(?:^|[-_.])KEY$|_KEY$|KEY$")
_SETS: Final = re.compile(r"(?i)[\w.$-]*(?:set|with|put|use|add)[-_]?[a-z_]{0,20}$|password$")
_OF_NAMES: Final = re.compile(
    r"(?i)pass|pwd|secret|token|key|auth|user|name|field|input|data|index|id\b|utf|sha|aes|version|[-_]v\d"
)
_COUNT: Final = re.compile(r"[a-z]{1,3}\d{1,3}|v?\d+(?:[._]\d+)+[a-z]{0,3}\d{0,3}|[\d.,:/%-]+[a-z]{0,3}")
_SCHEME: Final = re.compile(r"(?i:bearer|token|basic|apikey|api-key|key)[ ]+(?=\S)")
# What stands before the password in a connection string, whatever the language of the file.
_CONNECTION: Final = re.compile(
    r"(?i)(?:user ?id|uid|user|server|data source|host|database|initial catalog)=[^=;\"'\n]{1,80};"
)
_PHRASE: Final = re.compile(r"(?:[a-z]{3,8}[ ]){11,23}[a-z]{3,8}")


@dataclass(frozen=True, slots=True)
class Assigned:
    """A value behind a name: where it stands, and how much the name says."""

    start: int
    end: int
    name: str
    value: str
    password: bool


@lru_cache(maxsize=4096)
def strength(name: str) -> int:
    """How much a name says: 3 its value is a password or secret, 2 a token or key, 1 a key of some kind, 0 nothing."""
    plain = name.strip("-_.$")
    last = plain.rpartition(".")[2] if "." in plain else plain
    if _NOT.search(last) and not re.search(r"(?i)(?:^|[-_])(?:secret|private)[-_.]?key$", last):
        return 0
    weight = weigh(last)
    if weight >= Weight.PASSWORD:
        return 3
    if re.search(r"(?:^|[-_.a-z])(?:[pP]ass|PASS)\d{0,2}$|(?i:pass(?:word|wd|phrase|code)\d{0,2}$|pwd\d?$)", last):
        return 3
    if weight is Weight.TOKEN:
        return 2
    return 1 if _STRONG_KEY.search(last) or re.search(r"(?i)cred|dsn$", last) else 0


def assigned(text: str, lowered: str, *, settings: bool) -> Iterator[Assigned]:
    """Every value behind a name that says something, if it can be a secret.

    Args:
        text: all of it; `lowered` is the same in lower case, and as long.
        lowered: see `text`.
        settings: whether it is a file of settings, a log, a shell script or prose, where values stand without quotes.
    """
    for start, end in _names(text, lowered):
        name = text[start:end]
        says = strength(name)
        if says:
            found = _value(text, end, name, says, settings=settings)
            if found is not None:
                yield found


def _names(text: str, lowered: str) -> Iterator[tuple[int, int]]:
    """Where the names stand that have one of the words in them, in no order."""
    for word in WORDS:
        place = lowered.find(word)
        while place >= 0:
            rest = _REST.match(text, place)
            end = rest.end() if rest else place
            before = text[max(place - _LONGEST, 0) : place]
            yield place - (len(before) - len(before.rstrip(_NAME))), end
            place = lowered.find(word, end + 1)


def _value(text: str, end: int, name: str, says: int, *, settings: bool) -> Assigned | None:  # noqa: PLR0911  one reason after the other
    window = text[end : end + _WINDOW]
    sign = _SIGN.match(window)
    if sign is None:
        option = _OPTION.match(window) if name.startswith("--") else _PAIR.match(window)
        option = option or (_WORD_AND_VALUE.match(window) if says == 3 else None)
        return _judged(option, end, name, says, quoted=False, settings=True) if option else None
    told, at = sign["sign"], sign.end()
    if (sign["closed"] and told in (",", ">")) or told.endswith(("value=", "value:")):
        pair = _PAIR.match(window)
        if pair:
            return _judged(pair, end, name, says, quoted=True, settings=settings)
    quoted = _QUOTED.match(window, at)
    if quoted:
        strong = says if told != "(" or _SETS.match(name) else min(says, 2)
        return _judged(quoted, end, name, strong, quoted=True, settings=settings)
    if told == ">" and text[max(end - len(name) - 1, 0) : end - len(name)] == "<":
        tagged = _TAGGED.match(window, at)
        return _judged(tagged, end, name, says, quoted=True, settings=settings) if tagged else None
    if told in (",", "(", ">", "->", "==", "===", "::"):
        return None
    bare = _BARE.match(window, at)
    if bare is None:
        pair = _PAIR.match(window)
        return _judged(pair, end, name, says, quoted=True, settings=settings) if pair else None
    if sign["closed"][:1] in ("'", '"') and told == ":" and not settings:
        return None
    connects = says == 3 and told == "=" and _CONNECTION.search(text[max(end - _REST_OF_LINE, 0) : end]) is not None
    return _judged(bare, end, name, says, quoted=False, settings=settings or connects)


def _judged(found: re.Match[str], end: int, name: str, says: int, *, quoted: bool, settings: bool) -> Assigned | None:
    group = "value" if "value" in found.re.groupindex else 0
    value, start = found[group], found.start(group)
    if not quoted:
        value = value.rstrip(")]}.\\")
        value = value.partition("&")[0] if says < 3 or "=" in value else value
    scheme = _SCHEME.match(value)
    if scheme:
        value, start = value[scheme.end() :], start + scheme.end()
    spread = value.strip()
    start += len(value) - len(value.lstrip())
    if not _plausible(spread, name, says, quoted=quoted, settings=settings):
        return None
    return Assigned(end + start, end + start + len(spread), name, spread, says == 3)


def _plausible(value: str, name: str, says: int, *, quoted: bool, settings: bool) -> bool:  # noqa: PLR0911  one reason after the other
    if len(value) < 6 or len(value) > 512 or is_filled_in(value) or value.lower() in WELL_KNOWN:
        return False
    if _PHRASE.fullmatch(value):
        return re.search(r"(?i)mnemonic|seed|phrase", name) is not None
    if any(character.isspace() for character in value) or is_regular(value) or _PLACE.match(value):
        return False
    if value.lower().strip("-_") in name.lower() or name.lower() in value.lower():
        return False
    if is_stand_in(value) or value.startswith(("eyJ", "-----BEGIN", "$2a$", "$2b$", "$2y$", "$argon2", "pbkdf2")):
        return False
    if not quoted and not settings and (_CODE.search(value) or not _drawn(value, 20)):
        return False
    if not quoted and _CODE.search(value) and says < 3:
        return False
    if says == 3 and (quoted or settings):
        return _is_password(value, quoted=quoted)
    return _drawn(value, 10 if says == 3 else 16 if says == 2 else 24, settled=says > 1)


def _is_password(value: str, *, quoted: bool) -> bool:  # noqa: PLR0911  one reason after the other
    """Chosen by a person or drawn: letters with digits or marks, and not written as names of variables are."""
    if not quoted and _CODE.search(value) and not _drawn(value, 12):
        return False
    if re.search(r"\\[nrtfvxu0ab]", value) or re.match(r"(?i)user(?:name)?[\W\d]|[\w.-]+:\d{1,5}$", value):
        return False
    kinds = classes(value)
    if kinds < 2 or (value.isdigit() and len(value) < 8):
        return kinds == 1 and len(value) >= 10 and value.isalpha() and not is_wordly(value)
    if not value.isascii():
        return any(map(str.isdigit, value))
    if re.fullmatch(r"[a-z]+[A-Z][A-Za-z]*|[A-Z][a-z]+(?:[A-Z][a-z]+)*", value):
        return len(value) >= 12 and not is_wordly(value)
    if any(map(str.isdigit, value)):
        chosen = value != value.upper() and "/" not in value and "." not in value and not _OF_NAMES.search(value)
        return (chosen or not (is_name(value) and re.search(r"[-_./:]", value))) and not _COUNT.fullmatch(value)
    if re.search(r"[^\w.:/\s-]", value):
        return not re.search(r"[(){}\[\]<>=|]|^[\"'%*&@!?#^+]|[,;?:]$", value)
    return len(value) >= 12 and not is_wordly(value) and not is_name(value)


def _drawn(value: str, least: int, *, settled: bool = True) -> bool:
    """Whether chance drew it: hex, a UUID, or letters and digits mixed as no name mixes them.

    Args:
        value: without blanks.
        least: characters that it has.
        settled: whether the name is one of a token; else hex and UUIDs are as likely the key of something.
    """
    if len(value) < least or not _TOKEN_LIKE.fullmatch(value):
        return False
    if _UUID.fullmatch(value):
        return settled and not is_regular(value.replace("-", "")) and not value.startswith("00000000")
    if _HEX.fullmatch(value):
        return (settled or len(value) >= 32) and entropy(value) > 2.6 and any(map(str.isdigit, value))
    if not any(map(str.isdigit, value)):
        letters = value.isalpha() and len(value) >= max(least, 20)
        return letters and settled and not is_wordly(value) and entropy(value) > 3.2 and classes(value) <= 2
    if is_name(value) or entropy(value) < (3.0 if len(value) < 20 else 3.3):
        return False
    return any(map(str.isalpha, value)) and not re.search(r"[^\w+/=.~:|!@*^$&%#?-]", value)
