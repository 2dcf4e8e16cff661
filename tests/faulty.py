"""Plugins that break the contract, each in one way; named by tests/core/test_broken_files.py."""

from narthex import PUBLIC, Exchange, House, Route, Settings, hookimpl


class Nothing(Settings):
    """Nothing to set."""


class _Made:
    name = "faulty"
    Settings = Nothing

    def __init__(self, settings: Nothing, house: House) -> None: ...


class Misspelt(_Made):
    @hookimpl
    def vett(self, exchange: Exchange) -> None: ...


class HiddenOrder(_Made):
    @hookimpl(tryfirst=True)
    def vet(self, exchange: Exchange) -> None: ...


class HookWrapper(_Made):
    @hookimpl(wrapper=True)
    def vet(self, exchange: Exchange) -> object:
        return (yield)


class Unmarked(_Made):
    def vet(self, exchange: Exchange) -> None: ...


class WrongArgument(_Made):
    @hookimpl
    def vet(self, request: object) -> None: ...


class Claims(_Made):
    @hookimpl
    def routes(self) -> list[Route]:
        return [Route(path="/claimed/{id}", endpoint=self.answer, access=PUBLIC)]

    async def answer(self, request: object) -> object:
        raise NotImplementedError


class Watches(_Made):
    @hookimpl
    def observe(self, exchange: Exchange) -> None: ...


class Raises(_Made):
    def __init__(self, settings: Nothing, house: House) -> None:
        raise RuntimeError("no such mood")


class NotAPlugin:
    """Has no name and no settings."""


class TakesOnlySettings(_Made):
    def __init__(self, settings: Nothing) -> None: ...
