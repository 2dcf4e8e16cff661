"""`narthex reload` and SIGHUP under full load: nothing fails, nothing breaks, and all workers follow or none does."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.slow import sampled
from tests.wire.crowd import crowd
from tests.wire.narthex_run import APPS, LIMIT, House, narthex_run

ROUNDS = int(os.environ.get("RELOADS", "4"))
OFF = '[narthex]\ndrain = "5s"\n'
ON = OFF + '[plugins.logging]\noutput = "log.jsonl"\ncapture = false\n[plugins.health]\n'
BAD = OFF + "[plugins.loging]\n"


def reload(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "narthex", "reload", "--config", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=2 * LIMIT, check=False)


class Load:
    """Requests one after the other over kept connections, from a few threads."""

    def __init__(self, url: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.errors: list[BaseException] = []
        self.with_id = 0
        self._at = urlsplit(url)
        self._over = threading.Event()

    def _run(self) -> None:
        connection = HTTPConnection(self._at.hostname or "", self._at.port, timeout=LIMIT)
        while not self._over.is_set():
            try:
                connection.request("GET", "/")
                with connection.getresponse() as response:
                    response.read()
                    self.statuses[response.status] += 1
                    self.with_id += "x-request-id" in response.headers
            except (OSError, HTTPException) as error:
                self.errors.append(error)
                connection.close()
        connection.close()

    @contextmanager
    def under_way(self, threads: int = 4) -> Iterator[None]:
        running = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in running:
                thread.join()


def every_answer_has_its_id(house: House) -> bool:
    load = Load(house.url)
    with load.under_way():
        house.until(lambda: load.statuses[200] > 100)
    return load.with_id == load.statuses[200]


@pytest.mark.parametrize(
    ("server", "workers"),
    sampled(
        [("uvicorn", 2), ("hypercorn", 2), ("granian", 2), ("uvicorn", 1)],
        lambda house: house == ("uvicorn", 2),
    ),
)
def test_a_plugin_is_switched_on_and_off_under_load_with_streams_open(
    server: str, workers: int, tmp_path: Path
) -> None:
    with narthex_run("lasting:app", tmp_path, OFF, server=server, workers=workers) as house:
        file, load = tmp_path / "narthex.toml", Load(house.url)

        async def main() -> None:
            async with crowd(house.url, streams=50) as opened:
                with load.under_way():
                    for _ in range(ROUNDS):
                        for text, words in ((ON, "added health, logging"), (OFF, "removed health, logging")):
                            file.write_text(text)
                            said = await asyncio.to_thread(reload, file)
                            assert (said.returncode, words in said.stdout) == (0, True), said
                for stream in opened.streams:
                    stream.received.clear()
                    await stream.more()

        asyncio.run(main())
        assert (load.errors, set(load.statuses)) == ([], {200})
        assert 0 < load.with_id < load.statuses[200]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_file_is_refused_with_its_line_and_the_old_chain_stays_everywhere(workers: int, tmp_path: Path) -> None:
    with narthex_run("lasting:app", tmp_path, ON, workers=workers) as house:
        file = tmp_path / "narthex.toml"
        for text, code, words in (
            (BAD, 2, "narthex.toml:3: no plugin is called 'loging'"),
            ("[narthex\n", 2, "is not TOML"),
            (ON.replace("5s", "6s"), 2, "drain has changed, which needs a restart"),
            (ON.replace("log.jsonl", "no/such/log.jsonl"), 3, "plugin logging cannot write to no/such/log.jsonl"),
        ):
            file.write_text(text)
            said = reload(file)
            assert (said.returncode, words in said.stderr) == (code, True), said
            assert every_answer_has_its_id(house)
        house.until(lambda: house.stderr.count("not reloaded, everything is as before") == 4)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_house_that_nobody_hears_any_more_goes_on(workers: int, tmp_path: Path) -> None:
    """Whoever read its standard error is gone; a refusal that cannot be said is still refused."""
    file = tmp_path / "narthex.toml"
    file.write_text(OFF)
    command = [sys.executable, "-P", "-m", "narthex", "run", "lasting:app", "--port=0", f"--workers={workers}"]
    env = {**os.environ, "PYTHONPATH": str(APPS.parents[2])}
    with subprocess.Popen(
        [*command, f"--config={file}"], cwd=APPS, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("narthex: serving" in line for line in process.stderr)
        process.stderr.close()
        codes: list[int] = []
        for text in (BAD, ON, BAD):
            file.write_text(text)
            codes.append(reload(file).returncode)
        process.terminate()
        assert (codes, process.wait(LIMIT)) == ([2, 0, 2], 0)


def test_sighup_to_the_parent_reloads_every_worker(tmp_path: Path) -> None:
    with narthex_run("lasting:app", tmp_path, OFF, workers=2) as house:
        before = house.workers()
        (tmp_path / "narthex.toml").write_text(ON)
        house.send(signal.SIGHUP)
        house.until(lambda: "narthex: reloaded: added health, logging" in house.stderr)
        assert every_answer_has_its_id(house)
        assert house.workers() == before


def answering(house: House) -> set[int]:
    return {int(house.get()) for _ in range(60)}


def test_a_worker_that_dies_while_a_bad_file_lies_there_comes_back_with_the_good_one(tmp_path: Path) -> None:
    with narthex_run("lasting:app", tmp_path, ON, workers=2) as house:
        (tmp_path / "narthex.toml").write_text(BAD)
        killed, other = house.workers()
        os.kill(killed, signal.SIGKILL)
        house.until(lambda: len(answering(house) - {killed, other}) == 1)
        assert '"status":"pass"' in house.get("/readyz").replace(" ", "")


def test_what_is_replaced_after_a_reload_follows_the_new_file(tmp_path: Path) -> None:
    with narthex_run("lasting:app", tmp_path, OFF, workers=2) as house:
        file = tmp_path / "narthex.toml"
        file.write_text(ON)
        assert reload(file).returncode == 0
        file.write_text(OFF)
        killed, other = house.workers()
        os.kill(killed, signal.SIGKILL)
        house.until(lambda: len(answering(house) - {killed, other}) == 1)
        assert every_answer_has_its_id(house)


def test_where_nobody_serves_a_reload_says_so(tmp_path: Path) -> None:
    (tmp_path / "narthex.toml").write_text(OFF)
    said = reload(tmp_path / "narthex.toml")
    assert (said.returncode, "no `narthex run` of this user follows" in said.stderr) == (1, True)


@pytest.mark.parametrize("name", ["run", "run" * 40])  # longer than the address of a socket may be
def test_the_way_in_is_closed_to_others_and_gone_at_the_end(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / name
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with narthex_run("lasting:app", tmp_path, OFF) as house:
        house.until(lambda: list((runtime / "narthex").glob("*.sock")))
        assert (runtime / "narthex").stat().st_mode & 0o777 == 0o700
        assert reload(tmp_path / "narthex.toml").returncode == 0
        house.send(signal.SIGTERM)
        assert house.wait() == 0
    assert not (runtime / "narthex").exists()
