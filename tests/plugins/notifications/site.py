"""Who asks in the tests of notifications."""

from narthex import Exchange, House, Identity, Settings, hookimpl


class NoSettings(Settings):
    """Nothing to set."""


class Admin:
    """Everybody is an admin, unless `x-role` says what else, or that nobody asks."""

    name = "admin"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None: ...

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | None:
        role = exchange.headers.get("x-role", "admin")
        return None if role == "nobody" else Identity(subject="root", roles=frozenset({role}))
