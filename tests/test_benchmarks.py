"""The benchmarks run and say what they say they say. No time is judged here."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import registered, select
from benchmarks.lifespan import started
from benchmarks.measure import check
from benchmarks.rows import access_log
from benchmarks.stats import Blocks
from benchmarks.traffic import Requests, bare
from narthex import Narthex


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks", *arguments]
    root = Path(__file__).parent.parent
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=root)


def answer(app: ASGIApp) -> None:
    async def once() -> None:
        async with started(app):
            await check(app, Requests(), "the app")

    asyncio.run(once())


def test_a_run_prints_a_table_and_writes_every_row_with_its_peer(tmp_path: Path) -> None:
    file = tmp_path / "new" / "result.json"
    done = run("--only", "narthex, no plugin", "--rounds", "3", "--no-wire", "--json", str(file))
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    names = [row["name"] for row in result["rows"]]
    assert names == ["bare app", "pass-through, wraps send", "narthex, no plugin"]
    assert [(one["row"], one["peer"], one["at_most"]) for one in result["ratios"]] == [
        ("narthex, no plugin", "pass-through, wraps send", 2.5)
    ]
    assert all(name in done.stdout for name in names)


def test_rows_are_served_by_uvicorn_and_driven(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    done = run("--only", "pass-through, wraps send", "--rounds", "2", "--quick", "--json", str(file))
    assert done.returncode == 0, done.stderr
    served = json.loads(file.read_text())["wire"]
    assert [one["name"] for one in served] == ["bare app", "pass-through, wraps send"]
    assert all(one["per_second"] > 0 for one in served)


def test_a_profile_names_the_functions_of_the_row() -> None:
    done = run("--profile", "narthex, an observer", "--requests", "100")
    assert done.returncode == 0, done.stderr
    assert "benchmarks/guests.py" in done.stdout


@pytest.mark.parametrize("option", ["--only", "--profile"])
def test_a_row_that_is_not_there_is_a_usage_error(option: str) -> None:
    done = run(option, "nobody")
    assert done.returncode == 2
    assert "nobody" in done.stderr


def test_the_peer_writes_the_fields_that_narthex_writes(tmp_path: Path) -> None:
    plain, tuned, ours = (tmp_path / name for name in ("plain", "tuned", "ours"))
    to = access_log.handler(access_log.formatter(), str(plain))
    answer(access_log.AccessLog(bare, access_log.plain_write("test.plain", to)))
    to_tuned = access_log.tuned_handler(str(tuned))
    answer(access_log.AccessLog(bare, access_log.tuned_write("test.tuned", to_tuned)))
    answer(Narthex(bare, {"plugins": {"logging": {"output": str(ours), "capture": False}}}))
    to.stream.close()
    to_tuned.stream.close()
    lines = [json.loads(file.read_text()) for file in (plain, tuned, ours)]
    assert set(lines[0]) == set(lines[1]) == set(lines[2])
    assert {line["message"] for line in lines} == {"GET /orders/0 200"}


def test_a_selection_brings_its_peers_along() -> None:
    names = {row.name for row in select(["narthex, logging"])}
    assert {"bare app", access_log.PLAIN, access_log.TUNED} < names < set(registered())


def test_what_all_candidates_share_cancels_in_the_ratio() -> None:
    noise = [1.0, 1.0, 1.1, 1.0, 5.0, 1.0, 1.2, 9.0, 1.0, 1.0]
    blocks = Blocks({"bare": noise, "one": [2 * cost for cost in noise], "two": [3 * cost for cost in noise]})
    assert blocks.cost("two").value == 3.0
    ratio = blocks.ratio("two", "bare", "one", "bare")
    assert ratio.low <= ratio.value == 2.0 <= ratio.high


def test_the_store_is_measured_beside_its_peers(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    done = run("--only", "store", "--rounds", "2", "--json", str(file))
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())["store"]
    names = {row["name"] for row in found["rows"]} | set(found["skipped"])
    assert {"store, 64 waiters", "sqlite3, one commit per record", "asyncpg pool of 10, 64 waiters"} <= names
    assert all(row["value"] > 0 for row in found["rows"])
    assert found["fsync_p50_ms"] > 0
    assert list(tmp_path.iterdir()) == [file]
