"""A file that is read again: its rules hold, and its lines are those of the new text."""

from pathlib import Path

from narthex import Narthex
from narthex.events import ExchangeRefused
from narthex.testing import Client, Hello
from tests.plugins.access.site import as_

FILE = """\
[narthex]
store = "memory"
[plugins.person]
use = "tests.guests:Person"
[plugins.access]
[[plugins.access.rules]]
path = "/admin"
roles = ["admin"]
"""


def test_a_line_that_moved_is_told_where_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    file.write_text(FILE)
    house = Narthex(Hello(), str(file))
    heard: list[ExchangeRefused] = []
    house._estate.events.subscribe(ExchangeRefused, heard.append)
    with Client(house) as client:
        plugin = house.guests[1].plugin
        for text in (FILE, f"# a comment\n{FILE}"):
            file.write_text(text)
            client.run(house.reload(str(file)))
            allowed = client.get("/_narthex/explain?path=/admin&as=ada&role=admin", as_("ada admin")).json()
            assert client.get("/admin", as_("bob user")).status == 403
            assert allowed["verdict"]["rule"] == heard[-1].rule
        assert house.guests[1].plugin is plugin
    assert [event.rule for event in heard] == [f"{file}:6 /admin", f"{file}:7 /admin"]


def test_a_rule_that_changed_holds_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    file.write_text(FILE)
    house = Narthex(Hello(), str(file))
    with Client(house) as client:
        grant = {"role": "user", "permission": "orders:read"}
        assert client.post("/_narthex/access/grants", as_("ada admin"), json=grant).status == 201
        file.write_text(FILE.replace('roles = ["admin"]', 'permissions = ["orders:read"]'))
        client.run(house.reload(str(file)))
        assert client.get("/admin", as_("bob user")).status == 200
        assert client.get("/admin", as_("rob robot")).status == 403
