"""Releases of a plugin called shop: each is a package of revision scripts, written where a test can import it."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import invalidate_caches
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, inspect, text

from narthex.store.address import parse
from narthex.store.engines import writing
from narthex.store.migrations import Applied, Standing, Tables, current, downgrade, upgrade
from narthex.store.turnstile import Turnstile

SCRIPT = """
import os, time
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {after!r}
{head}

def upgrade():
    {up}

def downgrade():
    {down}
"""


def script(id: str, after: str | None, up: str, down: str = "pass", head: str = "") -> str:  # noqa: A002  as Alembic says
    """The text of a revision."""
    return SCRIPT.format(id=id, after=after, up=up, down=down, head=head)


ITEMS = script(
    "a1",
    None,
    "op.create_table('shop_items', sa.Column('instance', sa.String(40)), sa.Column('name', sa.String(40)))",
    "op.drop_table('shop_items')",
)
PRICE = script(
    "a2",
    "a1",
    "op.add_column('shop_items', sa.Column('price', sa.Integer))",
    "op.drop_column('shop_items', 'price')",
)
STOCK = "op.add_column('shop_items', sa.Column('stock', sa.Integer))"
COMPATIBLE = script("a3", "a2", STOCK, "op.drop_column('shop_items', 'stock')", head="compatible = True")
INCOMPATIBLE = script("a3", "a2", STOCK, "op.drop_column('shop_items', 'stock')")
NOW = (ITEMS, PRICE)
"""Release N."""


def shop_metadata() -> MetaData:
    """The tables as release N's code uses them."""
    metadata = MetaData()
    columns = Column("instance", String(40)), Column("name", String(40)), Column("price", Integer)
    Table("shop_items", metadata, *columns)
    return metadata


def write_package(directory: Path, name: str, scripts: Sequence[str]) -> str:
    """Write a package of revisions into a directory that is on the path."""
    package = directory / name
    package.mkdir()
    (package / "__init__.py").touch()
    for number, content in enumerate(scripts):
        (package / f"r{number}.py").write_text(content)
    invalidate_caches()
    return name


@dataclass
class Site:
    """A store and the directory its plugins' packages are in."""

    url: str
    directory: Path
    engine: Engine
    made: int = 0

    @classmethod
    def at(cls, url: str, directory: Path) -> "Site":
        sys.path.insert(0, str(directory))
        return cls(url, directory, writing(parse(url, directory)))

    def close(self) -> None:
        sys.path.remove(str(self.directory))
        self.engine.dispose()

    def release(self, *scripts: str, name: str = "shop") -> Tables:
        """A plugin with these revisions."""
        self.made += 1
        package = f"{name.replace('-', '_')}_{self.directory.name.replace('-', '_')}_{self.made}"
        return Tables(name, shop_metadata(), write_package(self.directory, package, scripts))

    def turn(self) -> AbstractContextManager[None]:
        file = parse(self.url, self.directory).file
        return Turnstile(file).passing() if file is not None else nullcontext()

    def upgrade(self, *tables: Tables) -> tuple[Applied, ...]:
        return upgrade(self.engine, tables, self.turn)

    def downgrade(self, tables: Tables, target: str, *, lose: bool = False) -> Applied:
        return downgrade(self.engine, [tables], tables.name, target, self.turn, lose=lose)

    def standing(self, tables: Tables) -> tuple[str | None, Standing]:
        with self.engine.connect() as connection:
            return current(connection, [tables])[-1][1:]

    def run(self, statement: str) -> list[tuple[object, ...]]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    def columns(self, table: str) -> list[str]:
        """A table's columns; none without the table."""
        with self.engine.connect() as connection:
            return self._columns(connection, table)

    @staticmethod
    def _columns(connection: Connection, table: str) -> list[str]:
        look = inspect(connection)
        return [column["name"] for column in look.get_columns(table)] if look.has_table(table) else []
