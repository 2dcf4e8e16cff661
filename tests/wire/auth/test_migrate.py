"""The tables of docs/howto/migrate.md, against a provider that says what Keycloak and Auth0 say, and a real Django.

Each house first runs in shadow mode, where everything passes and is counted, and then without.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.wire.auth.oidc_provider import LIMIT, OidcProvider, installed, oidc_provider
from tests.wire.narthex_run import House, narthex_run
from tests.wire.servers import ROOT, free_port, launch

PAGE: Final = (ROOT / "docs" / "howto" / "migrate.md").read_text()
HOUSE: Final = """
[narthex]
store = "memory"

[plugins.auth]
{mode}
issuer = "https://own.example"
timeout = "60s"

{issuer}
insecure_http = true
fetch_timeout = "60s"
wait = "30s"

[plugins.access]
{mode}
rules = [
    {{ path = "/orders", roles = ["user"] }},
    {{ path = "/reports/**", roles = ["engineer"] }},
    {{ path = "/admin/**", roles = ["admin"] }},
    {{ path = "/orders/read", permissions = ["orders:read"] }},
]
"""
PATHS: Final = ("/orders", "/reports/june", "/admin/x", "/orders/read")


def block(title: str) -> str:
    """A file of the page."""
    (text,) = re.findall(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', PAGE, re.DOTALL)
    return str(text)


@contextmanager
def house(directory: Path, table: str, *, shadow: bool) -> Generator[House]:
    text = HOUSE.format(issuer=table, mode='mode = "shadow"' if shadow else "")
    with narthex_run("shop:app", directory, text) as running:
        assert running.url, running.stderr
        yield running


def statuses(running: House, token: str = "") -> list[int]:
    """What the bearer is answered at each of the paths."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(trust_env=False, timeout=LIMIT, base_url=running.url, headers=headers) as client:
        return [client.get(path).status_code for path in PATHS]


def denials(running: House, admin: str) -> dict[str, int]:
    """Path pattern to would-be refusals."""
    with httpx.Client(trust_env=False, timeout=LIMIT) as client:
        reply = client.get(f"{running.url}/_narthex/access/denials", headers={"authorization": f"Bearer {admin}"})
    assert reply.status_code == 200, reply.text
    counted = Counter[str]()
    for row in reply.json()["denials"]:
        counted[row["rule"].split()[-1]] += row["count"]
    return dict(counted)


@pytest.fixture(scope="module")
def provider() -> Generator[OidcProvider]:
    installed()
    with oidc_provider(free_port()) as running:
        yield running


def keycloak(provider: OidcProvider, *roles: str, **more: object) -> str:
    """A token as Keycloak makes it."""
    access = {"realm_access": {"roles": ["offline_access", "default-roles-shop", *roles]}}
    provider.says({"typ": "JWT"}, {"aud": ["shop", "account"], "typ": "Bearer", **access, **more})
    return provider.token()


def test_roles_of_keycloak(provider: OidcProvider, tmp_path: Path) -> None:
    table = block("keycloak.toml").replace("https://sso.example/realms/shop", provider.url)
    user, admin = keycloak(provider), keycloak(provider, "shop-admin")
    engineer = keycloak(provider, resource_access={"shop": {"roles": ["shop-engineer"]}})
    identity = keycloak(provider, "shop-admin", typ="ID")
    stranger = keycloak(provider, "shop-admin", aud="account")
    itself = keycloak(provider, "admin", "engineer", realm_roles=["shop-admin"])  # words that the table does not have
    with house(tmp_path, table, shadow=True) as running:
        for token in (user, engineer, identity, stranger, itself, ""):
            assert statuses(running, token) == [200] * 4
        assert denials(running, admin) == {"/orders": 3, "/reports/**": 5, "/admin/**": 6, "/orders/read": 6}
    with house(tmp_path, table, shadow=False) as running:
        assert statuses(running, user) == statuses(running, itself) == [200, 403, 403, 403]
        assert statuses(running, engineer) == [200, 200, 403, 403]
        assert statuses(running, admin) == [200, 200, 200, 200]
        assert statuses(running, identity) == statuses(running, stranger) == statuses(running) == [401] * 4


