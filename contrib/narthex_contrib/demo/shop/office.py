"""The back office: figures, every order, and cancelling one. Who may enter is not the shop's business."""

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from .book import Item, Order, OrderBook

router = APIRouter(prefix="/office")


class Figures(BaseModel):
    """How business goes: orders, pieces of each item, and money in cents."""

    orders: int
    pieces: dict[Item, int]
    total_cents: int


@router.get("/figures")
def figures(request: Request) -> Figures:
    """How business goes."""
    orders = _book(request).latest(1_000_000)
    pieces = {item: sum(order.quantity for order in orders if order.item == item) for item in Item}
    return Figures(orders=len(orders), pieces=pieces, total_cents=sum(order.total_cents for order in orders))


@router.get("/orders")
def every_order(request: Request) -> list[Order]:
    """Every order there is, newest first."""
    return _book(request).latest(1_000_000)


@router.delete("/orders/{number}", responses={404: {"description": "No such order."}})
def cancel(number: int, request: Request) -> Order:
    """Take an order out of the book, and return it."""
    order = _book(request).cancel(number)
    if order is None:
        raise HTTPException(404, f"there is no order {number}")
    return order


def _book(request: Request) -> OrderBook:
    book: OrderBook = request.state.book
    return book
