"""Standard forms, whoever issued what is in them: keys in PEM, JWTs, passwords in URLs and on command lines."""

import binascii
import re
from base64 import b64decode
from typing import Final

from narthex.detectors.kinds.checksums import is_jwt
from narthex.detectors.kinds.kind import Kind, kind
from narthex.detectors.kinds.plausible import (
    classes,
    entropy,
    is_filled_in,
    is_name,
    is_regular,
    is_stand_in,
    is_wordly,
)

_PEM_HEAD: Final = re.compile(r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset)[^\n\\]*")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]+")
_LEAST_KEY: Final = (
    40  # characters of base64: an Ed25519 key in PKCS #8 has 64, and code that shows the head alone has none
)
# Passwords that everybody knows, as they stand in the compose files and tests of half the world.
_WELL_KNOWN: Final = """
admin administrator password passwd pass pwd passw0rd p@ssw0rd password1 password12 password123 password1234
root toor test tester testing test1 test123 test1234 testpass testpassword test_password guest user username
postgres mysql mongo mongodb mariadb redis rabbitmq oracle sa changeme changeit change_me letmein welcome
welcome1 welcome123 secret secret1 secret123 mysecret mypassword mypass my_password foo bar baz foobar qwerty
qwerty123 abc123 abcd1234 123456 1234567 12345678 123456789 1234567890 12345 1234 111111 000000 default example
demo dev development local localhost dummy hunter2 monkey dragon iloveyou sesame opensesame admin123 root123
user123 pass123 pass1234 minioadmin minio elastic guest123 docker vagrant ansible jenkins sonar grafana keycloak
airflow superset django flask rails laravel token apikey api_key none null nil true false undefined empty string
value hidden redacted masked pa55word passphrase credentials swordfish correcthorsebatterystaple trustno1
rosebud xyzzy plugh thisisasecret supersecret topsecret verysecret s3cr3t s3cret sekret geheim secr3t
securepassword strongpassword somepassword newpassword oldpassword wrongpassword badpassword goodpassword
validpassword invalidpassword fakepassword dummypassword samplepassword userpassword adminpassword rootpassword
dbpassword db_password database_password your_password yourpassword
"""
WELL_KNOWN: Final = frozenset(_WELL_KNOWN.split())


def is_key(text: str) -> bool:
    """Whether the body of a PEM block is base64 of a key's length, and no stand-in."""
    body = re.sub(r"\\[nrt]|[\s\"'+,;\\#>|*]", "", _PEM_HEAD.sub("", text.replace("\\n", "\n"))[:2048])
    body = max(_BASE64.findall(body), key=len, default="")
    return len(body) >= _LEAST_KEY and not is_regular(body[:64]) and entropy(body) > 3.5


def is_password(text: str) -> bool:
    """Whether it can be somebody's password in a URL or on a command line."""
    if len(text) < 4 or text.lower() in WELL_KNOWN or is_filled_in(text) or is_regular(text):
        return False
    if is_stand_in(text) or text.startswith(("$", "{", "<", "%", "*", "[", "#", "&")) or "..." in text:
        return False
    return classes(text) > 1 if len(text) < 16 else not is_name(text)


def is_call_password(text: str) -> bool:
    """The same where code calls something, where names and messages are more likely: with a digit or a mark in it."""
    return is_password(text) and any(map(str.isdigit, text)) and " " not in text and not is_name(text)


def is_url_password(text: str) -> bool:
    """The same for `user:password`, where the two must differ."""
    user, _, password = text.partition(":")
    if password.lower() in user.lower() or (
        user.lower() in password.lower() and len(password) < len(user) + 5 and user
    ):
        return False
    return is_password(password) and (classes(password) > 1 or not is_wordly(password))


def is_basic(text: str) -> bool:
    """Whether it is the base64 of `user:password`, and a password that is none of the well-known ones."""
    try:
        plain = b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return False
    user, colon, password = plain.partition(":")
    return bool(colon) and plain.isprintable() and " " not in user and is_url_password(plain) and len(password) > 3


