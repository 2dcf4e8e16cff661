"""A start that fails: the exit code and one clear message, on every server and worker count."""

import signal
import socket
from pathlib import Path

import pytest

from tests.slow import sampled
from tests.wire.narthex_run import SERVERS, begin, narthex_run

HOUSES = [(server, workers) for server in SERVERS for workers in (1, 2)]
each_house = pytest.mark.parametrize(
    ("server", "workers"), sampled(HOUSES, {("uvicorn", 1), ("granian", 2)}.__contains__)
)


def refused(app: str | None, directory: Path, toml: str = "", **options: object) -> tuple[int, str]:
    house = begin(app, directory, toml, **options)
    return house.wait(), house.stderr


@each_house
def test_a_failed_app_start_exits_3_and_says_why_once(server: str, workers: int, tmp_path: Path) -> None:
    house = begin("shop:refusing", tmp_path, server=server, workers=workers)
    assert house.wait() == 3
    # Granian's console log is on standard output.
    assert (house.stdout + house.stderr).count("the database is gone") == 1
    assert house.stderr.endswith("narthex: shop:refusing could not be started; nothing is served\n")


@each_house
def test_an_app_that_cannot_be_imported_exits_3_with_its_own_traceback(
    server: str, workers: int, tmp_path: Path
) -> None:
    code, said = refused("broken:app", tmp_path, server=server, workers=workers)
    assert code == 3
    assert said.count("ValueError: broken on purpose") == 1
    assert "importlib" not in said
    assert "narthex/serve" not in said


@each_house
def test_an_error_in_a_plugins_table_exits_2_with_one_message(server: str, workers: int, tmp_path: Path) -> None:
    code, said = refused("shop:app", tmp_path, "[plugins.health]\nlimitt = 3\n", server=server, workers=workers)
    assert code == 2
    assert said.count("\n") == 1
    assert "narthex.toml:2" in said


@pytest.mark.parametrize("server", sampled(SERVERS, lambda server: server == "hypercorn"))
def test_an_app_that_leaves_while_it_starts_is_a_failed_start(server: str, tmp_path: Path) -> None:
    code, _ = refused("shop:leaving", tmp_path, server=server)
    assert code == 3


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("nowhere:app", "'nowhere:app': there is no module 'nowhere'"),
        ("shop:nothing", "'shop:nothing': module 'shop' has no 'nothing'"),
        ("shop:number", "'shop:number' is an int, not an app"),
        ("shop", "'shop' does not name an app"),
    ],
)
def test_an_app_that_does_not_exist_exits_2(app: str, message: str, tmp_path: Path) -> None:
    code, said = refused(app, tmp_path)
    assert code == 2
    assert said.startswith(message)
    assert said.count("\n") == 1


KEEPER = """
from narthex import Settings, hookimpl
class Keeper:
    name, Settings = "keeper", type("KeeperSettings", (Settings,), {"__module__": __name__})
    def __init__(self, settings, house): house.store
"""


@pytest.mark.parametrize(("plugin", "code"), [("keeper:Keeper", 2), ("health", 0)])
def test_a_store_in_memory_that_is_used_goes_with_one_worker_only(plugin: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "keeper.py").write_text(KEEPER)
    toml = f'[narthex]\nstore = "memory"\n[plugins.any]\nuse = "{plugin}"\n'
    with narthex_run("shop:app", tmp_path, toml, workers=2) as house:
        house.send(signal.SIGTERM)
        assert house.wait() == code
    if code:
        assert house.stderr.startswith(
            f'{tmp_path}/narthex.toml:2: the store is "memory", which several workers cannot share'
        )
        assert house.stderr.count("\n") == 1


def test_what_the_app_itself_misses_is_shown_with_its_traceback(tmp_path: Path) -> None:
    code, said = refused("missing:app", tmp_path)
    assert code == 3
    assert "import not_installed_anywhere" in said


def test_an_error_in_the_file_exits_2_before_anything_is_imported(tmp_path: Path) -> None:
    code, said = refused("broken:app", tmp_path, "[narthex]\nservr = 'uvicorn'\n")
    assert code == 2
    assert said.count("\n") == 1
    assert "narthex.toml:2" in said


def test_no_app_at_all_exits_2_and_says_where_to_name_one(tmp_path: Path) -> None:
    code, said = refused(None, tmp_path)
    assert code == 2
    assert "narthex run module:attribute" in said


@pytest.mark.parametrize("workers", [1, 2])
def test_a_taken_port_exits_3_with_one_message(workers: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused("broken:app", tmp_path, port=port, workers=workers)
    assert code == 3
    assert said == (f"narthex: port {port} on 127.0.0.1 is taken: another program listens there (choose --port)\n")


@pytest.mark.parametrize("server", SERVERS)
def test_a_worker_killed_while_it_starts_ends_everything(server: str, tmp_path: Path) -> None:
    code, said = refused("shop:dying", tmp_path, server=server, workers=2)
    assert code == 3
    assert "was killed by SIGKILL before it served" in said


def test_the_command_line_wins_over_the_files_app(tmp_path: Path) -> None:
    with narthex_run("shop:factory()", tmp_path, '[narthex]\napp = "nowhere:app"\n') as house:
        assert house.get().isdigit()


def test_the_app_of_the_file_is_found_beside_the_file(tmp_path: Path) -> None:
    source = (Path(__file__).parent / "run_apps" / "shop.py").read_text()
    (tmp_path / "beside.py").write_text(source)
    with narthex_run(None, tmp_path, '[narthex]\napp = "beside:app"\n') as house:
        assert house.get().isdigit()
