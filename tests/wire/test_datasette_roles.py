"""Three databases behind rules: readers see one, engineers two, admins all, however they ask.

The file is that of docs/howto/datasette-roles.md, but for who says who asks.
"""

import re
import sqlite3
import sys
import tomllib
from collections.abc import Generator
from contextlib import closing
from itertools import product
from typing import Final

import pytest

from tests.wire.replies import ask, status
from tests.wire.servers import BIN, ROOT, free_port, launch

PAGE: Final = ROOT / "docs" / "howto" / "datasette-roles.md"
WORDS: Final = {"trees": "Goetterbaum", "staff": "Silberling", "vault": "Goldmarie"}
"""A word that stands in one database alone."""
WHO: Final = {"anonymous": "", "reader": "rita user", "engineer": "eve engineer", "admin": "ada admin"}
SEES: Final = {
    "anonymous": set[str](),
    "reader": {"trees"},
    "engineer": {"trees", "staff"},
    "admin": {"trees", "staff", "vault"},
}
SITE: Final = """
from datasette.app import Datasette
from datasette import handle_exception

handle_exception.rich = None
app = Datasette([], immutables=["trees.db", "staff.db", "vault.db"], secret="x").app()
"""


def rules() -> str:
    """The table of the page."""
    (text,) = re.findall(r'```toml title="narthex.toml"\n(.*?)```', PAGE.read_text(), re.DOTALL)
    assert tomllib.loads(text)["plugins"]["access"]["rules"]
    found: str = text[text.index("[plugins.access]") :]
    return found


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    directory = tmp_path_factory.mktemp("roles")
    for name, word in WORDS.items():
        with closing(sqlite3.connect(directory / f"{name}.db")) as database:
            database.execute("create table one (id integer primary key, word text)")
            database.execute("insert into one values (1, ?)", [word])
            database.commit()
    (directory / "site_of_three.py").write_text(SITE)
    house = '[narthex]\napp = "site_of_three:app"\nstore = "memory"\n[plugins.person]\nuse = "tests.guests:Person"\n'
    (directory / "narthex.toml").write_text(house + rules())
    served = free_port()
    argv = [sys.executable, str(BIN / "narthex"), "run", f"--port={served}"]
    with launch(argv, served, directory=directory, ready="/"):
        yield served


def get(port: int, target: str, who: str, method: str = "GET", *fields: str) -> bytes:
    head = [f"{method} {target} HTTP/1.1", "Host: h", "Connection: close", *fields]
    head += [f"x-test-user: {WHO[who]}"] if WHO[who] else []
    return ask(port, "\r\n".join([*head, "", ""]).encode())


PAGES: Final = ["/{}", "/{}/", "/{}.json", "/{}/one", "/{}/one.json?_shape=array", "/{}/one/1", "/{}/one.csv", "/{}.db"]


@pytest.mark.parametrize(("who", "name"), list(product(WHO, WORDS)))
def test_each_sees_the_databases_of_their_role(port: int, who: str, name: str) -> None:
    replies = [get(port, page.format(name), who) for page in PAGES]
    seen = [status(reply) < 400 for reply in replies]
    assert seen == [name in SEES[who]] * len(PAGES)
    words = [WORDS[name].encode() in reply for reply in replies]
    assert any(words) is (name in SEES[who])
    if name not in SEES[who]:
        assert {status(reply) for reply in replies} == ({401} if who == "anonymous" else {403})


def test_a_page_has_its_styles(port: int) -> None:
    assert status(get(port, "/-/static/app.css", "reader")) == 200
    assert [status(get(port, page, "reader")) for page in ("/", "/-/databases.json", "/-/metadata")] == [403] * 3
    assert b"vault" not in get(port, "/trees", "reader")


TRICKS: Final = [
    *(
        "/~{hex}{rest}/one",
        "/%{hex}{rest}/one",
        "/~{hex}{rest}/one.json",
        "/{upper}/one",
        "/{name}~2Ejson",
        "/{name}%2Ejson",
        "//{name}",
    ),
    *("/trees/../{name}", "/trees/%2e%2e/{name}", "/trees/..%2f{name}/one", "/trees/~2E~2E/{name}", "/trees//{name}"),
    *("/trees;/../{name}", "/trees.{name}", "/trees.json/../{name}", "/trees/{name}.one", "/-/static/../../{name}"),
    *(
        "/-/static/..%2f..%2f{name}.db",
        "/trees?sql=select+word+from+{name}.one",
        "/trees.json?sql=select+*+from+{name}.one",
    ),
    *(
        "/trees?sql=attach+'{name}.db'+as+x",
        "/_memory?sql=select+*+from+{name}.one",
        "/_memory.json?sql=attach+'{name}.db'+as+x",
    ),
    *(
        "/_internal/databases",
        "/-/databases.json",
        "/.json",
        "/-/databases",
        "/{name}?_trace=1",
        "/{name}/one?_extra=database",
    ),
    *(
        "/trees/one?_search={name}&database={name}",
        "http://h/{name}",
        "/{name}#/trees",
        "/{name}?/trees",
        "/trees?/../{name}",
    ),
    *(
        "/{name}%00",
        "/{name}%0a",
        "/{name};",
        "/{name}/one;x",
        "/{name}.",
        "/trees/../{name}/one.json",
        "/{name}/~6Fne",
    ),
]


@pytest.mark.parametrize("who", ["anonymous", "reader", "engineer"])
def test_no_spelling_shows_a_word_of_another_database(port: int, who: str) -> None:
    for name in WORDS.keys() - SEES[who]:
        first = name[0]
        for trick in TRICKS:
            target = trick.format(name=name, upper=name.upper(), hex=f"{ord(first):02x}", rest=name[1:])
            for method, more in product(
                ("GET", "HEAD", "POST"), ((), ("X-HTTP-Method-Override: GET", "X-Original-URL: /trees"))
            ):
                reply = get(port, target, who, method, *more)
                assert WORDS[name].encode() not in reply, (method, target)
