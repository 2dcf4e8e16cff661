"""The order book: one SQLite table, one short-lived connection per call, safe from any thread."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Item(StrEnum):
    """What the shop sells."""

    LANTERN = "lantern"
    MAP = "map"
    ROPE = "rope"


PRICES = {Item.LANTERN: 3900, Item.MAP: 800, Item.ROPE: 1250}
"""Price of one piece, in cents."""


class NewOrder(BaseModel):
    """What a customer sends."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    customer: str = Field(min_length=1, max_length=80, examples=["Ada"])
    item: Item = Field(examples=["lantern"])
    quantity: int = Field(1, ge=1, le=100)


class Order(BaseModel):
    """What the book keeps: money in cents, times in UTC, no `confirmed_at` until the confirmation is out."""

    id: int
    customer: str
    item: Item
    quantity: int
    total_cents: int
    placed_at: datetime
    confirmed_at: datetime | None


_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer TEXT NOT NULL,
    item TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    total_cents INTEGER NOT NULL,
    placed_at TEXT NOT NULL,
    confirmed_at TEXT
)
"""


class OrderBook:
    """Orders in a SQLite file, which is made when it is missing.

    Args:
        path: the file; its directory must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as database:
            database.execute(_SCHEMA)

    def place(self, new: NewOrder) -> Order:
        """Write a new order down and return it as it was kept."""
        row = (new.customer, new.item, new.quantity, PRICES[new.item] * new.quantity, _now())
        with self._connect() as database:
            database.execute("INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, NULL)", row)
            kept = database.execute("SELECT * FROM orders WHERE id = last_insert_rowid()").fetchone()
        return Order.model_validate(dict(kept))

    def get(self, number: int) -> Order | None:
        """Return one order, or None if there is none of that number."""
        with self._connect() as database:
            row = database.execute("SELECT * FROM orders WHERE id = ?", (number,)).fetchone()
        return None if row is None else Order.model_validate(dict(row))

    def latest(self, limit: int, before: int | None = None) -> list[Order]:
        """Return up to `limit` orders, newest first, with numbers below `before` if that is given."""
        with self._connect() as database:
            rows = database.execute(
                "SELECT * FROM orders WHERE id < coalesce(?, id + 1) ORDER BY id DESC LIMIT ?",
                (before, limit),
            ).fetchall()
        return [Order.model_validate(dict(row)) for row in rows]

    def count(self) -> int:
        """Return how many orders there are."""
        with self._connect() as database:
            (number,) = database.execute("SELECT count(*) FROM orders").fetchone()
        return int(number)

    def confirm(self, number: int) -> None:
        """Note that the confirmation of an order is out; a second call changes nothing."""
        with self._connect() as database:
            database.execute(
                "UPDATE orders SET confirmed_at = ? WHERE id = ? AND confirmed_at IS NULL", (_now(), number)
            )

    def cancel(self, number: int) -> Order | None:
        """Take an order out and return it, or None if there is none of that number."""
        with self._connect() as database:
            row = database.execute("DELETE FROM orders WHERE id = ? RETURNING *", (number,)).fetchone()
        return None if row is None else Order.model_validate(dict(row))

    @contextmanager
    def _connect(self) -> Generator[sqlite3.Connection]:
        database = sqlite3.connect(self._path, timeout=10)
        database.row_factory = sqlite3.Row
        try:
            with database:  # one transaction: commit, or roll back on an exception
                yield database
        finally:
            database.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
