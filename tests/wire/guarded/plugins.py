"""A plugin that says which route answered."""

from narthex import Exchange, House, Settings, hookimpl


class TellRouteSettings(Settings):
    """Nothing to set."""


class TellRoute:
    """Put the route template on the response, as `x-route`."""

    name = "tell-route"
    Settings = TellRouteSettings

    def __init__(self, settings: TellRouteSettings, house: House) -> None: ...

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [(b"x-route", str(exchange.route).encode())]
