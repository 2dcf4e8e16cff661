"""A Django project in one file, served by its ASGI handler: sync and async views, streams, signals."""

from collections.abc import AsyncIterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from tests.wire.differential.vantage import gate, hear, heard, note

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the differential suite",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.security.SecurityMiddleware"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    LOGGING_CONFIG=None,
)


def _tag(request: HttpRequest) -> str:
    return str(request.headers["x-case"])


def plain(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("plain\n", headers={"X-Odd-CASE": "Yes"})
    response.set_cookie("session", "a")
    response.set_cookie("lang", "de")
    return response


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def status(request: HttpRequest, code: int) -> HttpResponse:
    return HttpResponse(status=code, headers={"etag": '"1"'})


async def huge(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"0123456789abcdef" * 200_000)


async def echo(request: HttpRequest) -> HttpResponse:
    data = request.body
    return HttpResponse(b"%d bytes %.40b\n" % (len(data), data))


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_chunks(_tag(request), "first\n", "second\n", "third\n"))


async def sse(request: HttpRequest) -> StreamingHttpResponse:
    chunks = _chunks(_tag(request), "data: one\n\n", "data: two\n\n")
    return StreamingHttpResponse(chunks, content_type="text/event-stream")


async def leaves(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_watched(_tag(request)))


def raises(request: HttpRequest) -> HttpResponse:
    raise LookupError("raised before the start")


async def raises_late(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[str]:
        yield "first\n"
        raise LookupError("raised after the start")

    return StreamingHttpResponse(chunks())


async def context(request: HttpRequest) -> HttpResponse:
    before = heard()
    hear("set by the app")
    return HttpResponse(before)


def threaded(request: HttpRequest) -> HttpResponse:
    before = heard()
    hear("set in a thread")
    return HttpResponse(before)


async def background(request: HttpRequest) -> HttpResponse:
    """Django's nearest to a background task: a receiver of `request_finished`."""
    tag = _tag(request)

    async def work(**_: object) -> None:
        request_finished.disconnect(dispatch_uid=tag)
        await gate(tag)
        note(tag, "background work done")

    request_finished.connect(work, dispatch_uid=tag, weak=False)
    return HttpResponse("done\n")


async def _chunks(tag: str, first: str, *others: str) -> AsyncIterator[str]:
    yield first
    await gate(tag)
    for other in others:
        yield other


async def _watched(tag: str) -> AsyncIterator[str]:
    try:
        yield "first\n"
        note(tag, "streaming")
        await gate(tag)
        yield "second\n"
    finally:
        note(tag, "clean-up")


urlpatterns = [
    path("plain", plain),
    path("empty", empty),
    path("status/<int:code>", status),
    path("huge", huge),
    path("echo", echo),
    path("stream", stream),
    path("sse", sse),
    path("leaves", leaves),
    path("raises", raises),
    path("raises-late", raises_late),
    path("background", background),
    path("context", context),
    path("threaded", threaded),
]
app = get_asgi_application()
