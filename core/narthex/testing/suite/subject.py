"""The plugin under test: how it is found, made and asked.

Where nothing else is said, its table is that of its own `example.toml`: what the example needs of the environment is
made up, and the suite's clock says that it is noon, so that closed hours and night shifts do not decide whether a
suite passes.
"""

import os
import sys
import time
import tomllib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache, reduce, wraps
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from narthex.app import Narthex
from narthex.asgi import ASGIApp
from narthex.clock import Clock, SystemClock
from narthex.errors import BootError, NarthexError
from narthex.identity import Identity
from narthex.testing.client import Client
from narthex.testing.fakes import Hello
from narthex.testing.identity import ASKING, as_identity

PATIENCE: Final = 5.0
"""Seconds for what should have happened at once; only a plugin that fails a check takes them."""
PATH: Final = "/somewhere"
PLACEHOLDER: Final = "made-up-by-the-contract-suite-0123456789abcdef"
"""What variables and secret files hold that an example asks for and nobody has set."""
_NOON: Final = 1_704_888_000.0  # Wednesday, 10 January 2024, 12:00 UTC


class Finding(Exception):
    """The plugin breaks the contract: what is wrong, and what to do about it."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what}\n\n  what to do: {todo}")


class NotNow(Exception):
    """A check cannot be made because of something that another check tells of."""


class Injected(Exception):
    """What the suite has a collaborator of the plugin raise."""


class SuiteClock:
    """Begins at noon and goes on as time does, or is the clock that was given; can be broken.

    Attributes:
        broken: every reading raises, and is counted in `hits`.
    """

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._system = SystemClock()
        self._began = time.monotonic()
        self.broken = False
        self.hits = 0

    def _whole(self) -> None:
        if self.broken:
            self.hits += 1
            raise Injected("the suite broke this clock")

    def now(self) -> float:
        """Seconds since the epoch, from noon."""
        self._whole()
        return _NOON + time.monotonic() - self._began if self._clock is None else self._clock.now()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        self._whole()
        return (self._clock or self._system).monotonic()

    def boottime(self) -> float:
        """Seconds that count sleep."""
        self._whole()
        return (self._clock or self._system).boottime()


@dataclass(frozen=True, slots=True)
class Subject:
    """One plugin, and how a welcome caller asks.

    Attributes:
        use: entry point name, or "package.module:Class".
        settings: its table, or None for that of its example.
        second: keys that a second instance changes.
        headers: what a welcome caller sends.
        identity: who a welcome caller is, or None for nobody.
        clock: in place of the suite's.
        docs: its page, or None to look where pages usually are.
        beside: further plugins of its package, which must do without it.
        near: where to begin to look for pages: the file of the test.
    """

    use: str
    settings: Mapping[str, object] | None = None
    second: Mapping[str, object] = field(default_factory=dict[str, object])
    headers: Sequence[tuple[str, str]] = ()
    identity: Identity | None = None
    clock: Clock | None = None
    docs: Path | None = None
    beside: Sequence[str] | None = None
    near: Path = Path()

    @property
    def point(self) -> EntryPoint | None:
        """Its entry point, where it is named by one."""
        return None if ":" in self.use else points().get(self.use)

    @property
    def module(self) -> str:
        """The module that the entry point, or `use`, names."""
        point = self.point
        return self.use.partition(":")[0] if point is None else point.module

    @property
    def made_by(self) -> type[Any]:
        """Its class.

        Raises:
            NotNow: it is not installed, or cannot be imported.
        """
        try:
            return self.load()
        except Exception as error:
            raise NotNow(f"{self.use} cannot be imported: {error}") from error

    def load(self) -> type[Any]:
        """Import its class; whatever goes wrong with that is raised."""
        if ":" in self.use:
            module, _, attribute = self.use.partition(":")
            return cast("type[Any]", reduce(getattr, attribute.split("."), import_module(module)))
        point = self.point
        if point is None:
            known = ", ".join(sorted(points())) or "none"
            raise LookupError(f"no plugin is called {self.use!r}; installed: {known}")
        return cast("type[Any]", point.load())

    @property
    def name(self) -> str:
        """The name of its table."""
        return self.use if ":" not in self.use else str(getattr(self.made_by, "name", "plugin"))

    @property
    def package(self) -> str:
        """The package that holds it; a module that lies in none is its own."""
        module = self.made_by.__module__
        return module if hasattr(sys.modules[module], "__path__") else module.rpartition(".")[0] or module

    def modules(self) -> Iterator[ModuleType]:
        """What is imported of its package."""
        package = self.package
        for name, module in sorted(sys.modules.items()):
            if name == package or name.startswith(f"{package}."):
                yield module

    @property
    def example(self) -> Path | None:
        """Its `example.toml`, beside its class or beside what the entry point names."""
        for module in (self.made_by.__module__, self.module):
            file = getattr(sys.modules.get(module), "__file__", None)
            if file and (found := Path(file).with_name("example.toml")).is_file():
                return found
        return None

    def example_tables(self) -> Mapping[str, Any]:
        """What its example holds; nothing where there is none, or no TOML."""
        try:
            return tomllib.loads(self.example.read_text()) if self.example else {}
        except tomllib.TOMLDecodeError:
            return {}

    def table(self) -> dict[str, object]:
        """The plugin's own keys, and `use` with its class, so that no house has to look for its entry point."""
        own = self.settings
        if own is None:
            table = self.example_tables().get("plugins", {}).get(self.name, {})
            own = {key: value for key, value in table.items() if key != "use"}
        point = self.point
        return {**own, "use": self.use if point is None else point.value.partition("[")[0].strip()}

    def prepared(self, near: Path, setenv: Callable[[str, str], None]) -> "Subject":
        """The same, in the current directory: variables and files that its example asks for are made up.

        Args:
            near: the test's file.
            setenv: sets a variable of the environment for the time of a test.
        """
        tables: Mapping[str, Any]
        try:
            tables = self.example_tables()
        except NotNow:
            tables = {}  # it cannot be imported, which is for a check to say
        for kind, name in _asked_for(tables):
            if kind == "env" and name not in os.environ:
                setenv(name, PLACEHOLDER)
            elif kind == "file" and not Path(name).is_absolute():
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_text(PLACEHOLDER)
        return replace(self, near=near)

    def config(self, table: Mapping[str, object] | None = None, **others: Mapping[str, object]) -> dict[str, Any]:
        """A configuration with it, who asks before it, and others after it; `[narthex]` is its example's.

        The store is in memory.
        """
        asking = {} if self.identity is None else {"asking": dict(ASKING)}
        tables = {**asking, self.name: {**self.table(), **(table or {})}, **others}
        house = self.example_tables().get("narthex", {})
        return {"narthex": {**house, "store": "memory"}, "plugins": tables}

    def house(
        self,
        app: ASGIApp | None = None,
        config: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> Narthex:
        """It, in front of an app; nothing is started.

        Raises:
            NotNow: it cannot be built.
        """
        try:
            return Narthex(app or Hello(), config or self.config(), clock=clock or SuiteClock(self.clock))
        except BootError as error:
            raise NotNow(f"it cannot be built: {error}") from error

    def plugin(self, house: Narthex) -> Any:
        """Its object in a house."""
        return next(guest.plugin for guest in house.guests if guest.name == self.name)

    @contextmanager
    def client(
        self,
        app: ASGIApp | None = None,
        config: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> Generator[Client]:
        """It, running in front of an app, or a house that was built with it; asked by a welcome caller.

        Raises:
            NotNow: it cannot be built or started.
        """
        house = app if isinstance(app, Narthex) else self.house(app, config, clock)
        client = Client(house, headers=self.headers, limit=PATIENCE)
        try:
            client.__enter__()
        except (NarthexError, TimeoutError) as error:
            raise NotNow(f"it does not start: {error}") from error
        try:
            with nullcontext() if self.identity is None else as_identity(self.identity):
                yield client
        except BaseException:
            with suppress(NarthexError, TimeoutError):  # of what was found, not of what that leads to
                client.__exit__(None, None, None)
            raise
        try:
            client.__exit__(None, None, None)
        except (NarthexError, TimeoutError) as error:
            raise NotNow(f"it does not stop: {error}") from error

    def must_welcome(self) -> None:
        """Refuse to go on where a welcome caller does not come through to the app.

        Raises:
            NotNow: that is so.
        """
        app = Hello()
        with self.client(app) as client:
            client.get(PATH)
        if not app.reached:
            raise NotNow("it refuses the suite's own requests")


Check = Callable[[Subject], None]


def needs_a_welcome(check: Check) -> Check:
    """What a check finds counts only if the plugin lets the suite's requests through at all."""

    @wraps(check)
    def checked(subject: Subject) -> None:
        try:
            check(subject)
        except Finding:
            subject.must_welcome()
            raise

    return checked


@cache
def points() -> Mapping[str, EntryPoint]:
    """The installed plugins; to look through what is installed takes longer than most checks."""
    return {point.name: point for point in entry_points(group="narthex")}


def guards_of(plugin: object) -> Iterator[str]:
    """The stage hooks that guard, of those the plugin has."""
    return (hook for hook in ("admit", "authenticate", "vet", "authorize") if hasattr(plugin, hook))


def _asked_for(value: object) -> Iterator[tuple[str, str]]:
    """Every `{ env = "NAME" }` and `{ file = "path" }` within."""
    match value:
        case {"env": str(name)} if len(cast("dict[str, object]", value)) == 1:
            yield "env", name
        case {"file": str(name)} if len(cast("dict[str, object]", value)) == 1:
            yield "file", name
        case dict():
            for inner in cast("dict[str, object]", value).values():
                yield from _asked_for(inner)
        case list():
            for inner in cast("list[object]", value):
                yield from _asked_for(inner)
        case _:
            pass
