"""Plugins that do the least possible in one stage: what a stage itself costs."""

from narthex import Allow, Exchange, House, Identity, Settings, hookimpl

_ALICE = Identity(subject="alice", issuer="bench", roles=frozenset({"engineer"}))
_ALLOW = Allow()


class NoSettings(Settings):
    """Nothing to set."""


class Vet:
    """Let everyone pass."""

    name = "vet"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None: ...

    @hookimpl
    def vet(self, exchange: Exchange) -> None: ...


class Admit:
    """Let everyone pass, from a coroutine."""

    name = "admit"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None: ...

    @hookimpl
    async def admit(self, exchange: Exchange) -> None: ...


class Respond:
    """Add one constant header."""

    name = "respond"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None: ...

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [(b"x-bench", b"1")]


class Observe:
    """Look away."""

    name = "observe"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None: ...

    @hookimpl
    def observe(self, exchange: Exchange) -> None: ...


class Authenticate:
    """Know everyone, without a look."""

    name = "authenticate"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None: ...

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity:
        return _ALICE


class Authorize:
    """Allow everything."""

    name = "authorize"
    Settings = NoSettings

    def __init__(self, settings: NoSettings, house: House) -> None: ...

    @hookimpl
    def authorize(self, exchange: Exchange) -> Allow:
        return _ALLOW
