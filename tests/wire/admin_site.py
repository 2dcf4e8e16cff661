# mypy: disable-error-code="import-untyped"
"""Django with its admin site, sessions and static files. `python -m tests.wire.admin_site FILE` makes its database.

ADMIN_DB names the file; two accounts are in it, `ada`, who may do anything, and `bob`, who may not enter.
"""

import os
import sys

import django
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.urls import path

PASSWORD = "open sesame 7"

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("ADMIN_DB", sys.argv[-1])}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        *(f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles"))
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # the quickest: this is a test
    ROOT_URLCONF=__name__,
    SECRET_KEY="x" * 50,
    STATIC_URL="/static/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    TIME_ZONE="UTC",
    USE_TZ=True,
)
django.setup(set_prefix=False)

from django.contrib import admin  # noqa: E402  after the set-up

urlpatterns = [path("admin/", admin.site.urls)]
app = ASGIStaticFilesHandler(get_asgi_application())


def make() -> None:
    """Make the tables and the accounts."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    User.objects.create_superuser("ada", "ada@shop.example", PASSWORD)
    User.objects.create_user("bob", "bob@shop.example", PASSWORD)


if __name__ == "__main__":
    make()
