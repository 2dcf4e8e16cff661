"""The app: its life, the page, the orders, and one endpoint that fails.

`SHOP_DATA` names the directory of its data, `./shop-data` by default; it is made at start.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, TypedDict

from fastapi import BackgroundTasks, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from . import office, traffic
from .book import Item, NewOrder, Order, OrderBook

log = logging.getLogger("shop")

PAGE = Path(__file__).with_name("page.html").read_text(encoding="utf-8")


class State(TypedDict):
    """What the lifespan shares with every request, as `request.state`."""

    book: OrderBook
    room: traffic.Room


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[State]:
    """Open the order book and the chat room."""
    book = await asyncio.to_thread(open_book, Path(os.environ.get("SHOP_DATA", "shop-data")))
    log.info("the shop is open, %d in the book", book.count())
    yield {"book": book, "room": traffic.Room()}
    log.info("the shop is closed")


app = FastAPI(
    title="Order desk",
    version="1.0",
    summary="A small shop: orders, files, streams, a chat.",
    lifespan=lifespan,
)
app.include_router(traffic.router)
app.include_router(office.router)


@app.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    """The page that clicks through everything below."""
    return HTMLResponse(PAGE)


@app.get("/api/orders")
def list_orders(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[int | None, Query(ge=1, description="Only orders with a lower number.")] = None,
) -> list[Order]:
    """The latest orders, newest first."""
    return _book(request).latest(limit, before)


@app.post("/api/orders", status_code=201)
def place_order(new: NewOrder, request: Request, response: Response, tasks: BackgroundTasks) -> Order:
    """Place an order. Its confirmation goes out after the answer."""
    order = _book(request).place(new)
    log.info("order %d placed: %d x %s", order.id, order.quantity, order.item)
    response.headers["location"] = str(request.url_for("get_order", number=order.id))
    tasks.add_task(confirm, _book(request), order.id)
    return order


@app.get("/api/orders/{number}", responses={404: {"description": "No such order."}})
def get_order(number: int, request: Request) -> Order:
    """One order; `confirmed_at` is empty until the confirmation is out."""
    order = _book(request).get(number)
    if order is None:
        raise HTTPException(404, f"there is no order {number}")
    return order


@app.get("/fail")
def fail() -> None:
    """Fail as real code fails: an exception nobody expected."""
    log.warning("about to look into a till that is not there")
    till: dict[str, int] = {}
    till["cash"] += 1


def open_book(directory: Path) -> OrderBook:
    """Open the order book in a directory that is made if need be; an empty book gets a first order."""
    directory.mkdir(parents=True, exist_ok=True)
    book = OrderBook(directory / "orders.db")
    if not book.count():
        book.confirm(book.place(NewOrder(customer="Ada", item=Item.LANTERN, quantity=1)).id)
    return book


async def confirm(book: OrderBook, number: int) -> None:
    """Send the confirmation of an order: half a second of pretended work, then a note in the book."""
    await asyncio.sleep(0.5)
    await asyncio.to_thread(book.confirm, number)
    log.info("order %d confirmed", number)


def _book(request: Request) -> OrderBook:
    book: OrderBook = request.state.book
    return book
