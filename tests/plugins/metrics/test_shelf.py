"""Sheets of the living are read, those of the dead are filed, and nothing is counted twice, lost or left behind."""

import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from narthex_plugins.metrics import shelf as module
from narthex_plugins.metrics.company import Owner, born
from narthex_plugins.metrics.families import Family, Totals
from narthex_plugins.metrics.sheet import Sheet
from narthex_plugins.metrics.shelf import Shelf, find
from tests.plugins.metrics.test_sheet import DEPTH, SEEN, put, refuse

US = Owner(os.getpid(), born(os.getpid()))
LONG_GONE = Owner(os.getpid(), "another boot.1")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path, US, "house")
    made.open()
    yield made
    made.close()


def a_sheet(shelf: Shelf, *, seen: float = 0.0, depth: float = 0.0, kind: str = "a") -> Sheet:
    sheet = Sheet(shelf.directory, refuse)
    put(sheet, SEEN, (kind,), seen)
    put(sheet, DEPTH, (), depth)
    return sheet


def totals(shelf: Shelf) -> dict[str, Any]:
    return {
        name: {labels: values[0] for labels, values in series.items()}
        for name, series in Totals(shelf.rows()).series.items()
    }


def sheets(shelf: Shelf) -> list[Path]:
    return sorted(one for suffix in ("names", "cells") for one in shelf.directory.glob(f"*.{suffix}"))


def test_the_living_add_up(shelf: Shelf) -> None:
    one, other = a_sheet(shelf, seen=1, depth=10), a_sheet(shelf, seen=2, depth=20)
    assert totals(shelf) == {"seen_total": {("a",): 3}, "depth": {(): 30}}
    assert totals(shelf) == totals(shelf)
    assert len(sheets(shelf)) == 4
    del one, other


def test_our_own_is_left_to_us(shelf: Shelf) -> None:
    own = a_sheet(shelf, seen=1)
    assert shelf.rows({own.name}) == []


def test_of_the_dead_counters_stay_gauges_go_and_no_file_is_left(shelf: Shelf) -> None:
    living = a_sheet(shelf, seen=1, depth=10)
    for _ in range(20):
        a_sheet(shelf, seen=2, depth=20).close()
        assert totals(shelf)["depth"] == {(): 10}
        assert len(sheets(shelf)) == 2
    assert totals(shelf)["seen_total"] == {("a",): 41}
    assert len(list(shelf.directory.iterdir())) == 6  # alive, filing, owner, dead.json and the living one's two
    del living


def test_what_was_filed_but_not_removed_is_not_counted_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    a_sheet(shelf, seen=2).close()
    with monkeypatch.context() as killed:
        killed.setattr(Shelf, "_remove", lambda _self, _names: None)  # as by kill -9 between the two steps
        assert totals(shelf)["seen_total"] == {("a",): 2}
    assert len(sheets(shelf)) == 2
    a_sheet(shelf, seen=5).close()
    assert [totals(shelf)["seen_total"] for _ in range(3)] == [{("a",): 7}] * 3
    assert sheets(shelf) == []


