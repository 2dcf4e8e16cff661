"""The endpoints: the queue as JSON, or as a page where a browser asks; retry, cancel, test.

What changes something is refused unless a browser says that the page itself asked for it (`Sec-Fetch-Site`, `Origin`)
or no browser asks at all: a form elsewhere could send no JSON and no header of its own, but it would send cookies.

Source: RFC 9110; OWASP, Cross-Site Request Forgery Prevention, on Fetch Metadata; WHATWG Fetch, "Origin".
"""

import json
import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from narthex import House, Identity, Route
from narthex.context import current_exchange
from narthex.errors import DependencyError
from narthex_plugins.notifications.app import NotifyError
from narthex_plugins.notifications.operating import MOST, Office, Unreadable, Verb
from narthex_plugins.notifications.page import Pages
from narthex_plugins.notifications.settings import NotificationsSettings

READ: Final = "notifications:read"
WRITE: Final = "notifications:write"
_BODY: Final = 16 * 1024
_NO_STORE: Final = {"cache-control": "no-store"}
_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_KNOWN: Final = frozenset({"status", "channel", "limit", "cursor"})
_fields: Final = TypeAdapter(dict[str, str])
_FORM: Final = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


class Endpoints:
    """Serves them.

    Args:
        settings: of the plugin.
        office: does what they say.
        house: says who may what.
    """

    def __init__(self, settings: NotificationsSettings, office: Office, house: House) -> None:
        self._path = settings.path
        self._office = office
        self._house = house
        self._pages = Pages(office.channels, office.statuses, tuple(settings.email))

    def routes(self) -> list[Route]:
        """What is served, where, and who may."""
        path, one = self._path, f"{self._path}/{{id:str}}"
        return [
            Route(path=path, endpoint=self.list, access=READ, summary="Notifications, newest first."),
            Route(path=f"{path}/test", endpoint=self.test, access=WRITE, methods=("POST",), summary="Sends a test."),
            Route(path=one, endpoint=self.show, access=READ, summary="A notification with its attempts."),
            Route(
                path=f"{one}/retry",
                endpoint=self.retry,
                access=WRITE,
                methods=("POST",),
                summary="Has one tried again.",
            ),
            Route(
                path=f"{one}/cancel",
                endpoint=self.cancel,
                access=WRITE,
                methods=("POST",),
                summary="Has one not sent.",
            ),
        ]

    async def list(self, request: Request) -> Response:
        """A page: by `status` and `channel`, `limit` at most 1000, `cursor` as the page before gave it."""
        given = request.query_params
        try:
            _must_be_known(given)
            asked = {name: given.get(name, "") for name in ("status", "channel", "cursor")}
            found = await self._office.page(**asked, limit=_limit(given.get("limit"), 50 if _html(request) else 100))
        except Unreadable as error:
            return refused(400, "request_invalid", str(error))
        except DependencyError as error:
            return _unanswered(error)
        if _html(request):
            return self._pages.list(request.url.path, found, asked, may_write=self._may_write(request))
        return JSONResponse({"notifications": found.rows, "next": found.following}, 200, {**_NO_STORE, **_VARY})

    async def show(self, request: Request) -> Response:
        """One, with its data (secrets taken out) and every attempt."""
        try:
            found = await self._office.one(request.path_params["id"])
        except DependencyError as error:
            return _unanswered(error)
        if found is None:
            return _unknown()
        if _html(request):
            return self._pages.one(request.url.path, found, may_write=self._may_write(request))
        return JSONResponse(found, 200, {**_NO_STORE, **_VARY})

    async def retry(self, request: Request) -> Response:
        """Has one tried again that failed, is dead or was cancelled."""
        return await self._change(request, "retry")

    async def cancel(self, request: Request) -> Response:
        """Has one not sent that is not being sent."""
        return await self._change(request, "cancel")

    async def _change(self, request: Request, verb: Verb) -> Response:
        if not same_origin(request):
            return _foreign()
        identity: Identity | None = request.scope["narthex.identity"]
        try:
            status = await self._office.change(
                verb, request.path_params["id"], None if identity is None else identity.subject
            )
        except DependencyError as error:
            return _unanswered(error)
        if status is None:
            return _unknown()
        if status:
            return refused(409, "notification_settled", f"it is {status}")
        if _form(request):
            return RedirectResponse(request.url.path.rpartition("/")[0], 303, _NO_STORE)
        return JSONResponse({"id": request.path_params["id"]}, 200, _NO_STORE)

    async def test(self, request: Request) -> Response:
        """Queues a test for `channel`, by e-mail to `to` where that is given."""
        if not same_origin(request):
            return _foreign()
        try:
            given = await _given(request)
            id_ = await self._office.test(given.get("channel", ""), given.get("to") or None)
        except (Unreadable, NotifyError) as error:
            return refused(400, "request_invalid", str(error))
        except DependencyError as error:
            return _unanswered(error)
        place = f"{request.url.path.rpartition('/')[0]}/{quote(id_)}"
        if _form(request):
            return RedirectResponse(place, 303, _NO_STORE)
        return JSONResponse({"id": id_}, 202, {**_NO_STORE, "location": place})

    def _may_write(self, request: Request) -> bool:
        identity: Identity | None = request.scope["narthex.identity"]
        return identity is not None and self._house.permissions().has_permission(identity, WRITE)


_VARY: Final = {"vary": "accept"}


def same_origin(request: Request) -> bool:
    """Whether a request that changes something comes from this site, or from no browser."""
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None:
        return fetched in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is not None:
        return "://" in origin and urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    return not (_form(request) or "cookie" in request.headers)  # a browser too old to say anything


def refused(status: int, code: str, why: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as RFC 9457 has it."""
    exchange = current_exchange()
    body: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body |= {"code": code, "detail": why, "incident": "" if exchange is None else exchange.id}
    return JSONResponse(body, status, {**_NO_STORE, **(headers or {})}, media_type="application/problem+json")


async def _given(request: Request) -> Mapping[str, str]:
    """The fields of a form, or of a JSON object."""
    body = b""
    async for some in request.stream():
        body += some
        if len(body) > _BODY:
            raise Unreadable(f"more than {_BODY} bytes")
    try:
        if request.headers.get("content-type", "").startswith(_FORM[0]):
            return {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        found: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Unreadable("the body is neither JSON nor a form") from None
    try:
        return _fields.validate_python(found)
    except ValidationError:
        raise Unreadable('write { "channel": "name" }') from None


def _form(request: Request) -> bool:
    """Whether it was sent by a form, which is to be led on to a page."""
    return request.headers.get("content-type", "").startswith(_FORM)


def _html(request: Request) -> bool:
    """Whether a page is wanted rather than JSON: `text/html` is named, and JSON is not."""
    accept = request.headers.get("accept", "")
    return "text/html" in accept and "application/json" not in accept


def _must_be_known(given: Mapping[str, str]) -> None:
    """A filter with a slip of the pen would show what was not asked for."""
    for name in given:
        if name not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            raise Unreadable(f"{name[:40]}: there is no such parameter; there are {known}")


def _limit(text: str | None, usual: int) -> int:
    if not text:
        return usual
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST:
        raise Unreadable(f"limit: write a number from 1 to {MOST}")
    return int(text)


def _foreign() -> Response:
    return refused(403, "cross_site", "another site asked for this")


def _unknown() -> Response:
    return refused(404, "notification_unknown", "there is no such notification")


def _unanswered(error: DependencyError) -> Response:
    after = {"retry-after": str(max(1, math.ceil(error.retry_after or 1)))}
    return refused(503, error.code, "the store does not answer", after)
