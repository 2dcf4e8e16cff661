"""Datasette on a database of 100,000 rows, and what to ask it: the requests of the differential test."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from itsdangerous import URLSafeSerializer

SECRET: Final = "not a secret: both processes sign alike"
ROOT_TOKEN: Final = "the token that `datasette --root` prints"

# The limits that end slow queries are widened: which of two processes on a busy machine runs into one is chance.
# What Datasette draws at random per process is the secret and the root token, so both are given. Where rich is
# installed Datasette prints each error with every local variable, at half a second of processor time: silenced.
_SITE: Final = """
from datasette.app import Datasette
from datasette import handle_exception

limits = ("sql_time_limit_ms", "facet_time_limit_ms", "facet_suggest_time_limit_ms")
add = {"sql": "insert into note (words) values (:words)", "write": True}
site = Datasette(
    ["notes.db"],
    immutables=["trees.db"],
    secret=SECRET,
    cors=True,
    metadata={"title": "Trees", "databases": {"notes": {"queries": {"add": add}}}},
    settings=dict.fromkeys(limits, 60_000),
)
site._root_token = ROOT_TOKEN
handle_exception.rich = None
app = site.app()
"""

_TREES: Final = """
create table species (id integer primary key, name text);
create table tree (id integer primary key, species integer references species(id), street text, height real);
create table inspection (id integer primary key, tree integer references tree(id), words text);
create table odd ("a b" text primary key, data blob, empty text);
create view tall as select * from tree where height > 39;
insert into species values (1, 'oak'), (2, 'linden'), (3, 'Götterbaum'), (4, 'plane & <maple>');
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
    insert into tree select i, i % 4 + 1, 'street ' || i % 97, i % 400 / 10.0 from n;
