"""Apps behind the rules that are easiest to get past: whatever `/admin/**` does not speak of, anybody may."""

from starlette.applications import Starlette
from starlette.routing import Mount

from narthex import Narthex
from narthex.testing import config
from tests.plugins.access.site import PERSON
from tests.wire.apps.starlette_app import app as inner


def house(app: Starlette, path: str) -> Narthex:
    rules = [{"path": path, "roles": ["admin"]}]
    return Narthex(app, config({"store": "memory"}, person=PERSON, access={"default": "allow", "rules": rules}))


plain = house(inner, "/admin/**")
mounted = Starlette(routes=[Mount("/sub", house(inner, "/admin/**"))])
below = house(Starlette(routes=[Mount("/sub", inner)]), "/sub/admin/**")
