"""A Django app with one guarded view. Django's settings are one per process, so a view more may stand elsewhere."""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from narthex import require_role

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="x", ROOT_URLCONF=__name__)
    django.setup(set_prefix=False)


@require_role("engineer")
async def secret(request: HttpRequest) -> HttpResponse:
    return HttpResponse("app")


urlpatterns = [path("secret", secret)]
app = get_asgi_application()
