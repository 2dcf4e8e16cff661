"""Whether a text can be a secret at all: how much chance is in it, and what only stands in for one.

All of it looks at short texts, as a pattern or a name has cut them out, and none at more than `_LOOKED_AT` characters.
"""

import hashlib
import math
import re
from collections import Counter
from itertools import pairwise
from typing import Final

_LOOKED_AT: Final = 512
_WORDS_WITHIN: Final = 100  # characters; in longer ones chance makes short words too
_SAME: Final = 5  # times in a row that one character stands; of a million random keys of 40 characters four have it
_STEPS: Final = 8  # neighbours in a row that count up or down, as in 12345678 and hgfedcba
_PERIOD: Final = 6  # the longest piece that is looked for again and again

# Words that stand in for a secret, wherever they stand within: nobody's secret has them by chance.
_STAND_IN: Final = re.compile(
    r"""example|sample|dummy|placeholder|change[-_. ]?(?:me|this|it)|replace|redacted|insert|your[-_. ]?|<|>
    |xxxx|\*\*\*|\.\.\.|…
    |fake|mock|todo|fixme|lorem|foobar|invalid|undefined|removed|censored|masked|hidden|not[-_ ]?(?:a[-_ ])?(?:real
    |secret|set)
    |goes[-_ ]?here|enter[-_ ]|some[-_ ]|(?:^|[-_. ])(?:test|my|the|demo|default|here|none|null|todo|tbd|bogus
    |secret[-_]key
    |foo|bar|baz|abc|key|token|password|passwd|secret|dev|local)(?:$|[-_. ])|deadbeef|cafebabe|0123456789
    |1234567890|abcdefgh
    |qwerty|asdf""",
    re.VERBOSE | re.IGNORECASE,
)
# What is filled in later: by a shell, a template, a format, a vault.
_FILLED_IN: Final = re.compile(
    r"""\$\{|\$\(|\$[A-Za-z_]\w*$|\$\{?\{|\{\{|\{%|<%|%\(|%[sdrv](?:\W|$)|%[A-Za-z_]\w*%|\#\{|\{[\w.\[\]'"!:]*\}|@\w+@$|\\\(
    |__\w+__|^(?:env|vault|ssm|op|secret|keyring|file|ref|gcp|sm|azkv|awssm|secretsmanager|arn|keyvault|kms|urn)[:+]
    |^ENC\[|^ENC\(|^\{cipher\}|^\$ANSIBLE_VAULT|^!|^@Microsoft\.KeyVault|^projects/|\[\[|^\(|^\[|^\$\w""",
    re.VERBOSE,
)
# SHA-256, cut to 16 digits, of keys that documentation and emulators show the world; none stands here as it is.
_PUBLISHED: Final = frozenset(
    {
        "1a5d44a2dca19669",  # AWS, access key id
        "78314b11be2e5815",  # AWS, secret access key
        "0011cc25eb432071",  # Azurite's account key
        "aa6547439583c3a2",  # the Cosmos DB emulator's key
        "2cafc0970149a84f",  # Stripe
        "f2d6ca16515033e5",
        "7e8de44ea9ecf6d5",
        "f5e95c9954635b65",  # reCAPTCHA's test key
        "051d093c4bdedbf2",  # the signature of the token at jwt.io
    }
)
_NEIGHBOURS: Final = """
th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra
ld ur ne me ri ro ic co ll io om be ma el ch ce ss li us ec no ns ac di ot ca la ho ta so ge tr wi pe ni ut ad
pr ct fo wh ai em po sh ad ag ak am ap au av ay ba bi bl bo br bu ck cl cr cu cy da do dr du ee ef ei em ep ev
ew ex ey fa fe ff fi fl fr fu ga gh gi gl go gr gu ib id ie if ig il im ip ir iv iz ke ki ks ly mi mo mp mu my
na nc nf ob od oi ok ol oo op os ow pa pi pl pp pu qu rc rd rg rk rl rm rn rs rt ru rv ry sc sk sl sm sp su sw
sy ts tt tu tw ty ub ud ue ug ui ul um un up va vi wa we wo yp ys ye ze th wn ws ox ax ab ah aw by oa oc og oy
uc
"""
_BIGRAMS: Final = frozenset(_NEIGHBOURS.split())
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDLY: Final = 0.62  # of the neighbouring letters of words, as many are common neighbours; of random letters 0.33


