# mypy: disable-error-code="import-untyped"
"""Django, by ASGI as `app` and by WSGI as `wsgi`."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from narthex import require_auth
from tests.wire.guarded.facts import WRONG, engineer, facts

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x", MIDDLEWARE=[])
django.setup(set_prefix=False)


@engineer
def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("app")


@engineer
async def waiting(request: HttpRequest) -> HttpResponse:
    return HttpResponse("app")


@require_auth
async def auth(request: HttpRequest) -> HttpResponse:
    return HttpResponse("app")


async def who(request: HttpRequest) -> HttpResponse:
    return await asyncio.to_thread(who_plain, request)


def who_plain(request: HttpRequest) -> HttpResponse:
    scope: Any = getattr(request, "scope", None) or request.META["asgi.scope"]
    fields = [(name.removeprefix("HTTP_").replace("_", "-"), value) for name, value in request.META.items()]
    headers = [(name, value) for name, value in fields if isinstance(value, str)]
    told = facts(scope, scope.get("user", NOBODY), scope.get("auth", NOBODY), headers)
    return HttpResponse(json.dumps({**told, "remote_user": request.META.get("REMOTE_USER")}))


def order(request: HttpRequest, id: int) -> HttpResponse:  # noqa: A002  the path's own name for it
    return HttpResponse(id)


NOBODY = SimpleNamespace(is_authenticated=False, display_name="", scopes=[])


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("app")


urlpatterns = [
    path("orders/<int:id>", order),
    path("plain", plain),
    path("waiting", waiting),
    path("auth", auth),
    path("who", who),
    path("who-plain", who_plain),
    *([path("bare", bare)] if WRONG else []),
]
guarded = engineer(bare)  # too late: the table has the bare one
app = get_asgi_application()
wsgi = get_wsgi_application()
