"""Every plugin that keeps something: off and on, down and up, and on the tables of a later release, over the wire.

A plugin is found by its `tables` hook, so one that is added later is tried too: with its example, and without claims of
its own. Those below say what must still hold of what they kept. All tests of a store are on one deployment; each leaves
it as it found it.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module, invalidate_caches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from sqlalchemy import inspect

from narthex.commands.db import _place
from narthex.store import Tables
from narthex.store.migrations import WouldLose
from narthex.store.migrations.history import history
from tests.core.store.conftest import _schema
from tests.core.store.releases import Site, script
from tests.plugins.revocation.workers import claims
from tests.slow import sampled
from tests.wire.narthex_run import APPS, House, narthex_run

pytestmark = pytest.mark.timeout(300)

PASSWORD: Final = "correct horse battery"
HOUSE: Final = """
[narthex]
store = "{store}"
secret_key = {{ file = "secret.key" }}
open = ["/"]
"""
TABLES: Final = {
    "auth": """
issuer = "https://shop.example"
algorithm = "ES256"
passwords = { memory = 8192, passes = 1, lanes = 1 }
""",
    "revocation": "",
    "access": """
[[plugins.access.rules]]
path = "/orders"
permissions = ["orders:write"]
""",
    "guestbook": "",
    "notifications": "log = { office = {} }\n",
}
"""By plugin, what its table says; others have their example's."""


def keepers() -> list[str]:
    """Every plugin that has tables."""
    found = entry_points(group="narthex")
    return sorted(one.name for one in found if hasattr(one.load(), "tables"))


KEEPERS: Final = keepers()


def table(plugin: str, *, on: bool = True) -> str:
    """What stands in the file."""
    if plugin in TABLES:
        return f"\n[plugins.{plugin}]\nenabled = {str(on).lower()}\n{TABLES[plugin]}"
    package = import_module(next(one for one in entry_points(group="narthex") if one.name == plugin).module)
    example = Path(str(package.__file__)).with_name("example.toml").read_text()
    text = example[example.index("[plugins.") :]
    return "\n" + re.sub(
        r"^(\[plugins\.[a-z0-9-]+\])$", rf"\1\nenabled = {str(on).lower()}", text, count=1, flags=re.MULTILINE
    )


