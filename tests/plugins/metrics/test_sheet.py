"""A sheet outlives its process, is never torn, and never costs a request where the disk is full."""

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from narthex_plugins.metrics.families import Exemplar, Family
from narthex_plugins.metrics.sheet import CHUNK, Sheet, read_example, read_sheet, write_example

SEEN = Family("seen_total", "counter", "Seen.", ("kind",))
DEPTH = Family("depth", "gauge", "Depth.", ())


def refuse(error: OSError) -> None:
    raise AssertionError(error)


def put(sheet: Sheet, family: Family, labels: tuple[str, ...], value: float) -> None:
    chunk, at, place = sheet.take(family.width)
    sheet.name_series(family, labels, place)
    chunk.cells[at] = value


def names(directory: Path) -> list[Path]:
    return list(directory.glob("*.names"))


def test_no_file_is_made_before_something_is_counted(tmp_path: Path) -> None:
    Sheet(tmp_path, refuse)
    assert list(tmp_path.iterdir()) == []


def test_another_reads_what_was_written(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path, refuse)
    put(sheet, SEEN, ("é\n\ud800",), 3.0)
    put(sheet, DEPTH, (), 7.0)
    (file,) = names(tmp_path)
    rows = {(row.family.name, row.labels): list(row.values) for row in read_sheet(file, dead=False)}
    assert rows == {("seen_total", ("é\n\ud800",)): [3.0], ("depth", ()): [7.0]}
    assert [row.family for row in read_sheet(file, dead=True)] == [SEEN]


def test_it_grows_by_chunks_and_every_number_keeps_its_place(tmp_path: Path) -> None:
    sheet, count = Sheet(tmp_path, refuse), 3 * CHUNK // 8 // 64
    for number in range(count):
        put(sheet, SEEN, (str(number),), float(number))
        sheet.take(63)
    (file,) = names(tmp_path)
    assert file.with_suffix(".cells").stat().st_size == 3 * CHUNK
    rows = read_sheet(file, dead=False)
    assert len(rows) == count
    assert all(row.values[0] == float(row.labels[0]) for row in rows)


CRASH = """
import sys
from pathlib import Path
from tests.plugins.metrics.test_sheet import *

sheet = Sheet(Path(sys.argv[1]), refuse)
chunk, at, place = sheet.take(1)
sheet.name_series(SEEN, ("a",), place)
print("ready", flush=True)
while True:
    chunk.cells[at] += 1.0
    if chunk.cells[at] % 1000 == 0:
        print(int(chunk.cells[at]), flush=True)
"""


def test_nothing_that_was_counted_is_lost_to_kill_9(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CRASH, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        told = [child.stdout.readline() for _ in range(50)]
        child.kill()
        told += child.stdout.readlines()
    assert child.wait() == -signal.SIGKILL
    (file,) = names(tmp_path)
    (row,) = read_sheet(file, dead=True)
    whole = [line for line in told if line.endswith("\n")]
    assert row.values[0] >= int(whole[-1]) >= 1000


def test_threads_lose_no_increment(tmp_path: Path) -> None:
    chunk, at, _ = Sheet(tmp_path, refuse).take(1)

    def count() -> None:
        for _ in range(100_000):
            chunk.cells[at] += 1.0

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert chunk.cells[at] == 800_000


def test_a_line_that_a_full_disk_cut_off_hides_no_other(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path, refuse)
    put(sheet, SEEN, ("a",), 1.0)
    (file,) = names(tmp_path)
    with file.open("ab") as cut:
        cut.write(b'["s", 0, ["b')
    put(sheet, SEEN, ("c",), 2.0)
    assert {row.labels for row in read_sheet(file, dead=False)} == {("a",), ("c",)}


def test_a_place_beyond_the_file_is_not_read(tmp_path: Path) -> None:
    put(Sheet(tmp_path, refuse), SEEN, ("a",), 1.0)
    (file,) = names(tmp_path)
    with file.open("ab") as more:
        more.write(b'\n["s", 0, ["b"], 99999999]\n')
    assert [row.labels for row in read_sheet(file, dead=False)] == [("a",)]


@pytest.mark.parametrize("room", [0, CHUNK], ids=["from the start", "after a chunk"])
def test_where_the_disk_is_full_it_goes_on_in_memory_and_says_so_once(tmp_path: Path, room: int) -> None:
    """A limit on the size of files stands in for the disk: both fail where the file is enlarged."""
    told: list[OSError] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    sheet = Sheet(tmp_path, told.append)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        chunks = [sheet.take(CHUNK // 8) for _ in range(4)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(told) == 1
    assert [place >= 0 for _, _, place in chunks] == [bool(room), False, False, False]
    for chunk, at, _ in chunks:
        chunk.cells[at] += 1.0  # memory behind a hole in a full disk would have killed us


def test_no_number_lies_in_a_hole_that_a_full_disk_could_not_fill(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path, refuse)
    for _ in range(3):
        sheet.take(CHUNK // 8)
    (cells,) = tmp_path.glob("*.cells")
    assert cells.stat().st_blocks * 512 >= cells.stat().st_size == 3 * CHUNK


def test_where_names_have_no_room_it_goes_on(tmp_path: Path) -> None:
    told: list[OSError] = []
    sheet = Sheet(tmp_path, told.append)
    put(sheet, SEEN, ("a",), 1.0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        for number in range(10):
            put(sheet, SEEN, (str(number) * 20,), 2.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(told) == 1
    assert ("a",) in {row.labels for row in read_sheet(names(tmp_path)[0], dead=False)}


def test_a_directory_that_is_not_there_is_said_once(tmp_path: Path) -> None:
    told: list[OSError] = []
    sheet = Sheet(tmp_path / "gone", told.append)
    assert [sheet.take(1)[2], sheet.take(1)[2]] == [-1, -1]
    assert len(told) == 1


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    put(Sheet(tmp_path, refuse), SEEN, ("a",), 1.0)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_no_file_is_inherited_by_a_program_that_is_started(tmp_path: Path) -> None:
    sheet = Sheet(tmp_path, refuse)
    put(sheet, SEEN, ("a",), 1.0)
    assert not os.get_inheritable(sheet._names)
    assert not os.get_inheritable(sheet._cells)


def test_an_exemplar_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    chunk, at, _ = Sheet(tmp_path, refuse).take(5)
    assert read_example(chunk.raw, at) is None
    one = Exemplar(0.25, 1_700_000_000.5, "4bf92f3577b34da6a3ce929d0e0e4736")
    write_example(chunk, at, one)
    assert read_example(chunk.raw, at) == one
    chunk.cells[at] += 1.0  # as while it is being written
    assert read_example(chunk.raw, at) is None
