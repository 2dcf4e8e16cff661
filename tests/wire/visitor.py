"""A visitor with a cookie jar, and what two visitors saw, made comparable."""

import re
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlencode

from tests.wire.narthex_run import LIMIT

OWN: Final = frozenset({"date", "expires", "x-request-id", "x-route"})
"""Fields that no two answers share; and the one that the tests' own plugin adds."""
_TOKEN: Final = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
_DRAWN: Final = re.compile(
    r"(?<=csrfmiddlewaretoken\" value=\")\w+|(?<=csrftoken=)\w+|(?<=sessionid=)\w+|(?<=messages=)[^;]+|expires=[^;]+"
)
"""Drawn at random, signed with the hour, or the hour."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: every header field in order, its own ones left out, and the body."""

    status: int
    fields: tuple[tuple[str, str], ...]
    text: str
    route: str | None = field(default=None, compare=False)

    def __contains__(self, words: str) -> bool:
        return words in self.text


@dataclass(slots=True)
class Visitor:
    """A browser without a screen: keeps cookies, fills in the form token of the last page."""

    port: int
    cookies: SimpleCookie = field(default_factory=SimpleCookie)
    token: str = ""

    def get(self, path: str, method: str = "GET", **fields: str) -> Page:
        """Ask for a page; redirects are not followed."""
        return self._ask(method, path, None, fields)

    def post(self, path: str, *, token: bool = True, **form: str) -> Page:
        """Send a form, with the token of the page before unless told otherwise."""
        words = {**form, **({"csrfmiddlewaretoken": self.token} if token else {})}
        return self._ask("POST", path, urlencode(words), {"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, path: str, body: str | None, fields: dict[str, str]) -> Page:
        jar = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items() if morsel.value)
        headers = {"Host": "127.0.0.1", **({"Cookie": jar} if jar else {}), **fields}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self.cookies.load(value)
        found = _TOKEN.search(text)
        self.token = found[1] if found else self.token
        kept = [(name.lower(), _DRAWN.sub("...", value)) for name, value in response.getheaders()]
        shown = tuple((name, value) for name, value in kept if name not in OWN)
        return Page(response.status, shown, _DRAWN.sub("...", text), response.getheader("x-route"))