@dataclass
class Shop:
    """A deployment with all of them: its directory, what it kept, and whether it serves.

    Attributes:
        tokens: name to access token: alice may order, ines is revoked.
        visits: in the guest book.
    """

    directory: Path
    store: str
    house: House | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    visits: int = 0

    @contextmanager
    def serve(self, *off: str) -> Iterator[House]:
        """Serve without some plugins; ends as an operator ends it."""
        with self.try_to_serve(*off) as house:
            assert house.url, house.stderr
            self.house = house
            yield house
            self.house = None
            house.send(signal.SIGTERM)
            assert house.wait() == 0, house.stderr

    @contextmanager
    def try_to_serve(self, *off: str) -> Iterator[House]:
        """Start without some plugins."""
        plugins = "".join(table(one, on=one not in off) for one in KEEPERS)
        (self.directory / "secret.key").write_text("0123456789abcdef" * 4)
        with narthex_run("lasting:app", self.directory, HOUSE.format(store=self.store) + plugins) as house:
            yield house

    def narthex(self, *arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        """A command."""
        command = [sys.executable, "-P", "-m", "narthex", *arguments, f"--config={self.directory}/narthex.toml"]
        env = {**os.environ, "PYTHONPATH": str(APPS.parents[2])}
        return subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=60, check=False, cwd=APPS, env=env
        )

    def ask(self, method: str, path: str, token: str = "", body: object = None) -> tuple[int, Any]:
        """Status, and JSON where it is some."""
        assert self.house is not None
        address = urlsplit(self.house.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        with connection.getresponse() as response:
            text = response.read()
            kind = response.headers.get_content_type()
        connection.close()
        return response.status, json.loads(text) if kind.endswith("json") else text

    def login(self, name: str) -> str:
        status, tokens = self.ask("POST", "/_narthex/auth/login", body={"username": name, "password": PASSWORD})
        assert status == 200, tokens
        return str(tokens["access_token"])

    def live(self) -> None:
        """Have every plugin keep something."""
        for name, *role in (("root", "--admin"), ("alice", "--role=clerk"), ("ines", "--role=clerk")):
            done = self.narthex("users", "add", name, *role, "--password-stdin", text=PASSWORD)
            assert done.returncode == 0, done.stderr
        self.tokens = {name: self.login(name) for name in ("root", "alice", "ines")}
        self.grant()
        self.revoke()

    def grant(self) -> None:
        """By the plugin access, where it is not granted yet."""
        grant = {"role": "clerk", "permission": "orders:write"}
        assert self.ask("POST", "/_narthex/access/grants", self.tokens["root"], grant)[0] in (200, 201)

    def revoke(self) -> None:
        """By the plugin revocation."""
        order = {"token": str(claims(self.tokens["ines"])["jti"])}
        assert self.ask("POST", "/_narthex/revocations", self.tokens["root"], order)[0] == 201

    def holds(self, *off: str) -> None:
        """What was kept still counts, for all but those that are off."""
        for plugin, claim in CLAIMS.items():
            if not {plugin, *claim.needs} & set(off):
                claim.check(self)
        assert self.ask("GET", "/")[0] == 200


@dataclass(frozen=True)
class Claim:
    """What must hold of what a plugin kept, and the other plugins that it takes to see it."""

    check: Callable[[Shop], None]
    needs: Sequence[str] = ()


def accounts_and_keys(shop: Shop) -> None:
    for name in ("alice", "root"):
        assert shop.ask("GET", "/_narthex/auth/me", shop.tokens[name])[0] == 200
    assert shop.login("alice")


def revocations(shop: Shop) -> None:
    status, body = shop.ask("GET", "/_narthex/auth/me", shop.tokens["ines"])
    assert (status, body.get("code")) == (401, "token_revoked")


def grants(shop: Shop) -> None:
    assert shop.ask("GET", "/orders", shop.tokens["alice"])[0] == 200


def visits(shop: Shop) -> None:
    status, found = shop.ask("GET", "/_narthex/guestbook")
    assert status == 200
    assert found[0]["visit"] > shop.visits
    shop.visits = found[0]["visit"]


ANEW: Final[dict[str, Callable[[Shop], None]]] = {"auth": Shop.live, "revocation": Shop.revoke, "access": Shop.grant}
"""How to have a plugin keep again what was taken from it."""

CLAIMS: Final = {
    "auth": Claim(accounts_and_keys),
    "revocation": Claim(revocations, ["auth"]),
    "access": Claim(grants, ["auth"]),
    "guestbook": Claim(visits),
}


@pytest.fixture(scope="module", params=sampled(["sqlite", "postgresql"], lambda store: store == "sqlite"))
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A deployment where every plugin has kept something."""
    directory = tmp_path_factory.mktemp("switching")
    with ExitStack() as stack:
        sqlite = request.param == "sqlite"
        store = f"sqlite:///{directory}/narthex.db" if sqlite else stack.enter_context(contextmanager(_schema)())
        shop = Shop(directory, store)
        with shop.serve():
            shop.live()
            shop.holds()
        yield shop


@pytest.fixture
def site(shop: Shop) -> Iterator[Site]:
    """The same store, for what a later release does to it."""
    site = Site.at(shop.store, shop.directory)
    yield site
    site.close()


def test_those_with_claims_are_among_those_found() -> None:
    assert set(KEEPERS) >= set(CLAIMS)


def test_every_plugin_is_switched_off_and_on_again(shop: Shop) -> None:
    for plugin in KEEPERS:  # the one before is on again
        with shop.serve(plugin):
            shop.holds(plugin)
    with shop.serve():
        shop.holds()


@pytest.mark.parametrize("plugin", sampled(KEEPERS, lambda plugin: plugin in {"auth", "guestbook"}))
def test_a_plugin_does_not_start_on_tables_that_it_cannot_run_on(plugin: str, shop: Shop, site: Site) -> None:
    later = one_more(site, plugin, "never", compatible=False)
    with shop.try_to_serve() as house:
        assert not house.url
        assert house.wait() == 3
        assert f"narthex db downgrade {plugin} -1" in house.stderr
    assert site.downgrade(later, "-1").steps == ("never",)


@pytest.mark.parametrize("plugin", KEEPERS)
def test_a_plugin_is_taken_down_and_up_again(plugin: str, shop: Shop, site: Site) -> None:
    if plugin in CLAIMS:
        with pytest.raises(WouldLose):
            site.downgrade(kept(site, plugin), "base")
    site.downgrade(kept(site, plugin), "base", lose=True)
    assert tables_of(site, plugin) == []
    with shop.serve():
        shop.holds(plugin)
        if plugin in ANEW:  # what it kept is gone, and it can keep something again
            with pytest.raises(AssertionError):
                CLAIMS[plugin].check(shop)
            ANEW[plugin](shop)
        shop.holds()


def test_every_plugin_serves_on_while_and_after_a_later_release_migrates(shop: Shop, site: Site) -> None:
    with shop.serve() as house:
        for plugin in KEEPERS:
            one_more(site, plugin, "later", compatible=True)
            assert all("later" in site.columns(name) for name in tables_of(site, plugin))
            shop.holds()
        assert house.process.poll() is None
    with shop.serve():
        shop.holds()
        assert shop.narthex("db", "current").returncode == 0
    for plugin in KEEPERS:
        assert site.downgrade(later_release(site, plugin, "later"), "-1", lose=True).steps == ("later",)


def tables_of(site: Site, plugin: str) -> list[str]:
    """The names of its tables that are there."""
    there = inspect(site.engine).get_table_names()
    return [name for name in kept(site, plugin).metadata.tables if name in there]


def kept(site: Site, plugin: str) -> Tables:
    """As this release has them."""
    found: Sequence[Tables] = _place(site.directory / "narthex.toml").tables
    return next(one for one in found if one.name == plugin)


def one_more(site: Site, plugin: str, revision: str, *, compatible: bool) -> Tables:
    """Have a later release add a column to each of the plugin's tables; gives its tables."""
    now = kept(site, plugin)
    package = site.directory / f"{revision}_{plugin.replace('-', '_')}"
    shutil.copytree(Path(str(import_module(now.revisions).__file__)).parent, package)
    names = tables_of(site, plugin)
    up = "; ".join(f"op.add_column({name!r}, sa.Column({revision!r}, sa.String(20)))" for name in names)
    down = "; ".join(f"op.drop_column({name!r}, {revision!r})" for name in names)
    last = script(revision, history(now).head, up, down, head=f"compatible = {compatible}")
    (package / f"r9999_{revision}.py").write_text(last)
    later = later_release(site, plugin, revision)
    (done,) = site.upgrade(later)
    assert done.steps == (revision,)
    return later


def later_release(site: Site, plugin: str, revision: str) -> Tables:
    """A plugin's tables as a later release has them."""
    invalidate_caches()
    return Tables(plugin, kept(site, plugin).metadata, f"{revision}_{plugin.replace('-', '_')}")
