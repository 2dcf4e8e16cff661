# mypy: disable-error-code="import-untyped, untyped-decorator"
# Django ships no types.

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests.wire.apps.marks import PUBLIC, admin

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    LOGGING_CONFIG=None,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup(set_prefix=False)


@csrf_exempt
def guarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse(admin("django"))


def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PUBLIC)


def item(request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002  the path's own name for it
    return HttpResponse(id)


urlpatterns = [
    path("admin", guarded),
    path("admin/users", guarded),
    path("public", public),
    path("items/<str:id>", item),
]
app = get_asgi_application()
