"""Every spelling of a guarded path that has fooled someone, and some that have not yet."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    """One request as bytes on the wire; `headers` are further header lines."""

    target: bytes
    method: bytes = b"GET"
    websocket: bool = False
    headers: bytes = b""
    version: bytes = b"HTTP/1.1"

    def __str__(self) -> str:
        kind = " websocket" if self.websocket else ""
        return f"{self.method.decode()}{kind} {self.target[:80]!r} {self.headers.decode()}".strip()


PLAIN = ("/admin", "/admin/", "/admin/users", "/admin/users/", "/admin?", "/admin?x=/public", "/admin#", "/admin?%2f")
CASE = ("/Admin", "/ADMIN", "/aDmin/users", "/admin/Users", "/adm%49n")
LETTERS = ("/%61dmin", "/%61%64%6d%69%6E", "/ad%6Din/users", "/admin/%75sers")
SLASHES = (
    *("//admin", "///admin", "/admin//", "/admin//users", "//admin//users", "/public//admin", "/admin///users/"),
    *("/%2fadmin", "%2fadmin", "/admin%2fusers", "/admin%2Fusers", "/admin%2f", "/%2Fadmin%2F", "/public%2fadmin"),
    *("\\admin", "/\\admin", "/admin\\users", "/admin\\", "/%5cadmin", "/admin%5cusers", "/admin%5C"),
)
DOTS = (
    *("/./admin", "/admin/.", "/admin/./users", "/public/../admin", "/admin/../admin", "/x/../../admin", "/../admin"),
    *("/%2e/admin", "/public/%2e%2e/admin", "/public/.%2e/admin", "/public/%2E./admin", "/public/..%2fadmin"),
    *("/public/..%5cadmin", "/public/..\\admin", "/public/..;/admin", "/public/..;a=b/admin", "/.//admin"),
    *("/.../admin", "/admin/..", "/admin/users/..", "/public//../admin", "/items/..%2f..%2fadmin"),
    *("/admin.", "/admin..", "/admin%2e", "/admin.json", "/admin/users.", "/admin./users", "/.admin"),
)
CONTROLS = (
    *("/admin%00", "/admin%00/users", "/%00/admin", "/admin%00.css", "/admin%0a", "/admin%0A/", "/admin/users%0a"),
    *("/admin%0d", "/admin%0d%0a", "/admin%09", "/admin%0b", "/admin%1f", "/admin%7f", "/%0aadmin", "/%0a/admin"),
    *("/admin%20", "/%20admin", "/%20/admin", "/admin%a0", "/admin%c2%a0", "/admin%c2%85", "/admin%e2%80%a8"),
)
TWICE = (
    *("/%2561dmin", "/%252fadmin", "/admin%252fusers", "/admin%252Fusers", "/public/%252e%252e/admin"),
    *("/public%252f..%252fadmin", "/%255cadmin", "/admin%255cusers", "/admin%2500", "/public/%252e./admin"),
)
PARAMETERS = (
    *("/admin;", "/admin;x", "/admin;x=y/users", "/;/admin", "/;x/admin", "/public;/../admin", "/admin%3b", "/admin,"),
    *("/admin%3f", "/admin%3Fx", "/admin%23", "/public#/admin", "/public%23/../admin", "/public?/../admin", "?/admin"),
    *("/public%3f/../admin", "/admin&", "/admin%26x=y", "/admin::$DATA", "/admin$", "/admin~", "/~61dmin"),
)
FORMS = (
    *("http://h/admin", "HTTP://h/admin", "http://h//admin", "https://h/admin", "http:/admin", "http:///admin"),
    *("http://h:80/admin", "http://u@h/admin", "http://h/public/../admin", "http://h/%61dmin", "file:///admin"),
    *("x:/admin", "h:80/admin", "http:admin", "//h/admin", "admin", "admin/users", "./admin", "../admin", ";/admin"),
    *("%61dmin", "h/admin", "*", "/*", "", "?", "#/admin", "http://h", "http://h/sub/admin", "http://h/api/admin"),
)
BYTES = (
    *("/%c0%afadmin", "/public/%c0%ae%c0%ae/admin", "/%e0%80%afadmin", "/%c1%a1dmin", "/admin%c0%80", "/admin%ff"),
    *("/%ef%bc%8fadmin", "/%ef%bd%81dmin", "/admin%ef%bc%8fusers", "/public/%ef%bc%8e%ef%bc%8e/admin", "/adm%c4%b1n"),
    *("/%e2%88%95admin", "/ad%c2%admin", "/admin%e2%80%8b", "/%ef%bb%bfadmin", "/\xc3\xa4/../admin", "/\xc0\xafadmin"),
    *("/%", "/admin%", "/admin%2", "/%zzadmin", "/%u0061dmin", "/%u002fadmin", "/admin%ed%a0%80", "/\xffadmin"),
)
LONG = (
    *("/admin" + "/" * 3000, "/" * 3000 + "admin", "/" + "a" * 3000 + "/../admin", "/." * 1500 + "/admin"),
    *("/admin?" + "x" * 3000, "/admin/users" + "%20" * 1000, "/" + "a/../" * 600 + "admin"),
)
WORDS = (*PLAIN, *CASE, *LETTERS, *SLASHES, *DOTS, *CONTROLS, *TWICE, *PARAMETERS, *FORMS, *BYTES, *LONG)

METHODS = b"HEAD OPTIONS POST PUT DELETE PATCH TRACE CONNECT PROPFIND M-SEARCH FOO WEBSOCKET get Get post head".split()
HEADERS = (
    *(b"X-Original-URL: /admin", b"X-Rewrite-URL: /admin", b"X-Forwarded-Prefix: /admin", b"X-Script-Name: /public"),
    *(b"SCRIPT_NAME: /public", b"X-Forwarded-Path: /admin", b"X-HTTP-Method-Override: POST"),
)


def around(root: str) -> Iterator[str]:
    """Spell a prefix that someone may cut out of the path: twice, in the middle, without the slash after it."""
    for path in ("/admin", "admin", "//admin", "/../admin", "%2fadmin", "/admin/users"):
        yield from (root + path, root + root + path, "/x" + root + path, "/public" + root + path)
    yield from ("/admin" + root, root[1:] + "/admin", root.upper() + "/admin", "/x/.." + root + "/admin")
    yield from (f"/%{ord(root[1]):02x}{root[2:]}/admin", "/items" + root + "/admin", root + root + root + "/admin")
    yield from (
        root + "/./admin",
        root + ";/admin",
        root + "%00/admin",
        root + "%0a/admin",
        root.rstrip("b") + "/admin",
    )


def probes(prefix: str, roots: tuple[str, ...]) -> list[Probe]:
    """Spell the guarded paths below the prefix that leads to the app, and around every root in play.

    Words without a leading slash are sent as they are, too.
    """
    words = [prefix + word if word[:1] in {"/", "%", "\\", "?"} else word for word in WORDS]
    for root in roots:
        words += [each + word for word in around(root) for each in dict.fromkeys(("", prefix))]
    found = [Probe(word.encode("latin-1")) for word in dict.fromkeys(words)]
    found += [Probe((prefix + "/admin").encode(), method) for method in METHODS]
    found += [Probe((prefix + "//admin").encode(), method) for method in (b"HEAD", b"POST", b"post", b"WEBSOCKET")]
    found += [Probe((prefix + "/public").encode(), headers=header) for header in HEADERS]
    found += [Probe((prefix + path).encode(), version=b"HTTP/1.0") for path in ("/admin", "//admin", "/admin%0a")]
    return found


def websocket_probes(prefix: str, roots: tuple[str, ...]) -> list[Probe]:
    """The same for the guarded websocket: servers take its path from the request line in code of its own."""
    words = [*PLAIN, *CASE[:2], *LETTERS[:2], *SLASHES, *DOTS[:17], *CONTROLS[:9], *FORMS]
    sockets = [word.replace("admin/users", "admin").replace("admin", "admin/ws") for word in words]
    targets = [prefix + word if word.startswith("/") else word for word in sockets]
    for root in roots:
        targets += [word.replace("admin/users", "admin").replace("admin", "admin/ws") for word in around(root)]
    return [Probe(target.encode("latin-1"), websocket=True) for target in dict.fromkeys(targets)]
