"""Django's admin site behind `narthex run`, as without: log-in form, CSRF, sessions, static files."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.wire.browser import Browser, chromium
from tests.wire.narthex_run import SERVERS, narthex_run
from tests.wire.servers import ROOT, serve
from tests.wire.visitor import Page, Visitor

PASSWORD: Final = "open sesame 7"
TOML: Final = """
[plugins.health]
[plugins.logging]
output = "{log}"
[plugins.tell-route]
use = "tests.wire.guarded.plugins:TellRoute"
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """The site twice, each with a database of its own."""

    bare: int
    behind: int
    log: Path

    def visitors(self) -> tuple[Visitor, Visitor]:
        return Visitor(self.bare), Visitor(self.behind)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("admin") / "made.db"
    subprocess.run([sys.executable, "-m", "tests.wire.admin_site", str(file)], cwd=ROOT, check=True, timeout=60)
    return file


@pytest.fixture(scope="module", params=SERVERS)
def pair(request: pytest.FixtureRequest, database: Path) -> Iterator[Pair]:
    server: str = request.param
    directory = database.parent / server
    directory.mkdir()
    log, site = directory / "log.jsonl", "tests.wire.admin_site:app"
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("ADMIN_DB", str(directory / "behind.db"))
        for name in ("bare", "behind"):
            shutil.copy(database, directory / f"{name}.db")
        bare = stack.enter_context(serve(site, server, env={"ADMIN_DB": str(directory / "bare.db")}))
        house = stack.enter_context(narthex_run(site, directory, TOML.format(log=log), server=server))
        assert house.url, house.stderr
        yield Pair(bare.port, int(house.url.rpartition(":")[2]), log)


def work(visitor: Visitor) -> Iterator[tuple[str, Page]]:
    """A morning at the admin site; what was asked for, and what came."""
    yield "not logged in", visitor.get("/admin/")
    yield "form", visitor.get("/admin/login/?next=/admin/")
    yield "wrong password", visitor.post("/admin/login/?next=/admin/", username="ada", password="guess")
    yield "no token", visitor.post("/admin/login/", token=False, username="ada", password=PASSWORD)
    yield "logged in", visitor.post("/admin/login/?next=/admin/", username="ada", password=PASSWORD)
    yield "index", visitor.get("/admin/")
    yield "without slash", visitor.get("/admin/auth/group?q=x")
    yield "empty form", visitor.get("/admin/auth/group/add/")
    yield "not filled in", visitor.post("/admin/auth/group/add/", name="")
    yield "filled in", visitor.post("/admin/auth/group/add/", name="packers & ördering")
    yield "list, with a message", visitor.get("/admin/auth/group/")
    yield "one", visitor.get("/admin/auth/group/1/change/")
    yield "changed", visitor.post("/admin/auth/group/1/change/", name="packers", _continue="1")
    yield "asked twice", visitor.get("/admin/auth/group/1/delete/")
    yield "deleted", visitor.post("/admin/auth/group/1/delete/", post="yes")
    yield "gone", visitor.get("/admin/auth/group/1/change/")
    yield "head", visitor.get("/admin/auth/group/", "HEAD")
    yield "words of the scripts", visitor.get("/admin/jsi18n/")
    yield "no such page", visitor.get("/admin/nothing/")
    sheet = visitor.get("/static/admin/css/base.css")
    yield "style sheet", sheet
    since = dict(sheet.fields)["last-modified"]
    yield "again", visitor.get("/static/admin/css/base.css", **{"If-Modified-Since": since})
    yield "picture", visitor.get("/static/admin/img/icon-yes.svg")
    yield "no such file", visitor.get("/static/admin/nothing.css")
    yield "logged out", visitor.post("/admin/logout/")
    yield "out", visitor.get("/admin/")
    visitor.get("/admin/login/")
    yield "no staff", visitor.post("/admin/login/", username="bob", password=PASSWORD)


STATUSES: Final = """
not logged in 302, form 200, wrong password 200, no token 403, logged in 302, index 200, without slash 301,
empty form 200, not filled in 200, filled in 302, one 200, changed 302, asked twice 200, deleted 302, gone 302,
head 200, words of the scripts 200, no such page 404, style sheet 200, again 304, picture 200, no such file 404,
logged out 200, out 302, no staff 200
"""


def test_a_morning_at_the_admin_site_is_the_same_behind_the_house(pair: Pair) -> None:
    bare, behind = pair.visitors()
    seen: dict[str, Page] = {}
    for (name, one), (_, other) in zip(work(bare), work(behind), strict=True):
        assert other == one, name
        seen[name] = other
    statuses = {name: str(page.status) for name, page in seen.items() if name != "list, with a message"}
    assert statuses == dict(line.strip().rsplit(" ", 1) for line in STATUSES.strip().replace("\n", " ").split(","))
    assert "packers &amp; ördering" in seen["list, with a message"]
    assert "was added successfully" in seen["list, with a message"]
    assert "Please enter the correct username and password for a staff account" in seen["no staff"]
    assert [seen[name].route for name in ("index", "one", "no such page", "without slash")] == [
        *("/admin/", "/admin/auth/group/{object_id}/change/", "/admin/{url}", "/admin/{url}"),
    ]
    assert '"level":"error"' not in pair.log.read_text()


def test_the_probes_are_the_houses_and_the_rest_is_djangos(pair: Pair) -> None:
    bare, behind = pair.visitors()
    assert [visitor.get("/healthz").status for visitor in (bare, behind)] == [404, 200]


@pytest.mark.skipif(chromium() is None, reason="no chromium on this machine")
@pytest.mark.parametrize("pair", SERVERS[:1], indirect=True)
def test_a_browser_logs_in_and_works(pair: Pair, tmp_path: Path) -> None:
    with Browser(tmp_path) as browser:
        browser.open(f"http://127.0.0.1:{pair.behind}/admin/")
        browser.until("document.title == 'Log in | Django site admin'")
        browser.run(f"id_username.value = 'ada'; id_password.value = {PASSWORD!r}; document.forms[0].submit()")
        browser.until("document.title == 'Site administration | Django site admin'")
        assert browser.run("getComputedStyle(document.getElementById('header')).backgroundColor") != "rgba(0, 0, 0, 0)"
        browser.run("document.querySelector('a[href=\"/admin/auth/group/add/\"]').click()")
        browser.until("document.title.startsWith('Add group')")
        browser.run("id_name.value = 'by hand'; document.querySelector('[name=_save]').click()")
        browser.until("document.body.innerText.includes('The group “by hand” was added successfully.')")
        browser.run("document.getElementById('logout-form').submit()")
        browser.until("document.body.innerText.includes('Logged out')")
        assert browser.faults() == []
