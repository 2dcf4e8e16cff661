"""A house with the plugin auth in front of an app, an account in it, and what its clients do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from narthex import Narthex
from narthex.asgi import ASGIApp
from narthex.clock import Clock
from narthex.config import Secret
from narthex.events import Event
from narthex.testing import Client, FixedClock, Reply
from narthex_plugins.auth.accounts import Account, Accounts
from narthex_plugins.auth.plugin import Auth

T = TypeVar("T")

PASSWORD: Final = "correct horse battery"
KEY: Final = Secret("0123456789abcdef" * 4)
HERE: Final = (("host", "shop.example"), ("origin", "https://shop.example"))
"""What a browser says of a request by a page of ours."""
ISSUER: Final = "https://shop.example"
_SETTINGS: Final[dict[str, Any]] = {
    "issuer": ISSUER,
    "audience": "shop",
    "algorithm": "ES256",
    "passwords": {"memory": 8192, "passes": 1, "lanes": 1},
}


@dataclass(slots=True)
class Site:
    """One process of a deployment.

    Attributes:
        told: the events that were published.
    """

    client: Client
    plugin: Auth
    clock: Any
    told: list[Event]

    def add(self, name: str = "alice", *roles: str) -> str:
        """Make an account; its subject."""
        encoded = self.client.run(self.plugin._passwords.hash(PASSWORD))
        accounts, now = self.plugin._accounts, self.clock.now()
        return self.write(lambda connection: accounts.add(connection, name, encoded, now, roles=roles)).subject

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run a job of the store."""

        async def write() -> T:
            return await self.plugin._store.write(job)

        return self.client.run(write())

    def change(self, name: str, how: Callable[[Accounts, Connection, Account, float], None]) -> None:
        """Change an account, as a command does."""
        accounts, now = self.plugin._accounts, self.clock.now()

        def job(connection: Connection) -> None:
            account = accounts.named(connection, name)
            assert account is not None
            how(accounts, connection, account, now)

        self.write(job)

    def post(self, endpoint: str, headers: Sequence[tuple[str, str]] = (), **fields: object) -> Reply:
        """Call an endpoint with JSON."""
        return self.client.post(f"/_narthex/auth/{endpoint}", headers, json=fields)

    def login(self, name: str = "alice", **more: object) -> dict[str, Any]:
        """The tokens of a new session."""
        reply = self.post("login", (), username=name, password=PASSWORD, **more)
        assert reply.status == 200, reply.body
        given: dict[str, Any] = reply.json()
        return given

    def cookie(self, name: str = "alice") -> str:
        """The cookie of a new session, as a browser sends it back."""
        reply = self.post("login", HERE, username=name, password=PASSWORD, cookie=True)
        assert reply.status == 200, reply.body
        return reply.headers["set-cookie"].partition(";")[0]

    def me(self, *headers: tuple[str, str]) -> Reply:
        """Who the caller is."""
        return self.client.get("/_narthex/auth/me", headers)

    def events(self, kind: type[Event]) -> list[Any]:
        """What was told of one kind."""
        return [event for event in self.told if isinstance(event, kind)]


def bearer(token: str) -> tuple[str, str]:
    """The header field of a token."""
    return ("authorization", f"Bearer {token}")


def settings(**more: object) -> dict[str, Any]:
    """The plugin's table, cheap where cost is not what is tested."""
    return {**_SETTINGS, **more}


@contextmanager
def site(
    url: str = "memory", *, app: ASGIApp | None = None, clock: Clock | None = None, **more: object
) -> Iterator[Site]:
    """Run a house; a second one on the same store is another process of the deployment."""
    clock = clock or FixedClock()
    table = {"use": "narthex_plugins.auth:Auth", **settings(**more)}
    config = {"narthex": {"store": Secret(url), "secret_key": KEY}, "plugins": {"auth": table}}
    with Client(app, config, clock=clock) as client:
        plugin = plugin_of(client.house)
        told: list[Event] = []
        plugin._house.events.subscribe(Event, told.append)
        yield Site(client, plugin, clock, told)


def plugin_of(house: Narthex) -> Auth:
    """The plugin of a house."""
    found = house.guests[0].plugin
    assert isinstance(found, Auth)
    return found
