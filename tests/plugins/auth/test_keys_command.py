"""`narthex keys`: on the store of a file, beside servers that run or not. In a process of its own: test_workers."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from narthex.errors import ConfigError
from narthex_plugins.auth.commands.keys import keys
from tests.plugins.auth.site import KEY, site


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    table = '[plugins.auth]\nissuer = "https://shop.example"\nalgorithm = "ES256"\n'
    (tmp_path / "narthex.toml").write_text(table)
    return f"sqlite:///{tmp_path}/narthex.db"


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(keys, arguments, env={"NARTHEX_SECRET_KEY": KEY.reveal(), **environment})


def test_keys_are_rotated_while_a_server_runs(url: str) -> None:
    with site(url) as house:
        made = run("rotate")
        assert made.exit_code == 0, made.stderr
        kid = made.stdout.partition(":")[0]
        house.client.wait_until(lambda: kid in [key.kid for key in house.plugin._keys.kept])
        assert house.plugin._keys.trouble == ""
    again = run("rotate")
    assert (again.exit_code, "waits already" in again.stderr) == (1, True)
    told = json.loads(run("list", "--json").stdout)
    assert [key["kid"] for key in told][-1] == kid
    assert [re.sub(r"from.*", "", key["state"]) for key in told] == ["signs", "published, signs "]


def test_a_withdrawn_key_verifies_no_more_and_another_signs(url: str) -> None:
    with site(url, algorithm="ES256") as house:
        house.add()
        token = house.login()["access_token"]
        [old] = [key.kid for key in house.plugin._keys.kept]
        assert house.me(("authorization", f"Bearer {token}")).status == 200
        assert run("withdraw", "--", old[:16]).exit_code == 0
        house.client.wait_until(lambda: old not in [key.kid for key in house.plugin._keys.kept])
        assert house.me(("authorization", f"Bearer {token}")).status == 401
        assert len(house.plugin._keys.kept) == 1
    assert isinstance(run("withdraw", "nobody's key").exception, ConfigError)


def test_keys_are_sealed_anew_under_a_new_secret_key(url: str) -> None:
    with site(url):
        pass
    new = "another secret key, as long as it must be"
    assert "another secret key" in str(run("rotate", NARTHEX_SECRET_KEY=new).exception)
    done = run("reseal", "--old-env", "FORMER", NARTHEX_SECRET_KEY=new, FORMER=KEY.reveal())
    assert (done.exit_code, "1 keys sealed anew" in done.stdout) == (0, True)
    assert run("rotate", NARTHEX_SECRET_KEY=new).exit_code == 0


@pytest.mark.parametrize("arguments", [["reseal"], ["reseal", "--old-env", "NOT_SET"], ["reseal", "--old-file", "no"]])
def test_what_cannot_be_done_is_an_error_that_shows_no_secret(url: str, arguments: list[str]) -> None:
    with site(url):
        pass
    done = run(*arguments)
    assert isinstance(done.exception, ConfigError)
    assert KEY.reveal() not in f"{done.exception!r}{done.exception}"