def test_where_there_is_no_room_to_file_the_dead_count_all_the_same(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_sheet(shelf, seen=2, depth=9).close()

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(module, "_write", full)
    assert [totals(shelf) for _ in range(2)] == [{"seen_total": {("a",): 2}}] * 2
    assert len(sheets(shelf)) == 2


def test_while_another_files_a_reader_neither_waits_nor_misses_anything(shelf: Shelf) -> None:
    a_sheet(shelf, seen=2).close()
    with shelf._filing() as first, shelf._filing() as second:
        assert (first, second) == (True, False)
        assert totals(shelf)["seen_total"] == {("a",): 2}
    assert len(sheets(shelf)) == 2


def test_a_reader_begins_again_where_a_sheet_is_filed_under_its_eyes(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_sheet(shelf, seen=2).close()
    filing, read = Shelf._filing, Shelf._read
    looked: list[bool] = []

    def filed_meanwhile(*args: Any) -> Any:
        if not looked:
            looked.append(True)
            with monkeypatch.context() as other:  # who reads has `dead.json` without it, and will find no sheet
                other.setattr(Shelf, "_filing", filing)
                totals(shelf)
        return read(*args)

    monkeypatch.setattr(Shelf, "_read", filed_meanwhile)
    monkeypatch.setattr(Shelf, "_filing", lambda _self: nullcontext(False))
    assert totals(shelf)["seen_total"] == {("a",): 2}
    assert sheets(shelf) == []


def test_readers_and_dying_writers_side_by_side_never_see_a_total_fall(shelf: Shelf) -> None:
    code = """
import sys
from pathlib import Path
from tests.plugins.metrics.test_sheet import *
for _ in range(20):
    sheet = Sheet(Path(sys.argv[1]), refuse)
    put(sheet, SEEN, ("a",), 1.0)
    sheet.close()
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(shelf.directory)]) for _ in range(3)]
    seen = [0.0]
    while any(writer.poll() is None for writer in writers):
        seen.append(totals(shelf).get("seen_total", {}).get(("a",), 0.0))
    assert seen == sorted(seen)
    assert totals(shelf)["seen_total"] == {("a",): 60}
    assert sheets(shelf) == []


def test_one_process_leads_until_it_has_ended_whatever_it_has_forked(tmp_path: Path, shelf: Shelf) -> None:
    other = Shelf(tmp_path, US, "house")
    other.open()
    assert (shelf.lead(), other.lead(), shelf.lead()) == (True, False, True)
    waits, goes = os.pipe()
    hears, says = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside the threads of other tests
        child = os.fork()
    if not child:  # lives on, with copies of all that its parent has open
        os.close(goes)
        os.write(says, b".")
        os.read(waits, 1)
        os._exit(0)
    os.read(hears, 1)
    shelf.close()
    led = other.lead()
    for end in (goes, waits, hears, says):
        os.close(end)
    os.waitpid(child, 0)
    other.close()
    assert led


def test_two_houses_of_one_run_do_not_meet(tmp_path: Path, shelf: Shelf) -> None:
    other = Shelf(tmp_path, US, "another house")
    other.open()
    kept = a_sheet(other, seen=1)
    assert shelf.rows() == []
    other.close()
    assert not other.directory.exists()
    del kept


def test_a_run_that_is_over_is_taken_away_by_the_next(tmp_path: Path) -> None:
    old = Shelf(tmp_path, LONG_GONE, "house")
    old.open()
    kept = a_sheet(old, seen=1)
    Shelf(tmp_path, US, "house").open()
    assert old.directory.exists()  # somebody still counts there, whose server is gone
    old._owner = Owner(1, "")
    old.close()
    new = Shelf(tmp_path, US, "house")
    new.open()
    assert not old.directory.exists()
    assert new.rows() == []
    del kept


def test_a_run_whose_server_lives_is_kept_also_while_it_has_no_worker(tmp_path: Path) -> None:
    server = Owner(os.getppid(), born(os.getppid()))
    one = Shelf(tmp_path, server, "house")
    one.open()
    a_sheet(one, seen=3).close()
    one.close()
    Shelf(tmp_path, US, "house").open()
    again = Shelf(tmp_path, server, "house")
    again.open()
    assert totals(again)["seen_total"] == {("a",): 3}


def test_a_reload_hands_the_directory_on(tmp_path: Path, shelf: Shelf) -> None:
    successor = Shelf(tmp_path, US, "house")
    successor.open()
    a_sheet(shelf, seen=3).close()
    shelf.close()
    assert totals(successor)["seen_total"] == {("a",): 3}
    successor.close()
    assert not successor.directory.exists()


@pytest.mark.parametrize("trap", ["open to all", "a link", "a file"])
def test_a_place_that_somebody_else_could_write_in_is_refused(tmp_path: Path, trap: str) -> None:
    home = tmp_path / f"narthex-{os.geteuid()}"
    match trap:
        case "open to all":
            home.mkdir()
            home.chmod(0o777)
        case "a link":
            (tmp_path / "elsewhere").mkdir(0o700)
            home.symlink_to(tmp_path / "elsewhere")
        case _:
            home.write_text("")
    found, errors = find(tmp_path, US, "house")
    assert found is None
    assert len(errors) == 1


def test_where_nothing_can_be_written_there_is_no_shelf_and_a_reason(tmp_path: Path) -> None:
    assert find(tmp_path / "missing", US, "house")[0] is None
    assert "missing" in find(tmp_path / "missing", US, "house")[1][0]


def test_the_dead_that_a_run_without_scrapes_gathers_are_filed_by_the_next_worker(tmp_path: Path, shelf: Shelf) -> None:
    for _ in range(5):
        a_sheet(shelf, seen=1).close()
    found, _ = find(tmp_path, US, "house")
    assert found is not None
    assert sheets(found) == []
    assert totals(found)["seen_total"] == {("a",): 5}
    found.close()


def test_what_a_worker_killed_at_birth_leaves_is_taken_away_later(shelf: Shelf) -> None:
    for young in (False, True):
        for suffix, name in ((".cells", f"1-{young}"), ("", f".1-{young}")):
            file = shelf.directory / f"{name}{suffix}"
            file.touch()
            if not young:
                os.utime(file, (time.time() - 3600,) * 2)
    a_sheet(shelf, seen=1).close()
    shelf.rows()
    left = {file.name for file in shelf.directory.iterdir()}
    assert {".1-True", "1-True.cells"} <= left
    assert not {".1-False", "1-False.cells"} & left


def test_a_series_of_the_dead_keeps_its_buckets(shelf: Shelf) -> None:
    took = Family("took_seconds", "histogram", "Took.", (), (0.1,))
    sheet = Sheet(shelf.directory, refuse)
    chunk, at, place = sheet.take(took.width)
    sheet.name_series(took, (), place)
    chunk.cells[at], chunk.cells[at + 1], chunk.cells[at + 2] = 1.0, 2.0, 3.5
    sheet.close()
    shelf.rows()
    assert Totals(shelf.rows()).series["took_seconds"] == {(): [1.0, 2.0, 3.5]}
    assert json.loads((shelf.directory / "dead.json").read_text())["rows"] == [[0, [], [1.0, 2.0, 3.5]]]


def test_a_directory_that_is_taken_away_is_noticed(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(shelf.directory)
    assert [shelf.rows(), shelf.rows()] == [[], []]
    assert (shelf.lost, len(caplog.records)) == (True, 1)
