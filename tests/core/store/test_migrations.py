"""Tables go from revision to revision, whole or not at all. Every test runs on both stores."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, event, inspect

from narthex.errors import ConfigError, PluginError, StartError
from narthex.store.migrations import CORE, Ahead, Behind, Loss, Stranger, Tables, UpToDate, WouldLose
from tests.core.store.releases import (
    COMPATIBLE,
    INCOMPATIBLE,
    ITEMS,
    NOW,
    PRICE,
    Site,
    script,
)

PROGRAM = """
import os, sys
from contextlib import nullcontext
from pathlib import Path
from sqlalchemy import MetaData
from narthex.store.address import parse
from narthex.store.engines import writing
from narthex.store.migrations import Tables, upgrade
from narthex.store.turnstile import Turnstile

address = parse(sys.argv[1], Path.cwd())
turn = Turnstile(address.file).passing if address.file else nullcontext
tables = Tables("shop", MetaData(), sys.argv[2])
engine = writing(address)
print("ready", flush=True)
sys.stdin.readline()
print(len(upgrade(engine, [tables], turn)))
"""
SLOWLY = script(
    "b1",
    None,
    "op.create_table('shop_runs', sa.Column('pid', sa.Integer)); time.sleep(0.3); "
    "op.execute(f'INSERT INTO shop_runs VALUES ({os.getpid()})')",
)
KILLED = "os.environ.get('KILL') == revision and os.kill(os.getpid(), 9)"
PARENTS = script(
    "c1",
    None,
    "op.create_table('parents', sa.Column('id', sa.Integer, primary_key=True), sa.Column('old', sa.Integer)); "
    "op.create_table('children', sa.Column('id', sa.Integer, primary_key=True), sa.Column('parent', sa.Integer, "
    "sa.ForeignKey('parents.id', ondelete='CASCADE')))",
)


@pytest.fixture
def site(store_url: str, tmp_path: Path) -> Iterator[Site]:
    site = Site.at(store_url, tmp_path)
    yield site
    site.close()


def start(site: Site, tables: Tables, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, site.url, tables.revisions],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(site.directory), *sys.path)), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# -- up


def test_core_and_plugins_come_to_their_last_revisions(site: Site) -> None:
    shop = site.release(*NOW)
    done = site.upgrade(shop)
    assert [(one.plugin, one.before, one.after) for one in done] == [("core", None, "0001"), ("shop", None, "a2")]
    assert site.columns("shop_items") == ["instance", "name", "price"]
    assert site.standing(shop) == ("a2", UpToDate())


def test_nothing_is_done_twice(site: Site) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    assert site.upgrade(shop) == ()


def test_where_nothing_is_due_nothing_is_written(site: Site) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    said: list[str] = []
    event.listen(site.engine, "before_cursor_execute", lambda *seen: said.append(seen[2].split()[0]))
    site.upgrade(shop)
    assert set(said) <= {"BEGIN", "SELECT", "PRAGMA"}


def test_every_step_is_noted_with_what_it_may_be_run_by(site: Site) -> None:
    site.upgrade(site.release(*NOW, COMPATIBLE))
    noted = site.run(
        "SELECT ordinal, revision, down_revision, compatible FROM narthex_revisions "
        "WHERE plugin = 'shop' ORDER BY ordinal"
    )
    assert [(*row[:3], bool(row[3])) for row in noted] == [
        (1, "a1", None, False),
        (2, "a2", "a1", False),
        (3, "a3", "a2", True),
    ]


def test_two_instances_share_one_set_of_tables(site: Site) -> None:
    shop = site.release(*NOW)
    assert [one.plugin for one in site.upgrade(shop, shop)] == ["core", "shop"]


def test_a_release_with_more_revisions_applies_those_alone(site: Site) -> None:
    site.upgrade(site.release(ITEMS))
    (done,) = site.upgrade(site.release(*NOW))
    assert (done.before, done.after, done.steps) == ("a1", "a2", ("a2",))


def test_one_version_table_for_each_plugin(site: Site) -> None:
    site.upgrade(site.release(*NOW), site.release(ITEMS.replace("shop_", "till_"), name="cash-desk"))
    names = inspect(site.engine).get_table_names()
    assert {"narthex_version_core", "narthex_version_shop", "narthex_version_cash_desk"} <= set(names)


def test_cores_revisions_make_what_its_schema_says(site: Site) -> None:
    site.upgrade()
    with site.engine.connect() as connection:
        ours = {"include_name": lambda name, kind, _: kind != "table" or name in CORE.metadata.tables}
        assert compare_metadata(MigrationContext.configure(connection, opts=ours), CORE.metadata) == []


# -- off and on


@pytest.mark.parametrize("off", ["shop", "cash-desk"])
def test_a_plugin_that_is_off_keeps_its_tables_and_disturbs_no_other(site: Site, off: str) -> None:
    shop, till = site.release(*NOW), site.release(ITEMS.replace("shop_", "till_"), name="cash-desk")
    both = {"shop": shop, "cash-desk": till}
    site.upgrade(shop, till)
    site.run("INSERT INTO shop_items (instance, name) VALUES ('shop', 'tea')")
    site.run("INSERT INTO till_items (instance, name) VALUES ('till', 'coin')")
    assert site.upgrade(*(tables for name, tables in both.items() if name != off)) == ()
    assert site.upgrade(shop, till) == ()
    assert site.run("SELECT name FROM shop_items UNION SELECT name FROM till_items ORDER BY 1") == [("coin",), ("tea",)]


def test_a_plugin_that_was_off_for_a_release_goes_on_where_it_was(site: Site) -> None:
    site.upgrade(site.release(ITEMS))
    site.upgrade()
    (done,) = site.upgrade(site.release(*NOW))
    assert done.steps == ("a2",)


# -- down


def test_down_and_up_again(site: Site) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    done = site.downgrade(shop, "a1")
    assert (done.before, done.after, done.steps) == ("a2", "a1", ("a2",))
    assert site.columns("shop_items") == ["instance", "name"]
    assert isinstance(site.standing(shop)[1], Behind)
    assert site.upgrade(shop)[0].steps == ("a2",)
    assert site.standing(shop) == ("a2", UpToDate())


@pytest.mark.parametrize(("target", "steps"), [("-1", ("a3",)), ("-2", ("a3", "a2")), ("base", ("a3", "a2", "a1"))])
def test_down_by_steps_or_to_the_beginning(site: Site, target: str, steps: tuple[str, ...]) -> None:
    shop = site.release(*NOW, COMPATIBLE)
    site.upgrade(shop)
    assert site.downgrade(shop, target).steps == steps
    left = site.run("SELECT count(*) FROM narthex_revisions WHERE plugin = 'shop'")
    assert left == [(3 - len(steps),)]


@pytest.mark.parametrize("target", ["a2", "a9", "-0", "-4", "head", "+1", ""])
def test_down_to_what_is_not_below_is_refused(site: Site, target: str) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    with pytest.raises(ConfigError, match="it is at 'a2'; before it: base, a1"):
        site.downgrade(shop, target)


def test_down_is_refused_when_rows_would_go_and_changes_nothing(site: Site) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    site.run("INSERT INTO shop_items (name) VALUES ('tea'), ('salt')")
    with pytest.raises(WouldLose) as refused:
        site.downgrade(shop, "base")
    assert refused.value.losses == (Loss("shop_items", 2, "rows"),)
    assert site.run("SELECT count(*) FROM shop_items") == [(2,)]
    assert site.standing(shop) == ("a2", UpToDate())


def test_a_column_counts_only_where_it_is_filled(site: Site) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    site.run("INSERT INTO shop_items (name) VALUES ('tea')")
    assert site.downgrade(shop, "-1").after == "a1"
    site.upgrade(shop)
    site.run("UPDATE shop_items SET price = 3")
    with pytest.raises(WouldLose, match=r"1 value of shop_items\.price would be gone"):
        site.downgrade(shop, "-1")


def test_down_with_a_loss_that_is_meant(site: Site) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    site.run("INSERT INTO shop_items (name) VALUES ('tea')")
    assert site.downgrade(shop, "base", lose=True).after is None
    assert site.columns("shop_items") == []


# -- releases N and N+1


def test_a_release_runs_on_the_next_ones_schema_that_is_compatible(site: Site) -> None:
    before = site.release(*NOW)
    site.upgrade(site.release(*NOW, COMPATIBLE))
    assert site.upgrade(before) == ()
    applied, standing = site.standing(before)
    assert applied == "a3"
    assert isinstance(standing, Ahead)
    assert not standing.blocking
    assert site.columns("shop_items") == ["instance", "name", "price", "stock"]


def test_a_release_refuses_the_next_ones_schema_that_is_not(site: Site) -> None:
    before, after = site.release(*NOW), site.release(*NOW, INCOMPATIBLE)
    site.upgrade(after)
    with pytest.raises(StartError, match=r"'shop' are at revision 'a3'.*narthex db downgrade shop -1"):
        site.upgrade(before)
    site.downgrade(after, "-1")
    assert site.upgrade(before) == ()


def test_one_revision_that_is_not_compatible_is_enough(site: Site) -> None:
    last = script("a4", "a3", "pass", head="compatible = True")
    site.upgrade(site.release(*NOW, INCOMPATIBLE, last))
    with pytest.raises(StartError, match=r"cannot run on 'a3'.*downgrade shop -2"):
        site.upgrade(site.release(*NOW))


def test_a_newer_plugin_does_not_let_an_older_one_be_migrated_half(site: Site) -> None:
    site.upgrade(site.release(*NOW, INCOMPATIBLE))
    till = site.release(ITEMS.replace("shop_", "till_"), name="cash-desk")
    with pytest.raises(StartError):
        site.upgrade(till, site.release(*NOW))
    assert site.columns("till_items") == []


@pytest.mark.parametrize("unknown", ["zz", "a9"])
def test_a_revision_nobody_knows_is_refused(site: Site, unknown: str) -> None:
    shop = site.release(*NOW)
    site.upgrade(shop)
    site.run(f"UPDATE narthex_version_shop SET version_num = '{unknown}'")  # noqa: S608
    assert site.standing(shop) == (unknown, Stranger(unknown))
    with pytest.raises(StartError, match=f"{unknown!r}, of which this release knows nothing"):
        site.upgrade(shop)


def test_a_line_that_went_another_way_is_refused(site: Site) -> None:
    site.upgrade(site.release(ITEMS, script("x2", "a1", "pass", head="compatible = True")))
    with pytest.raises(StartError, match="'x2', of which this release knows nothing"):
        site.upgrade(site.release(*NOW))


def test_down_from_what_a_later_release_made_is_left_to_that_release(site: Site) -> None:
    site.upgrade(site.release(*NOW, COMPATIBLE))
    with pytest.raises(ConfigError, match="downgrade with the release that made it"):
        site.downgrade(site.release(*NOW), "a1")


# -- all or nothing


@pytest.mark.parametrize("where", ["a1", "a2"])
def test_killed_in_the_middle_nothing_has_happened(site: Site, where: str) -> None:
    shop = site.release(*(one.replace("\n\ndef downgrade", f"\n    {KILLED}\n\ndef downgrade") for one in NOW))
    site.upgrade()
    process = start(site, shop, KILL=where)
    process.communicate("go\n")
    assert process.returncode == -9
    assert site.columns("shop_items") == []
    assert site.run("SELECT count(*) FROM narthex_revisions WHERE plugin = 'shop'") == [(0,)]
    assert site.upgrade(shop)[0].steps == ("a1", "a2")


def test_a_revision_that_fails_undoes_every_plugins(site: Site) -> None:
    bad = site.release(script("d1", None, "op.execute('INSERT INTO nowhere VALUES (1)')"), name="bad")
    with pytest.raises(StartError, match=r"the migration of 'bad', revision 'd1', failed: .*nothing was changed"):
        site.upgrade(site.release(*NOW), bad)
    assert site.columns("shop_items") == site.columns("narthex_counters") == []


def test_of_processes_that_start_at_once_one_migrates(site: Site) -> None:
    shop = site.release(SLOWLY)
    processes = [start(site, shop) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(process.communicate()[0] for process in processes) == ["0\n", "0\n", "0\n", "2\n"]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(site.run("SELECT pid FROM shop_runs")) == 1


def test_two_stores_of_one_process_migrate_beside_each_other(tmp_path: Path) -> None:
    sites = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sites.append(Site.at(f"sqlite:///{tmp_path}/{name}/n.db", tmp_path / name))
    releases = [site.release(SLOWLY) for site in sites]
    with ThreadPoolExecutor() as threads:
        list(threads.map(Site.upgrade, sites, releases))
    assert [len(site.run("SELECT pid FROM shop_runs")) for site in sites] == [1, 1]
    for site in sites:
        site.close()


def test_making_a_table_anew_takes_no_rows_along(site: Site) -> None:
    site.upgrade(site.release(PARENTS))
    site.run("INSERT INTO parents (id) VALUES (1)")
    site.run("INSERT INTO children (id, parent) VALUES (1, 1)")
    anew = "with op.batch_alter_table('parents') as batch: batch.drop_column('old')"
    site.upgrade(site.release(PARENTS, script("c2", "c1", anew)))
    assert site.columns("parents") == ["id"]
    assert site.run("SELECT id FROM children") == [(1,)]


def test_rows_are_not_left_referring_to_missing_ones(site: Site) -> None:
    site.upgrade(site.release(PARENTS))
    orphan = "op.execute('INSERT INTO children (id, parent) VALUES (1, 9)')"
    with pytest.raises(StartError, match="children"):
        site.upgrade(site.release(PARENTS, script("c2", "c1", orphan)))
    assert site.run("SELECT id FROM children") == []


def test_foreign_keys_count_again_after_a_migration(site: Site) -> None:
    site.upgrade(site.release(PARENTS))
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        site.run("INSERT INTO children (id, parent) VALUES (1, 9)")


# -- what a plugin may get wrong


@pytest.mark.parametrize("name", ["Shop", "shop_desk", "", "-shop", "a" * 41])
def test_a_name_that_makes_no_version_table_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match="lower-case letters"):
        Tables(name, MetaData(), "anywhere")


@pytest.mark.parametrize(
    ("scripts", "message"),
    [
        ((), "has tables, but no revision in"),
        ((ITEMS, script("a2", "a1", "pass"), script("b2", "a1", "pass")), "not one line .they end in a2, b2"),
        ((ITEMS, script("b1", None, "pass")), "not one line"),
        ((ITEMS, PRICE + "\ndef broken("), "cannot be read: SyntaxError"),
        ((script("a" * 33, None, "pass"),), "more than 32 characters"),
        ((script("a1", None, "pass", head="compatible = 1"),), "neither True nor False"),
        ((ITEMS.replace("def downgrade", "def back"),), "has no function 'downgrade'"),
        ((ITEMS, script("a2", "a1", "pass", head="depends_on = 'a1'")), "says `depends_on`"),
    ],
)
def test_revisions_that_are_not_one_line_are_refused(tmp_path: Path, scripts: tuple[str, ...], message: str) -> None:
    site = Site.at(f"sqlite:///{tmp_path}/n.db", tmp_path)
    with pytest.raises(PluginError, match=message):
        site.upgrade(site.release(*scripts))
    site.close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([Tables("shop", MetaData(), "nowhere.at.all")], "cannot be imported: No module named 'nowhere'"),
        ([Tables("shop", MetaData(), "json.decoder")], "which is not a package"),
        ([Tables("core", MetaData(), "json")], "two plugins have tables under the name 'core'"),
        ([MetaData()], "gave a MetaData"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, given: list[Tables], message: str) -> None:
    site = Site.at(f"sqlite:///{tmp_path}/n.db", tmp_path)
    with pytest.raises(PluginError, match=message):
        site.upgrade(*given)
    site.close()
