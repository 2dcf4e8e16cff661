"""`narthex audit verify`, `prove`, `key` and `erase`, on the store of a file and on what was taken out of it."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from narthex_plugins.audit.checkpoint_settings import PublishSettings
from narthex_plugins.audit.commands.audit import audit
from narthex_plugins.audit.proving import check
from narthex_plugins.audit.record import INTENT
from tests.plugins.audit.logbook import book

KEY = "k" * 40
FILE = PublishSettings(log=False, file="checkpoints.jsonl")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    table = '[narthex]\nstore = "sqlite:///log.db"\n[plugins.audit]\npseudonyms = ["actor"]\n'
    (directory / "narthex.toml").write_text(table)

    async def fill() -> None:
        async with book("sqlite:///log.db", directory, pseudonyms=["actor"], publish=FILE, records=12) as log:
            for _ in range(3):
                await log.fill(10)
                await log.sign()
            lost, kept = (log.record(outcome=INTENT, action="http.PUT") for _ in range(2))
            whole = {"method": "PUT", "status": 200}
            done = kept.replace(id="e" * 32, outcome="success", action="auth.login", details=whole)
            aside = lost.replace(id="f" * 32, outcome="success", action="mail.sent")
            await log.trail.keep([lost, kept, done, aside])

    asyncio.run(fill())
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "log")
    monkeypatch.chdir(tmp_path / "log")
    return tmp_path / "log"


def run(*arguments: str, key: str = KEY) -> Result:
    return CliRunner().invoke(audit, arguments, env={"NARTHEX_SECRET_KEY": key})


def edit(directory: Path, statement: str) -> None:
    with closing(sqlite3.connect(directory / "log.db")) as connection:
        for name in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name[0]}")
        connection.execute(statement)
        connection.commit()


def test_a_whole_log_is_good_and_intents_without_outcome_are_listed(directory: Path) -> None:
    done = run("verify")
    assert done.exit_code == 0, done.output
    assert "34 records" in done.output
    assert "4 of them are not covered" in done.output
    assert "1 intent without a known outcome" in done.output
    report = json.loads(run("verify", "--json", "--checkpoints", "checkpoints.jsonl").output)
    assert (report["finding"], report["records"], report["covered"]) == (None, 34, 30)
    [one] = report["unknown"]
    assert (one["position"], one["action"]) == (30, "http.PUT")


def test_a_record_edited_by_hand_is_named(directory: Path) -> None:
    edit(directory, "UPDATE audit_records_2 SET record = replace(record, 'because', 'BECAUSE') WHERE position = 23")
    done = run("verify")
    assert done.exit_code == 1
    assert "record 23 was changed" in done.output
    assert "23 records before it are as they were recorded" in done.output
    report = json.loads(run("verify", "--json").output)
    assert (report["finding"]["kind"], report["finding"]["first"]) == ("link", 23)
    assert len(report["finding"]["record"]) == 32


def test_an_export_needs_nothing_but_the_public_key(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "key.pem").write_text(run("key").output)
    (directory / "key.hex").write_text(run("key", "--hex").output)
    assert run("export", "--output", "export.jsonl").exit_code == 0
    (directory / "narthex.toml").unlink()
    (directory / "log.db").unlink()
    for key in ("key.pem", "key.hex"):
        done = run(
            "verify", "--export", "export.jsonl", "--public-key", key, "--checkpoints", "checkpoints.jsonl", key=""
        )
        assert done.exit_code == 0, done.output
    lines = (directory / "export.jsonl").read_text().splitlines(keepends=True)
    records = [at for at, line in enumerate(lines) if '"record":' in line]
    for name, changed, says in (
        (
            "changed",
            [*lines[: records[4]], lines[records[4]].replace("because", "BECAUSE"), *lines[records[4] + 1 :]],
            "4",
        ),
        ("cut", lines[: records[25]], "its end was cut off"),
        ("missing", [*lines[: records[4]], *lines[records[5] :]], "record 4 is missing"),
        ("doubled", [*lines[: records[5]], *lines[records[4] :]], "there again"),
        ("unsigned", [line for line in lines if '"checkpoint":' not in line], "nothing in it is signed"),
        ("nonsense", [*lines[: records[5]], "nonsense\n", *lines[records[5] :]], "no line of an export"),
    ):
        (directory / f"{name}.jsonl").write_text("".join(changed))
        known = () if name == "unsigned" else ("--checkpoints", "checkpoints.jsonl")
        options = ("--public-key", "key.pem", *known)
        done = run("verify", "--export", f"{name}.jsonl", *options)
        assert done.exit_code == 1, name
        assert says in done.output, name


def test_an_export_that_was_formatted_anew_is_still_the_log(directory: Path) -> None:
    (directory / "key.pem").write_text(run("key").output)
    run("export", "--output", "export.jsonl")
    lines = [json.loads(line) for line in (directory / "export.jsonl").read_text().splitlines()]
    spread = "\n".join(
        json.dumps(dict(reversed(one.items())), ensure_ascii=True, separators=(" , ", " : ")) for one in lines
    )
    (directory / "spread.jsonl").write_text(spread)
    done = run("verify", "--export", "spread.jsonl", "--public-key", "key.pem")
    assert done.exit_code == 0, done.output


def test_another_key_has_signed_nothing_here(directory: Path) -> None:
    (directory / "key.hex").write_text("ab" * 32)
    done = run("verify", "--public-key", "key.hex")
    assert (done.exit_code, "checkpoint 1 is not signed by the key" in done.output) == (1, True)


def test_a_cut_that_the_store_cannot_know_of_is_seen_from_outside(directory: Path) -> None:
    edit(directory, "DELETE FROM audit_checkpoints WHERE number > 1")
    edit(directory, "DELETE FROM audit_segments WHERE number > 1")
    edit(directory, "DELETE FROM audit_records_1 WHERE position > 9")
    assert run("verify").exit_code == 0
    done = run("verify", "--checkpoints", "checkpoints.jsonl")
    assert (done.exit_code, "its end was cut off" in done.output) == (1, True)


def test_a_proof_is_printed(directory: Path) -> None:
    [first, *_] = json.loads(run("list", "--json", "--action", "http.POST").output)["records"]
    proof = json.loads(run("prove", first["id"]).output)
    assert check(proof, run("key", "--hex").output.strip()) == ""
    for one in ("nobody", json.loads(run("list", "--json").output)["records"][0]["id"]):
        done = run("prove", one)
        assert done.exit_code == 1


def test_who_is_erased_is_not_found_any_more(directory: Path) -> None:
    assert len(json.loads(run("list", "--json", "--actor", "user1").output)["records"]) > 3
    done = run("erase", "user1")
    assert (done.exit_code, "erased" in done.output) == (0, True)
    assert json.loads(run("list", "--json", "--actor", "user1").output)["records"] == []
    [told] = json.loads(run("list", "--json", "--action", "audit.erase").output)["records"]
    assert "user1" not in json.dumps(told)
    assert run("erase", "user1").exit_code == 1
    assert run("verify").exit_code == 0


@pytest.mark.parametrize(
    "text", ["", "nonsense", "ab" * 31, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_key_is_refused(directory: Path, text: str) -> None:
    (directory / "key").write_text(text)
    assert "no public key" in str(run("verify", "--public-key", "key").exception)


def test_a_file_of_checkpoints_that_holds_something_else_is_refused(directory: Path) -> None:
    (directory / "odd").write_text("INFO nothing here\n")
    assert "line 1 holds no checkpoint" in str(run("verify", "--checkpoints", "odd").exception)
    (directory / "odd").write_text('INFO audit checkpoint {"a": 1}\n')
    assert "line 1 is no checkpoint" in str(run("verify", "--checkpoints", "odd").exception)


def test_the_keys_are_sealed_anew_under_another_secret_key(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORMER", KEY)
    new = "n" * 40
    before = run("key").output
    assert "another secret key" in str(run("verify", key=new).exception)
    done = run("reseal", "--old-env", "FORMER", key=new)
    assert (done.exit_code, "8 seals made anew" in done.output) == (0, True), done.output
    assert run("verify", key=new).exit_code == 0
    assert run("key", key=new).output == before
    assert len(json.loads(run("list", "--json", "--actor", "user1", key=new).output)["records"]) > 3
    assert "0 seals" in run("reseal", "--old-env", "FORMER", key=new).output
    assert "nothing was changed" in str(run("reseal", "--old-env", "FORMER", key="x" * 40).exception)
