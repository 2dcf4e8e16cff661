"""A team's own users, in the place of the stored ones."""

from typing import ClassVar

from narthex import House, Settings
from narthex_plugins.auth.users import User, UserSource


class NoSettings(Settings):
    """Nothing to set."""


class Team:
    """Offers one user, who can be disabled."""

    name: ClassVar = "team"
    Settings: ClassVar = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None:
        self.disabled = False
        house.provide(UserSource, self)

    async def verify(self, name: str, password: str) -> User | None:
        return await self.find("7") if (name, password) == ("ada", "lovelace") else None

    async def find(self, subject: str) -> User | None:
        return User(subject, "ada", frozenset({"engineer"}), disabled=self.disabled) if subject == "7" else None