def auth0(provider: OidcProvider, roles: list[str], permissions: list[str]) -> str:
    """A token as Auth0 makes it, with an Action for the roles and RBAC switched on."""
    says = {"sub": "auth0|507f1f77", "https://shop.example/roles": roles, "permissions": permissions, "jti": None}
    provider.says({"typ": "JWT"}, says)
    return provider.token()


def test_roles_and_permissions_of_auth0(provider: OidcProvider, tmp_path: Path) -> None:
    table = block("auth0.toml").replace("https://tenant.eu.auth0.com/", provider.url)
    reader = auth0(provider, [], ["read:orders"])
    greedy = auth0(
        provider, ["orders:*", "*", "access:grant"], ["orders:read", "orders:*", "*:*", "access:grant", "access:read"]
    )
    admin = auth0(provider, ["admin"], [])
    with house(tmp_path, table, shadow=True) as running:
        assert statuses(running, reader) == statuses(running, greedy) == [200] * 4
        assert denials(running, admin) == {"/reports/**": 2, "/admin/**": 2, "/orders/read": 1}
    with house(tmp_path, table, shadow=False) as running:
        assert statuses(running, reader) == [200, 403, 403, 200]
        assert statuses(running, greedy) == [200, 403, 403, 403]
        assert statuses(running, admin) == [200] * 4
        with httpx.Client(trust_env=False, timeout=LIMIT) as client:
            asked = client.get(f"{running.url}/_narthex/access/grants", headers={"authorization": f"Bearer {greedy}"})
        assert (asked.status_code, asked.json()["code"]) == (403, "permission_denied")


DJANGO: Final = """
SECRET_KEY = "not a secret: a test's"
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.db"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
"""
PEOPLE: Final = """
import django
django.setup()
from django.core.management import call_command
from django.contrib.auth.models import Group, User
call_command("migrate", verbosity=0)
for name, group in {"alice": "workshop", "ada": "managers", "bob": "guests"}.items():
    User.objects.create_user(name, password="open sesame").groups.add(Group.objects.get_or_create(name=group)[0])
"""


@contextmanager
def django(directory: Path) -> Generator[str]:
    """A Django project with the settings and addresses of the page; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = DJANGO + block("settings.py").replace("https://django.example", address)
    (directory / "settings.py").write_text(settings)
    (directory / "urls.py").write_text(block("urls.py"))
    (directory / "people.py").write_text(PEOPLE)
    (directory / "web.py").write_text(
        "from django.core.wsgi import get_wsgi_application\n\napp = get_wsgi_application()\n"
    )
    subprocess.run(["openssl", "genrsa", "-out", "private.pem", "2048"], cwd=directory, check=True, capture_output=True)
    path = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(directory)}
    subprocess.run([sys.executable, "people.py"], cwd=directory, check=True, env={**os.environ, **path}, timeout=60)
    options = [f"--bind=127.0.0.1:{port}", "--log-level=warning", "--no-control-socket"]
    argv = [sys.executable, "-m", "gunicorn", "web:app", *options]
    with launch(argv, port, path, directory=directory, ready="/jwks.json"):
        yield address


def test_groups_of_django(tmp_path: Path) -> None:
    site, here = tmp_path / "django", tmp_path / "house"
    for directory in (site, here):
        directory.mkdir()
    with django(site) as address, httpx.Client(trust_env=False, timeout=LIMIT) as client:
        pairs = {
            name: client.post(f"{address}/token/", data={"username": name, "password": "open sesame"}).json()
            for name in ("alice", "ada", "bob")
        }
        table = block("django.toml").replace("https://django.example", address)
        with house(here, table, shadow=True) as running:
            assert statuses(running, pairs["bob"]["access"]) == statuses(running, pairs["alice"]["access"]) == [200] * 4
            expected = {"/reports/**": 1, "/admin/**": 2, "/orders/read": 2}
            assert denials(running, pairs["ada"]["access"]) == expected
        with house(here, table, shadow=False) as running:
            assert statuses(running, pairs["bob"]["access"]) == [200, 403, 403, 403]
            assert statuses(running, pairs["alice"]["access"]) == [200, 200, 403, 403]
            assert statuses(running, pairs["ada"]["access"]) == [200] * 4
            assert statuses(running, pairs["ada"]["refresh"]) == [401] * 4
