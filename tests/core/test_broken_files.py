"""`narthex check` on files that cannot be followed: one clear message with the line, exit code 2, no traceback."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from narthex.cli import main
from narthex.config import read_text
from narthex.errors import ConfigError

# What is wrong, the file (line 1 is the first below), the line it must name, what the message must say.
BROKEN = {
    "unknown plugin": ("[plugins.loging]\n", 1, ("loging", "did you mean 'logging'?")),
    "unknown key": ('[plugins.logging]\nlevle = "info"\n', 2, ("levle", "level")),
    "unknown key of narthex": ("[narthex]\nopne = []\n", 2, ("opne", "open")),
    "unknown table": ("[narthx]\n", 1, ("narthx",)),
    "wrong type": ('[narthex]\nopen = "/docs"\n', 2, ("open",)),
    "wrong word": ('[narthex]\nserver = "apache"\n', 2, ("server", "uvicorn")),
    "bad duration": ('[narthex]\ndrain = "soon"\n', 2, ("drain",)),
    "bad pattern": ('[narthex]\nopen = ["docs/**"]\n', 2, ("docs/**",)),
    "bad network": ('[narthex]\ntrusted_proxies = ["10.0.0.300"]\n', 2, ("10.0.0.300",)),
    "missing secret": ('[narthex]\nsecret_key = { env = "NOT_SET_ANYWHERE" }\n', 2, ("NOT_SET_ANYWHERE",)),
    "missing secret file": ('[narthex]\nsecret_key = { file = "gone.txt" }\n', 2, ("gone.txt",)),
    "literal secret": ('[narthex]\nsecret_key = "hunter2hunter2"\n', 2, ("secret_key", "env")),
    "bad TOML": ("[narthex]\napp = shop\n", 2, ()),
    "key twice": ('[narthex]\napp = "a:b"\napp = "c:d"\n', 3, ()),
    "bad instance name": ("[plugins.Logging_2]\n", 1, ("Logging_2",)),
    "bad mode": ('[plugins.logging]\nmode = "audit"\n', 2, ("mode", "shadow")),
    "two claim a path": (
        '[plugins.one]\nuse = "tests.faulty:Claims"\n[plugins.two]\nuse = "tests.faulty:Claims"\n',
        3,
        ("one", "two", "/_narthex/claimed/{id}"),
    ),
    "hidden order": ('[plugins.p]\nuse = "tests.faulty:HiddenOrder"\n', 1, ("vet", "order")),
    "hook wrapper": ('[plugins.p]\nuse = "tests.faulty:HookWrapper"\n', 1, ("vet", "wrapper")),
    "misspelt hook": ('[plugins.p]\nuse = "tests.faulty:Misspelt"\n', 1, ("'vett'", "did you mean 'vet'?")),
    "unmarked hook": ('[plugins.p]\nuse = "tests.faulty:Unmarked"\n', 1, ("vet", "@hookimpl")),
    "wrong argument": ('[plugins.p]\nuse = "tests.faulty:WrongArgument"\n', 1, ("vet", "request")),
    "no plugin class": ('[plugins.p]\nuse = "tests.faulty:NotAPlugin"\n', 1, ("Settings",)),
    "no such module": ('[plugins.p]\nuse = "tests.nowhere:Plugin"\n', 1, ("tests.nowhere",)),
    "shadow of nothing": ('[plugins.p]\nuse = "tests.faulty:Watches"\nmode = "shadow"\n', 1, ("shadow",)),
    "no quotes": ("[narthex]\napp = main:app\n", 2, ("texts stand in quotes",)),
    "no list": ('[narthex]\nquiet = "/x"\n', 2, ('write ["/x"]',)),
    "planned plugin": ("[plugins.console]\n", 1, ("planned, not in this release; installed: ",)),
    "plugin without plugins": ("[health]\n", 1, ("did you mean [plugins.health]?",)),
    "key of the house": ('[plugins.health]\nquiet = ["/x"]\n', 2, ("it belongs to [narthex]",)),
    "made with less": ('[plugins.p]\nuse = "tests.faulty:TakesOnlySettings"\n', 1, ("made with (settings, house)",)),
    "raises when made": ('[plugins.p]\nuse = "tests.faulty:Raises"\n', 1, ("no such mood",)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_gets_one_clear_message_with_its_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, line, words = BROKEN[what]
    (tmp_path / "narthex.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["narthex", "check"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as exit_:
        main()
    message = capsys.readouterr().err
    assert exit_.value.code == 2
    assert f"narthex.toml:{line}" in message
    assert all(word in message for word in words), message
    assert "Traceback" not in message
    assert "0x" not in message
    assert "hunter2" not in message


def make_pipe(at: Path) -> None:
    os.mkfifo(at)


def make_device(at: Path) -> None:
    at.symlink_to("/dev/zero")


def make_long(at: Path) -> None:
    at.write_bytes(b"#" * (1024 * 1024 + 1))


def make_loop(at: Path) -> None:
    at.symlink_to(at.name)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is a directory, not a file (did you mean"),
        (make_pipe, "is not a regular file"),
        (make_device, "is not a regular file"),
        (make_loop, "cannot be read: "),
        (make_long, "is longer than 1 MiB"),
    ],
)
def test_what_is_no_readable_file_is_refused_at_once(make: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    file = tmp_path / "narthex.toml"
    make(file)
    with pytest.raises(ConfigError) as refused:
        read_text(file)
    assert str(refused.value).startswith(f"{file}: {words}")


def test_all_mistakes_of_a_file_are_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "narthex.toml").write_text('[narthex]\nopne = []\ndrain = "soon"\nserver = "apache"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["narthex", "check"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit):
        main()
    message = capsys.readouterr().err
    assert all(f"narthex.toml:{line}" in message for line in (2, 3, 4))
