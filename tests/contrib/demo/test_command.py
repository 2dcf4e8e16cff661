"""`narthex demo` as a person and as a shell meet it."""

import importlib.util
import re
import signal
import socket
import subprocess
import tomllib
from pathlib import Path

import httpx
import pytest
import typer

from narthex_contrib.demo import accounts, command, tour
from tests.contrib.demo.conftest import NARTHEX, Served, free_port, served


def test_the_tour_goes_to_standard_error_and_the_log_to_standard_output(behind: Served) -> None:
    told = behind.told.read_text("utf-8")
    assert f"curl http://{behind.address}/api/orders\n" in told
    assert "\x1b" not in told
    assert "curl" not in behind.out.read_text("utf-8")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_no_error_and_leaves_nothing_behind(tmp_path: Path, how: signal.Signals) -> None:
    with served((*NARTHEX, "demo", "--port", str(free_port())), tmp_path, TMPDIR=str(tmp_path)) as demo:
        assert httpx.get(f"http://{demo.address}/api/orders").status_code == 200
        assert list(tmp_path.glob("narthex-demo-*/orders.db"))
        demo.process.send_signal(how)
        assert demo.process.wait(20) == 0
        assert demo.lines()[-1]["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "told"]


def test_a_directory_that_was_chosen_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "mine"
    with served((*NARTHEX, "demo", "--port", str(free_port())), tmp_path, SHOP_DATA=str(data)) as demo:
        assert httpx.get(f"http://{demo.address}/api/orders/1").json()["customer"] == "Ada"
    assert (data / "orders.db").exists()


def test_a_taken_port_is_one_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = (*NARTHEX, "demo", "--port", str(taken.getsockname()[1]))
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert "taken" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "NEEDED", ("fastapi", "no_such_module"))
    with pytest.raises(typer.Exit) as left:
        command.demo()
    assert left.value.exit_code == 2
    assert capsys.readouterr().err == "the demo needs no_such_module: pip install 'narthex[demo]'\n"


def test_everything_it_needs_is_what_it_looks_for() -> None:
    assert all(importlib.util.find_spec(module) for module in command.NEEDED)


def test_colour_is_the_only_difference_on_a_terminal() -> None:
    shown = tour.groups("http://127.0.0.1:8000", Path("/usr/bin"), Path("/etc/narthex.toml"))
    coloured = "\n".join(tour.lines(shown, colour=True))
    assert re.sub(r"\x1b\[\d*m", "", coloured) == "\n".join(tour.lines(shown, colour=False))


@pytest.mark.parametrize(
    ("host", "typed"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("fe80::1", "[fe80::1]")]
)
def test_the_tour_names_an_address_that_can_be_reached(host: str, typed: str) -> None:
    assert command.reachable(host) == typed


def test_the_commands_of_the_tour_work_as_they_stand(behind: Served, tmp_path: Path) -> None:
    programs = Path(NARTHEX[0]).parent
    shown = tour.groups(f"http://{behind.address}", programs, command.CONFIG)
    curls = [line for _, lines in shown for line in lines if "curl" in line and "/stream" not in line]
    for line in curls:
        short = line.replace("rows=2000000", "rows=20")
        done = subprocess.run(
            ["sh", "-c", short], capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(("{", "[", "#", "HTTP/1.1 200", "Internal")) or "-o" in line, done.stdout
    assert len((tmp_path / "ledger.csv").read_text().splitlines()) == 21


def test_who_logs_in_as_the_tour_says_is_known_and_refreshed_and_logged_out(behind: Served, tmp_path: Path) -> None:
    told = [line.strip() for line in behind.told.read_text("utf-8").splitlines()]
    lines = [line for line in told if "/_narthex/auth/" in line or "jwks.json" in line or " keys rotate " in line]
    lines = [line for line in lines if ".jar" not in line]
    # The port that the tour names was asked for, so it is the one that is served.
    results = [
        subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=True).stdout
        for line in lines
    ]
    assert [result[:16] for result in results[:4]] == [
        '{"access_token":',
        '{"subject":"' + results[1][12:16],
        '{"access_token":',
        '{"logged_out":tr',
    ]
    assert ('"roles":["user"]' in results[1], results[4][:8], "made" in results[5]) == (True, '{"keys":', True)


def test_each_of_the_accounts_has_its_role(behind: Served) -> None:
    drawn = dict(re.findall(r"^  (\w+), (\w+): \S+$", behind.told.read_text("utf-8"), re.MULTILINE))
    assert drawn == dict(accounts.ROLES)


def test_a_second_start_on_the_same_data_keeps_the_accounts(tmp_path: Path) -> None:
    first = accounts.make(accounts.settle(command.CONFIG, tmp_path))
    assert list(first) == list(accounts.ROLES)
    assert accounts.make(accounts.settle(command.CONFIG, tmp_path)) == {}


def test_every_table_of_its_file_says_what_it_is_in_one_line() -> None:
    text = command.CONFIG.read_text("utf-8")
    tables = re.findall(r"^\[([\w.-]+)\](.*)$", text, re.MULTILINE)
    assert [name for name, _ in tables] == ["narthex", *(f"plugins.{name}" for name in tomllib.loads(text)["plugins"])]
    assert all(comment.startswith("  # ") for _, comment in tables)
