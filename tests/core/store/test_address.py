"""Where the store is, as the file says it."""

from pathlib import Path

import pytest

from narthex.errors import ConfigError
from narthex.store.address import parse


def test_a_relative_file_starts_at_the_directory_of_the_configuration(tmp_path: Path) -> None:
    assert parse("sqlite:///data/narthex.db", tmp_path).file == tmp_path / "data" / "narthex.db"
    assert parse("sqlite:////var/narthex.db", tmp_path).file == Path("/var/narthex.db")
    assert parse("sqlite:///narthex.db", Path("relative")).file == Path.cwd() / "relative" / "narthex.db"


def test_a_symbolic_link_is_followed_as_sqlite_follows_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "narthex.db").symlink_to(tmp_path / "real" / "shop.db")
    (tmp_path / "var").symlink_to(tmp_path / "real")
    assert parse("sqlite:///narthex.db", tmp_path).file == tmp_path / "real" / "shop.db"
    assert parse("sqlite:///var/shop.db", tmp_path).file == tmp_path / "real" / "shop.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_reached_by_psycopg_and_hides_its_password(scheme: str, tmp_path: Path) -> None:
    address = parse(f"{scheme}://narthex:hidden@db.example:5433/house", tmp_path)
    assert (address.kind, address.url.drivername, address.file) == ("postgresql", "postgresql+psycopg", None)
    assert (address.url.port, address.url.password) == (5433, "hidden")
    assert "hidden" not in f"{address} {address!r}"


def test_stores_in_memory_are_not_one_another(tmp_path: Path) -> None:
    first, second = parse("memory", tmp_path), parse("memory", tmp_path)
    assert str(first) == "memory"
    assert first.file is None
    assert first.url != second.url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///narthex.db?mode=ro",
        "sqlite+aiosqlite:///narthex.db",
        "postgresql://narthex:hidden@host",
        "postgresql+asyncpg://narthex:hidden@host/house",
        "mysql://narthex:hidden@host/house",
        "narthex:hidden@host/house",
        "Memory",
    ],
)
def test_other_forms_are_refused_without_repeating_them(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, tmp_path)
    assert "hidden" not in str(raised.value)
    assert 'write "memory"' in raised.value.hint