insert into inspection select id, id * 7, 'fine' from tree where id <= 500;
insert into odd values ('x/y z.%~', x'00ff10', null), ('Zoë', null, '');
"""


def build(directory: Path) -> None:
    """Write the databases and the module `site_of_trees` into an empty directory. Takes a quarter of a second."""
    for name, script in (("trees.db", _TREES), ("notes.db", "create table note (id integer primary key, words text);")):
        with closing(sqlite3.connect(directory / name)) as database:
            database.executescript(script)
            database.commit()
    (directory / "site_of_trees.py").write_text(f"{SECRET = }\n{ROOT_TOKEN = }\n{_SITE}")


def request(target: str, method: str = "GET", *fields: str, content: str = "", version: str = "1.1") -> bytes:
    """A request that the server answers and then hangs up after."""
    head = [f"{method} {target} HTTP/{version}", "Host: trees.example", "Connection: close", *fields]
    if content:
        head += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(content)}"]
    return "\r\n".join([*head, "", content]).encode("latin-1")


_signer: Final = URLSafeSerializer(SECRET)
_actor: Final = _signer.dumps({"a": {"id": "root"}}, "actor")
_token: Final = _signer.dumps("tokentoken", "csrftoken")
LOGGED_IN: Final = f"Cookie: theme=dark; ds_actor={_actor}; ds_csrftoken={_token}"
FORGED: Final = f"Cookie: ds_actor={_actor[:-1]}x; ds_csrftoken={_token}; ds_csrftoken=twice"

_ENDLESS: Final = "with+recursive+n(i)+as+(select+1+union+all+select+i%2B1+from+n)+select+count(*)+from+n"


def _words(text: str) -> list[str]:
    return text.split()


PAGES: Final = _words("""
/ /trees /trees/tree?_nosuggest=1 /trees/tree?_nosuggest=1&_sort_desc=height&_size=500 /trees/tree/1
/trees/tree?_nosuggest=1&_facet=species&street__exact=street+7 /trees/tall?_nosuggest=1 /trees/inspection
/trees/odd /trees/odd/x~2Fy~20z~2E~25~7E /trees/odd/Zo~C3~AB /trees?sql=select+1 /notes /notes/add /notes/note
/-/metadata /-/settings /-/plugins /-/patterns /-/allow-debug /-/messages
""")
DATA: Final = _words("""
/.json /trees.json /trees/tree.json?_nosuggest=1 /trees/tree.json?_shape=array&_size=1000 /trees/tree/1.json
/trees/tree.json?_shape=array&_nl=on /trees/inspection.json?_labels=on /trees/odd.json?_json=data
/trees.json?sql=select+count(*)+from+tree /trees.jsono?sql=select+:x&x=%C3%A5 /-/versions.json /-/databases.json
/-/actor.json /trees/tree.csv /trees/tree.csv?_stream=on /trees/tall.csv?_stream=on&_dl=1 /trees/odd.csv
/trees.csv?sql=select+*+from+species /trees/odd/x~2Fy~20z~2E~25~7E.blob?_blob_column=data /trees.db
""")
FILES: Final = ["/-/static/app.css", "/-/static/table.js", "/-/static/cm-editor-6.0.1.bundle.js", "/favicon.ico"]
REDIRECTS: Final = _words("""
/trees/ /trees/tree/ /-/config /-/config.json /:memory: /-/logout /trees/odd/x%2Fy%20z /%ff /trees/tree?_sort=
/trees/tree/?_sort=id&a=%20
""")
ERRORS: Final = _words(f"""
/nothing /trees/nothing /trees/nothing.json /trees/tree/999999 /trees/tree/x/y/z /-/static/ /-/static/nothing.css
/-/static/../app.py /-/static/..%2fapp.py /-/permissions /-/auth-token?token=wrong /trees?sql=drop+table+tree
/trees.json?sql=select+nonsense /trees/tree?_size=bad /trees/tree.csv?_stream=on&_next=9 /trees//tree //trees
/trees/%2e%2e/tree /trees/tree?_sort=nonsense /notes.db /trees.json?sql={_ENDLESS}&_timelimit=20
/trees?sql={_ENDLESS}&_timelimit=20 /healthz/x
""")
METHODS: Final = {
    "/trees/tree/1": ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST", "TRACE"],
    "/-/static/app.css": ["HEAD", "OPTIONS", "POST"],
    "/trees/odd.csv?_stream=on": ["HEAD", "POST"],
    "/nothing": ["HEAD", "POST"],
    "/trees.db": ["HEAD"],
}

CASES: Final[dict[str, bytes]] = {
    **{target: request(target) for target in (*PAGES, *DATA, *FILES, *REDIRECTS, *ERRORS)},
    **{f"{method} {target}": request(target, method) for target, methods in METHODS.items() for method in methods},
    "if-none-match": request(
        "/trees.db", "GET", 'If-None-Match: "x"', "If-Modified-Since: Sat, 1 Jan 2028 00:00:00 GMT"
    ),
    "range": request("/-/static/app.css", "GET", "Range: bytes=0-9"),
    "gzip": request("/trees/tree/1", "GET", "Accept-Encoding: gzip, br", "Accept: text/html"),
    "cross origin": request("/trees.json", "GET", "Origin: https://elsewhere.example"),
    "preflight": request("/trees.json", "OPTIONS", "Origin: null", "Access-Control-Request-Method: GET"),
    "http 1.0": request("/trees/tree/1.json", version="1.0"),
    "long": request("/trees/tree/1.json?x=" + "x" * 4000, "GET", "X-Long: " + "y" * 4000),
    "repeated fields": request(
        "/-/actor.json", "GET", LOGGED_IN, "Cookie: c=d", "Authorization: a", "Authorization: b"
    ),
    "forwarded": request("/trees/tree/1", "GET", "Forwarded: for=1.2.3.4;proto=https"),
    "log in": request(f"/-/auth-token?token={ROOT_TOKEN.replace(' ', '+')}"),
    "logged in": request("/-/actor.json", "GET", LOGGED_IN),
    "forged cookie": request("/-/actor.json", "GET", FORGED),
    "private page": request("/-/permissions", "HEAD", LOGGED_IN),
    "log out form": request("/-/logout", "GET", LOGGED_IN),
    "log out": request("/-/logout", "POST", LOGGED_IN, content=f"csrftoken={_token}"),
    "log out without token": request("/-/logout", "POST", LOGGED_IN, content="csrftoken=forged"),
    "leave a message": request(
        "/-/messages", "POST", LOGGED_IN, content=f"message=hi&message_type=INFO&csrftoken={_token}"
    ),
    "write a row": request("/notes/add", "POST", content="words=%C3%A5ngstr%C3%B6m"),
    "write as json": request("/notes/add?_json=1", "POST", content="words=" + "long+" * 2000),
    "expect": request("/notes/add", "POST", "Expect: 100-continue", content="words=patience"),
}
"""What is asked, by name: the target alone is a plain GET."""
