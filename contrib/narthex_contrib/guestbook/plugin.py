from typing import ClassVar

from sqlalchemy import Connection, RowMapping, select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from narthex import PUBLIC, Exchange, House, Route, hookimpl
from narthex.store import RisingLog, Tables
from narthex_contrib.guestbook.settings import GuestbookSettings
from narthex_contrib.guestbook.tables import tables, visits


class Guestbook:
    """Keep every visit in the store, and show the latest."""

    name: ClassVar = "guestbook"
    Settings: ClassVar = GuestbookSettings

    def __init__(self, settings: GuestbookSettings, house: House) -> None:
        self._settings = settings
        self._clock = house.clock
        self._store = house.store
        self._book = RisingLog(f"guestbook:{house.instance}", visits)

    @hookimpl
    def tables(self) -> Tables:
        """Give the table of visits."""
        return tables

    @hookimpl
    def routes(self) -> list[Route]:
        """Give the page that shows the book."""
        return [Route(path=self._settings.path, endpoint=self.show, access=PUBLIC, summary="The latest visits.")]

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        """Have the visit written soon. Nobody waits for it; when the queue is full it is dropped and counted."""
        if not exchange.plan.quiet:
            row = {
                "at": self._clock.now(),
                "method": exchange.method[:32],
                "path": _readable(exchange.path[:2000]),
                "status": exchange.status,
                "request_id": exchange.id,
            }
            self._store.post(self._book.appending(row))

    async def show(self, _request: Request) -> Response:
        """Answer with the latest visits, the last one first."""
        rows = await self._store.read(self._latest)
        return JSONResponse(
            [
                {"visit": row["version"], "at": row["at"], "method": row["method"], "path": row["path"]}
                | {"status": row["status"], "request_id": row["request_id"]}
                for row in rows
            ]
        )

    def _latest(self, connection: Connection) -> list[RowMapping]:
        ours = select(visits).where(visits.c.log == self._book.name)
        latest = ours.order_by(visits.c.version.desc()).limit(self._settings.shown)
        return list(connection.execute(latest).mappings())


def _readable(path: str) -> str:
    """A path as any database takes it: PostgreSQL's texts hold no NUL, and none holds half a character."""
    return path.encode(errors="replace").decode().replace("\0", "?")