def entropy(text: str) -> float:
    """Shannon's, in bits for a character: 0 for "aaaa", 4 at most for hex, 6 for base64."""
    text = text[:_LOOKED_AT]
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values()) if text else 0.0


def is_stand_in(text: str, prefix: int = 0) -> bool:
    """Whether it only shows where a secret goes: "your-token-here", "xxxxxxxx", or one of documentation.

    Args:
        text: what was found.
        prefix: characters of the issuer's own, such as those of "sk_test_", which say nothing about the rest.
    """
    body = text[prefix : prefix + _LOOKED_AT]
    return bool(_STAND_IN.search(body[:_WORDS_WITHIN])) or is_regular(body) or is_published(text)


def is_filled_in(text: str) -> bool:
    """Whether something is put in its place later: `${TOKEN}`, `{{ token }}`, `%(token)s`, `vault:...`."""
    return _FILLED_IN.search(text[:_LOOKED_AT]) is not None


def is_published(text: str) -> bool:
    """Whether documentation or an emulator shows this very key to the world."""
    return hashlib.sha256(text.encode()).hexdigest()[:16] in _PUBLISHED


def is_regular(text: str) -> bool:
    """Whether a rule made it: one character again and again, a piece repeated, letters or digits in their order."""
    bare = re.sub(r"[-_. /+=]", "", text[:_LOOKED_AT])
    if len(bare) < 4 or len(set(bare)) <= max(2, min(len(bare) // 5, 4)):
        return True
    if re.search(rf"(.)\1{{{_SAME},}}", bare):
        return True
    for size in range(1, _PERIOD + 1):
        if len(bare) >= 3 * size and bare == (bare[:size] * (len(bare) // size + 1))[: len(bare)]:
            return True
    return _counts(bare)


def _counts(text: str) -> bool:
    up = down = 0
    codes = [ord(character) for character in text.lower()]
    for before, after in pairwise(codes):
        up = up + 1 if after - before == 1 else 0
        down = down + 1 if before - after == 1 else 0
        if _STEPS - 1 in (up, down):
            return True
    return False


def is_wordly(text: str) -> bool:
    """Whether its letters make words, as in names, sentences and paths; digits and marks do not matter."""
    pairs = common = letters = 0
    for word in _LETTERS.findall(text[:_LOOKED_AT].lower()):
        letters += len(word)
        for first, second in pairwise(word):
            pairs += 1
            common += first + second in _BIGRAMS
    if pairs < 3:
        return letters > 3 and letters == len(text)
    return common / pairs >= _WORDLY and pairs >= letters // 2


def is_name(text: str) -> bool:
    """Whether it is written as names are: words joined by `_`, `-`, `.`, `/`, `:` or capitals, with few digits."""
    if re.search(r"[^\w.:/ $-]", text, re.ASCII):
        return False
    words = _WORDS.findall(text[:_LOOKED_AT])
    letters = sum(map(len, words))
    digits = sum(character.isdigit() for character in text)
    long = sum(len(word) for word in words if len(word) > 2)
    return long * 10 >= letters * 8 and digits * 5 <= letters and is_wordly(text)


def classes(text: str) -> int:
    """How many there are of small letters, capitals, digits and other marks."""
    return (
        any(character.islower() for character in text)
        + any(character.isupper() for character in text)
        + any(character.isdigit() for character in text)
        + any(not character.isalnum() for character in text)
    )
