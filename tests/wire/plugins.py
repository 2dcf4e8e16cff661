"""A policy for tests only."""

from narthex import Allow, Deny, Exchange, House, Settings, hookimpl
from narthex.paths import Pattern


class DenyPathSettings(Settings):
    path: str


class DenyPath:
    """Deny one pattern to everyone, and allow the rest."""

    name = "deny-path"
    Settings = DenyPathSettings

    def __init__(self, settings: DenyPathSettings, house: House) -> None:
        self.pattern = Pattern(settings.path)

    @hookimpl
    def authorize(self, exchange: Exchange) -> Allow | Deny:
        return Deny(403, "forbidden") if self.pattern.matches(exchange.route_path) else Allow()
