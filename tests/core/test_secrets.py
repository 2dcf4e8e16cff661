import copy
import json
import os
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from narthex.config.settings import Settings
from narthex.errors import ConfigError
from narthex.given import Given
from narthex.secrets import MASK, Secret


class Door(Settings):
    key: Secret
    spare: Secret | None = None
    others: tuple[Secret, ...] = ()


def read(value: object, directory: Path = Path(), environ: dict[str, str] | None = None) -> Secret:
    return Door.model_validate({"key": value}, context=Given(directory, environ or {}, written=True)).key


def refusal(value: object, directory: Path = Path(), environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ValidationError) as caught:
        read(value, directory, environ)
    return caught.value.errors()[0]["msg"]


def test_a_secret_shows_itself_only_when_asked_by_name() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", f"{secret:>20}", " ".join(map(str, [secret]))]
    shown += [repr([secret]), repr(Door(key=secret)), Door(key=secret).model_dump_json(), str(Door(key=secret))]
    assert not any("hunter2" in text for text in shown)
    assert all(MASK in text for text in shown)
    assert secret.reveal() == "hunter2"


def test_a_secret_is_not_pickled() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(Secret("hunter2"), protocol)
    with pytest.raises(TypeError):
        json.dumps(Secret("hunter2"))


def test_a_copy_of_a_secret_is_the_secret() -> None:
    door = Door(key=Secret("hunter2"))
    assert copy.deepcopy(door.key) is copy.copy(door.key) is door.key
    assert door.model_copy(deep=True) == door


def test_secrets_are_equal_by_text_and_to_nothing_else() -> None:
    assert Secret("ü\ud800") == Secret("ü\ud800")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_a_secret_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Secret("a")._text = "b"
    with pytest.raises(AttributeError):
        del Secret("a")._text
    assert not hasattr(Secret("a"), "__dict__")


def test_a_secret_is_read_from_the_environment() -> None:
    assert read({"env": "KEY"}, environ={"KEY": "hunter2\n"}).reveal() == "hunter2\n"


@pytest.mark.parametrize(("data", "text"), [(b"s\n", "s"), (b"s\r\n", "s"), (b"s\n\n", "s\n"), (b" s", " s")])
def test_one_newline_at_the_end_of_a_secret_file_does_not_count(tmp_path: Path, data: bytes, text: str) -> None:
    (tmp_path / "key").write_bytes(data)
    assert read({"file": "key"}, tmp_path).reveal() == text
    assert read({"file": str(tmp_path / "key")}).reveal() == text


def test_where_no_secret_is_the_message_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert refusal({"env": "KEY"}) == "environment variable KEY is not set"
    assert refusal({"env": "KEY"}, environ={"KEY": ""}) == "environment variable KEY is empty"
    assert refusal({"file": "none"}, tmp_path) == 'secret file "none" does not exist'
    assert refusal({"file": "empty"}, tmp_path) == 'secret file "empty" is empty'
    assert refusal({"file": "binary"}, tmp_path) == 'secret file "binary" is not UTF-8 text'
    assert refusal({"file": "."}, tmp_path) == 'secret file "." cannot be read: Is a directory'
    assert "cannot be read" in refusal({"file": "a\0b"}, tmp_path)


def test_a_secret_file_is_not_read_without_end() -> None:
    assert "larger than 1 MiB" in refusal({"file": os.devnull.replace("null", "zero")})


@pytest.mark.parametrize(
    "value", ["hunter2", 5, ["hunter2"], {}, {"env": 1}, {"env": "A", "file": "b"}, {"hunter2": ""}]
)
def test_anything_else_is_refused_and_not_repeated(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        read(value)
    assert "hunter2" not in str(caught.value)


def test_a_config_error_about_a_secret_does_not_hold_it(tmp_path: Path) -> None:
    from narthex.config import load

    file = tmp_path / "narthex.toml"
    file.write_text('[narthex]\nsecret_key = "hunter2"\nstore = "postgresql://u:hunter2@h/d"\nlink = 5\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {"NARTHEX_DRAIN": "x"})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__context__)