def holds_key(text: str) -> bool:
    """Whether it is the base64 of a private key in PEM."""
    return b"PRIVATE KEY" in b64decode(text[: len(text[:60]) // 4 * 4])


def is_token(text: str) -> bool:
    """What stands behind Bearer: opaque, drawn by chance, and no JWT, which has a kind of its own."""
    return not text.startswith("eyJ") and classes(text) > 1 and any(map(str.isdigit, text)) and not is_name(text)


_PEM: Final = (
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?P<secret>(?:[^-]|-(?!----)){1,12000}+)(?:-----END)?"
)

STANDARD: Final[tuple[Kind, ...]] = (
    kind(
        "private-key", "Private key in PEM, or OpenPGP", "RFC 7468; RFC 9580; OpenSSH's PROTOCOL.key", "-----BEGIN",
        _PEM, 0, structure=is_key, checked="base64 of a key's length", bare=True, whole=True, prefix=0,
    ),
    kind(
        "private-key-base64", "Private key in PEM, in base64 once more", "RFC 7468", "LS0tLS1CRUdJTi",
        r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{60,4000}+={0,2}", structure=holds_key, checked="decodes to a PEM block",
    ),
    kind(
        "putty-key", "PuTTY private key", "PuTTY: appendix C, PPK file format", "Private-Lines:",
        r"Private-Lines: [0-9]{1,3}\r?\n(?P<secret>[A-Za-z0-9+/=\s]{40,4000})", 3.5, bare=True, whole=True, prefix=0,
    ),
    kind(
        "jwk-private", "Private key as JWK", "RFC 7517; RFC 7518 section 6", '"d"',
        r'"d"\s{0,4}:\s{0,4}"(?P<secret>[\w-]{40,700})"', 4.0, bare=True, whole=True, prefix=0,
    ),
    kind(
        "jwt", "JSON Web Token", "RFC 7519; RFC 7515; RFC 7516", "eyJ",
        r"eyJ[\w-]{10,2000}\.[\w-]{2,3000}\.[\w-]{16,2000}(?:\.[\w-]{10,2000}\.[\w-]{10,2000})?(?![\w-])", 3.5,
        structure=is_jwt, checked="header and claims are JSON",
    ),
    kind(
        "url-password", "Password in a URL", "RFC 3986 section 3.2.1", "://",
        r"://(?P<secret>[^\s/?#@:\"'<>\\`(){}|]{0,128}:[^\s\"'<>@/\\`|]{1,256})@(?=[\w\[{$%.-])", 0,
        structure=is_url_password, bare=True, whole=True, prefix=0,
    ),
    kind(
        "basic-credentials", "User and password in an Authorization field", "RFC 7617", "Basic basic BASIC",
        r"(?i:basic)[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{8,400}={0,2})(?![\w+/=])", 0, structure=is_basic,
        checked="decodes to user:password", bare=True, whole=True, prefix=0,
    ),
    kind(
        "bearer-token", "Opaque token in an Authorization field", "RFC 6750", "Bearer bearer BEARER",
        r"(?i:bearer)[ \t]{1,4}(?P<secret>[\w.~+/-]{20,512}={0,2})(?![\w.~+/=-])", 3.3, structure=is_token, bare=True,
        whole=True, prefix=0,
    ),
    kind(
        "curl-user", "User and password on curl's command line", "curl.se: manual, --user", "curl",
        r"curl\b[^\n]{0,200}?\s(?:-u|--user)[ =]{1,3}[\"']?(?P<secret>[\w.@+-]{1,64}:[^\s\"'$]{4,128})", 0,
        structure=is_url_password, bare=True, whole=True, prefix=0,
    ),
    kind(
        "command-password", "Password on a command line", "manuals of sshpass, mysql and redis-cli",
        "sshpass mysql redis-cli requirepass",
        r"(?:sshpass\s{1,3}-p\s?|(?:mysql|mysqldump|mariadb)\b[^\n|;]{0,120}?\s-p(?=\S)|requirepass\s{1,4}|redis-cli\b[^\n"
        r"|;]{0,120}?\s-a\s{1,3})[\"']?(?P<secret>[^\s\"'$;|]{5,128})", 0, structure=is_password, bare=True,
        whole=True, prefix=0,
    ),
    kind(
        "call-password", "Password in a call, behind the user's name", "libraries for HTTP, mail and databases",
        "auth=( auth=(  NetworkCredential( BasicAuth( basic_auth( PasswordCredentials( .login( ConvertTo-SecureString",
        r"(?:(?:auth=\(|NetworkCredential\(|BasicAuth\(|basic_auth\(|PasswordCredentials\(|\.login\()\s{0,4}"
        r"[\"'][^\"'\n]{1,64}[\"']\s{0,4},\s{0,4}|ConvertTo-SecureString\s{1,4}(?:-String\s{1,4})?)"
        r"[\"'](?P<secret>[^\"'\n]{6,128})[\"']", 0, structure=is_call_password, bare=True, whole=True, prefix=0,
    ),
    kind(
        "sql-password", "Password in an SQL statement", "manuals of MySQL, Oracle and PostgreSQL",
        "IDENTIFIED identified PASSWORD password",
        r"(?i:identified\s{1,3}by|(?:encrypted\s{1,3}|with\s{1,3})password"
        r"|(?<=\s)password)\s{1,4}'(?P<secret>[^'\n]{4,128})'", 0, structure=is_password, bare=True, whole=True,
        prefix=0,
    ),
    kind(
        "netrc-password", "Password in a .netrc file", "GNU Inetutils: the .netrc file", "machine",
        r"machine\s{1,4}[\w.-]{3,128}\s{1,8}login\s{1,4}\S{1,128}\s{1,8}password\s{1,4}(?P<secret>"
        r"[^\s\"'\\#]{6,128})(?=\s|$)", 0, structure=is_password, bare=True, whole=True, prefix=0,
    ),
    kind(
        "npmrc-token", "Token in an .npmrc file", "docs.npmjs.com: npmrc", ":_authToken= :_password= :_auth=",
        r":_(?:authToken|password|auth)[ \t]?=[ \t]?(?P<secret>[\w+/.=-]{16,400})", 2.8, bare=True, prefix=0,
    ),
    kind(
        "shadow-hash", "Password hash of a Unix account", "crypt(5), shadow(5)", ":$6$ :$y$ :$5$",
        r":(?P<secret>\$(?:6|5|y)\$[A-Za-z0-9./$=]{40,140}):[0-9]{0,6}:", 3.5, bare=True, whole=True, prefix=0,
    ),
)  # fmt: skip
