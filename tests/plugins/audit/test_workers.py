"""Four workers, one log: nothing lost, nothing doubled, each process in its order; and it verifies."""

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from narthex_plugins.audit.commands.audit import audit
from tests.plugins.revocation.workers import Place, place_on
from tests.slow import sampled

ROUNDS = 25
AUDIT = """
[plugins.audit]
checkpoints = { every = "1s" }
"""
Facts = dict[str, Any]


@pytest.fixture(scope="module", params=sampled(["sqlite", "postgresql"], lambda store: store == "sqlite"))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_on(request.param, tmp_path_factory.mktemp("audited"), more=AUDIT) as made:
        yield made


def narthex(directory: Path, *arguments: str) -> Result:
    """`narthex audit ...`, in this process: a new one takes longer than the command."""
    return CliRunner().invoke(audit, [*arguments, "--config", str(directory / "narthex.toml")])


def exported(place: Place) -> list[Facts]:
    """Every line of an export, which has to verify as it is."""
    directory = place.site.directory
    file = directory / "export.jsonl"
    file.unlink(missing_ok=True)
    done = narthex(directory, "export", "--output", str(file))
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_four_workers_write_one_log(place: Place) -> None:
    place.site.connect()
    admin = place.site.login("root")["access_token"]
    alice = place.site.login("alice")
    for number in range(ROUNDS):
        for worker in place.workers:
            worker.send("POST", f"/jobs/{worker.pid}/{number}")
        assert {worker.receive().status for worker in place.workers} == {200}
    body: dict[str, object] = {"token": alice["access_token"]}
    assert place.workers[1].call("POST", "/_narthex/auth/revoke", body=body).status == 200
    assert place.workers[2].call("GET", "/_narthex/revocations", alice["access_token"]).status == 401

    # Each worker writes within moments, and every one tells of the revocation: ask until the last is there.
    def answered() -> bool:
        reply = place.workers[0].insist("GET", "/_narthex/audit?action=revocation.token", admin)
        return len(reply.json()["records"]) >= 1

    place.site.house.until(answered)
    place.site.close()
    place.site.house.send(signal.SIGTERM)
    assert place.site.house.wait() == 0, place.site.house.stderr

    lines = exported(place)
    records = [line for line in lines if "record" in line]
    paths = Counter(line["record"]["resource"] for line in records)
    pids = {worker.pid for worker in place.workers} or {
        int(path.split("/")[2]) for path in paths if path and path.startswith("/jobs/")
    }
    assert [paths[f"/jobs/{pid}/{number}"] for pid in sorted(pids) for number in range(ROUNDS)] == [1] * 4 * ROUNDS
    assert [line["position"] for line in records] == list(range(len(records)))
    kept_order(records)
    told = Counter(line["record"]["action"] for line in records)
    assert (told["revocation.token"], told["auth.login"]) == (1, 2)
    assert len({line["chain"] for line in records}) >= 4
    assert any("checkpoint" in line for line in lines)


def kept_order(records: list[Facts]) -> None:
    """Within a chain sequences count on, and what a process served one after the other stands in that order."""
    chains: dict[str, list[Facts]] = {}
    for line in records:
        chains.setdefault(line["chain"], []).append(line)
    for chain in chains.values():
        assert [line["sequence"] for line in chain] == list(range(1, len(chain) + 1))
        served = [path for line in chain if (path := line["record"]["resource"] or "").startswith("/jobs/")]
        assert len({path.split("/")[2] for path in served}) <= 1
        assert [int(path.split("/")[3]) for path in served] == list(range(len(served)))


def test_the_log_verifies_with_the_store_and_by_an_export_alone(place: Place, tmp_path: Path) -> None:
    directory = place.site.directory
    assert narthex(directory, "verify").exit_code == 0
    exported(place)
    (tmp_path / "key.pem").write_text(narthex(directory, "key").stdout)
    export = tmp_path / "export.jsonl"
    shutil.copy(directory / "export.jsonl", export)
    options = ["--export", str(export), "--public-key", str(tmp_path / "key.pem")]
    assert narthex(directory, "verify", *options).exit_code == 0
    lines = export.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "/jobs/" in line)
    export.write_text("".join([*lines[:at], lines[at].replace("/jobs/", "/jabs/"), *lines[at + 1 :]]))
    done = narthex(directory, "verify", *options)
    assert done.exit_code == 1
    assert (
        f"record {json.loads(lines[at])['position']}" in done.output
        or json.loads(lines[at])["record"]["id"] in done.output
    )
