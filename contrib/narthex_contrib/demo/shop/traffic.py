"""What flows: a file coming in, a ledger going out, ticks once a second, a chat."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from .book import PRICES, OrderBook

PIECE = 256 * 1024
"""Bytes read from an upload at a time."""

ROWS_PER_CHUNK = 1000

router = APIRouter()


class Received(BaseModel):
    """What arrived of an upload; the content itself is not kept."""

    name: str
    size: int
    sha256: str


@router.post("/upload")
async def upload(file: UploadFile) -> Received:
    """Measure and hash a file, piece by piece, whatever its size."""
    size, digest = 0, hashlib.sha256()
    while piece := await file.read(PIECE):
        size += len(piece)
        digest.update(piece)
    return Received(name=file.filename or "unnamed", size=size, sha256=digest.hexdigest())


@router.get("/download", response_class=StreamingResponse)
async def download(rows: Annotated[int, Query(ge=0, le=5_000_000)] = 200_000) -> StreamingResponse:
    """A ledger as CSV, written while it is being sent: in memory there is never more than a chunk of it."""
    headers = {"content-disposition": 'attachment; filename="ledger.csv"'}
    return StreamingResponse(ledger(rows), media_type="text/csv", headers=headers)


async def ledger(rows: int) -> AsyncIterator[str]:
    """Give the ledger in chunks of about 25 KiB, the same text at every call."""
    yield "line,item,quantity,total_cents\n"
    items = list(PRICES)
    for start in range(1, rows + 1, ROWS_PER_CHUNK):
        numbers = range(start, min(start + ROWS_PER_CHUNK, rows + 1))
        picks = ((n, items[n % len(items)], n % 7 + 1) for n in numbers)
        yield "".join(f"{n},{item},{quantity},{PRICES[item] * quantity}\n" for n, item, quantity in picks)
        await asyncio.sleep(0)  # a server may take a chunk without suspending: let others in, and notice who left


@router.get("/stream", response_class=StreamingResponse)
async def stream(
    request: Request,
    count: Annotated[int | None, Query(ge=1, description="Stop after so many ticks.")] = None,
) -> StreamingResponse:
    """Server-sent events: once a second, how many orders there are."""
    return StreamingResponse(
        ticks(request.state.book, count),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def ticks(book: OrderBook, count: int | None) -> AsyncIterator[str]:
    """Give the first event at once and the next ones a second apart, for ever or `count` of them."""
    number = 0
    while True:
        number += 1
        data = json.dumps({"tick": number, "orders": await asyncio.to_thread(book.count)})
        yield f"id: {number}\nevent: tick\ndata: {data}\n\n"
        if number == count:
            return
        await asyncio.sleep(1)


class Room:
    """Everyone who is in the chat of this process."""

    def __init__(self) -> None:
        self._present: set[WebSocket] = set()

    def enter(self, guest: WebSocket) -> None:
        """Let a guest hear what is said from now on."""
        self._present.add(guest)

    def leave(self, guest: WebSocket) -> None:
        """Let a guest go; one who is not there is no error."""
        self._present.discard(guest)

    async def say(self, message: dict[str, object]) -> None:
        """Tell everyone, the speaker too. A guest whose line has just broken is let go."""
        message = {**message, "present": len(self._present)}
        for guest in tuple(self._present):
            try:
                await guest.send_json(message)
            except (WebSocketDisconnect, RuntimeError):  # RuntimeError: closed by us a moment ago
                self.leave(guest)


@router.websocket("/ws")
async def chat(socket: WebSocket, name: Annotated[str, Query(max_length=40)] = "guest") -> None:
    """Say to the room what each one says, until they leave."""
    room: Room = socket.state.room
    await socket.accept()
    room.enter(socket)
    try:
        await room.say({"event": "entered", "name": name})
        async for text in socket.iter_text():
            await room.say({"event": "said", "name": name, "text": text[:500]})
    finally:
        room.leave(socket)
        await room.say({"event": "left", "name": name})
