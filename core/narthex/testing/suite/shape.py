"""Checks of what a plugin is: class, settings, example, page, endpoints. Nothing of it runs but its constructor."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from narthex.config import Secret, Settings, load
from narthex.errors import BootError, ConfigError, PluginError
from narthex.loader import survey
from narthex.requirement import check_requirement
from narthex.routing import AUTHENTICATED, PUBLIC, Route
from narthex.testing.suite.subject import PLACEHOLDER, Finding, NotNow, Subject, points

_SECRET_NAME: Final = re.compile(
    r"(^|_)(password|passphrase|secret|token|credentials?|api_?key|private_?key|secret_?key|access_?key|dsn)$"
)
_PAGES: Final = ("docs/reference/plugins/{}.md", "docs/plugins/{}.md", "docs/{}.md", "README.md")


def it_can_be_built(subject: Subject) -> None:
    """The house can be built with it: class, constructor and hooks are as they have to be."""
    try:
        subject.load()
    except LookupError as error:
        raise Finding(str(error), "install the package (pip install -e .), and look at its entry points") from error
    except Exception as error:
        raise Finding(f"{subject.use} cannot be imported: {type(error).__name__}: {error}", "mend that") from error
    try:
        survey(load(subject.config()))
    except BootError as error:
        if _of_a_route(error) or " requires " in str(error):
            return  # said by the checks on endpoints and on what it requires
        if _of_the_example(subject, error):
            raise NotNow(f"its example cannot be followed: {error}") from error
        todo = "do what the message says; if it lacks settings, give contract(..., settings={...})"
        raise Finding(f"the house cannot be built with it: {error}", todo) from error


def it_says_what_it_is_for(subject: Subject) -> None:
    """It is called as it is installed, and class and package say what they are for."""
    made_by = subject.made_by
    if subject.point is not None and made_by.name != subject.use:
        raise Finding(
            f"its entry point is {subject.use!r}, and {made_by.__qualname__}.name is {made_by.name!r}",
            "give both one name: logs and `narthex plugins` would tell of two plugins",
        )
    if not made_by.__doc__:
        raise Finding(
            f"class {made_by.__qualname__} has no docstring", "its first line is what `narthex plugins` shows"
        )
    if not sys.modules[subject.module].__doc__:
        raise Finding(
            f"{subject.module} has no docstring", "say in a sentence what it refuses or records, and its cost"
        )


def it_refuses_a_key_it_does_not_know(subject: Subject) -> None:
    """A misspelt setting is an error at boot, with its line."""
    table = subject.table()
    _settings_class(subject)
    try:
        survey(load(subject.config({"no-such-key": 1})))
    except ConfigError as error:
        if "no-such-key" in str(error):
            return
        raise NotNow(f"it cannot be built: {error}") from error
    raise Finding(
        f"a table with the key no-such-key was taken (beside {', '.join(table) or 'no others'})",
        "derive settings from narthex.Settings, and leave extra='forbid' as it is",
    )


def its_settings_cannot_be_changed(subject: Subject) -> None:
    """Settings are frozen, those of tables within too."""
    for kind in _settings_classes(_settings_class(subject)):
        if not kind.model_config.get("frozen"):
            raise Finding(
                f"{kind.__qualname__} can be changed after it was checked",
                "derive it from narthex.Settings, and leave frozen=True as it is",
            )


def every_setting_has_a_description(subject: Subject) -> None:
    """Every field says what it means: the example file and the reference are made of that."""
    for kind in _settings_classes(_settings_class(subject)):
        silent = [key for key, field in kind.model_fields.items() if not field.description]
        if silent:
            raise Finding(
                f"{kind.__qualname__} has no description of {', '.join(silent)}",
                'give each Field(..., description="meaning, unit, and why this default")',
            )


def no_secret_is_shown(subject: Subject) -> None:
    """Passwords and keys are `Secret`, and what they hold is in no `repr`."""
    for kind in _settings_classes(_settings_class(subject)):
        for key, field in kind.model_fields.items():
            if _SECRET_NAME.search(key) and str in _parts(field.annotation) and Secret not in _parts(field.annotation):
                raise Finding(
                    f"{kind.__qualname__}.{key} sounds like a secret and is a plain text, which any repr shows",
                    "give it the type narthex.config.Secret; where it holds no secret, another name",
                )
    house = subject.house()
    plugin = subject.plugin(house)
    shown = repr(plugin) + str(plugin) + repr(getattr(plugin, "__dict__", ""))
    for secret in {PLACEHOLDER, *_secrets(subject)}:
        if secret in shown:
            raise Finding(
                f"the text of a secret stands in the repr of {type(plugin).__qualname__}, or of what it holds",
                "keep the Secret itself, and call reveal() where its text is needed",
            )


def its_example_can_be_followed(subject: Subject) -> None:
    """Its `example.toml` is a file that `narthex check` calls fine, and switches it on."""
    _ = subject.made_by
    example = subject.example
    if example is None:
        raise Finding("there is no example.toml beside its class", "write the table as people would begin with it")
    text = example.read_text()
    if ":" in subject.use:
        text = re.sub(rf"(?m)^(\[plugins\.{re.escape(subject.name)}\].*)$", rf'\1\nuse = "{subject.use}"', text)
    Path("narthex.toml").write_text(text)
    try:
        tables = tomllib.loads(text)
        built = survey(load("narthex.toml"))
    except (BootError, tomllib.TOMLDecodeError) as error:
        if isinstance(error, PluginError) and f"plugin {subject.name}" in str(error):
            raise NotNow(f"it cannot be built: {error}") from error
        raise Finding(f"example.toml cannot be followed: {error}", "mend the example") from error
    if subject.name not in tables.get("plugins", {}) or subject.name not in [guest.name for guest in built.guests]:
        raise Finding(f"example.toml does not switch on [plugins.{subject.name}]", "let it have that table")


def a_page_names_every_setting(subject: Subject) -> None:
    """There is a page on it, and every setting is on the page."""
    settings = _settings_class(subject)
    roots = [parent for parent in subject.near.parents if (parent / "pyproject.toml").is_file()][:1]
    places = [root / place.format(subject.name) for root in roots for place in _PAGES]
    page = subject.docs or next((place for place in places if place.is_file()), None)
    if page is None or not page.is_file():
        where = subject.docs or " or ".join(place.format(subject.name) for place in _PAGES)
        raise Finding("it has no page", f"write {where}, or say contract(..., docs=Path(...))")
    text = page.read_text()
    missing = [key for key in settings.model_fields if f"`{key}`" not in text]
    if missing:
        raise Finding(f"{page.name} does not tell of {', '.join(missing)}", "name each setting there, in backticks")


def its_requirement_holds(subject: Subject) -> None:
    """What it says in `requires` can be read, and this release of narthex meets it."""
    try:
        check_requirement(subject.made_by, subject.name)
    except ConfigError as error:
        raise Finding(str(error), 'write it as requires = "narthex>=1,<2"') from error


def its_endpoints_say_who_may_call(subject: Subject) -> None:
    """Every endpoint has a path and an access that can be enforced."""
    try:
        survey(load(subject.config()))
    except BootError as error:
        if _of_a_route(error):
            raise Finding(str(error), 'access is PUBLIC, AUTHENTICATED or a permission such as "audit:read"') from error
        raise NotNow(f"it cannot be built: {error}") from error
    for route in getattr(subject.plugin(subject.house()), "routes", lambda: None)() or ():
        if isinstance(route, Route) and route.access not in (PUBLIC, AUTHENTICATED) and "*" in route.access:
            raise Finding(f"route {route.path}: access {route.access!r} is a pattern", "name one permission")


def off_it_is_not_imported(subject: Subject) -> None:
    """Switched off it is not imported, the house is a pass-through, and its neighbours do without it."""
    module = subject.made_by.__module__
    beside = list(_siblings(subject) if subject.beside is None else subject.beside)
    program = f"import sys\nsys.path[:] = {sys.path!r}\n{_OFF}"
    arguments = [sys.executable, "-c", program, subject.name, subject.use, module, *beside]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603  our own program
    if done.returncode:
        raise Finding(
            done.stderr.strip().rpartition("\n")[2],
            "import it nowhere but through its own entry point; what several share belongs into a module of its own",
        )


_OFF: Final = """
import asyncio
from importlib import import_module
from importlib.metadata import entry_points

from narthex import Narthex
from narthex.testing import http_scope

name, use, module, *beside = sys.argv[1:]
given = []


async def app(scope, receive, send):
    given.append((scope, receive, send))


async def receive(): ...
async def send(message): ...


async def main():
    house = Narthex(app, {"plugins": {name: {"use": use, "enabled": False}}})
    for _ in range(3):
        scope = http_scope("GET", "/")
        await house(scope, receive, send)
    if house.guests or given[-1][0] is not scope or given[-1][2] is not send:
        sys.exit("switched off, it leaves something between server and app")
    if module in sys.modules:
        sys.exit(f"switched off, {module} is imported all the same")


asyncio.run(main())
for other in beside:
    try:
        import_module(other.partition(":")[0]) if ":" in other else entry_points(group="narthex")[other].load()
    except ImportError:
        continue  # an extra that is not installed
    if module in sys.modules:
        sys.exit(f"with {other} on and this plugin off, {module} is imported all the same")
"""


def _siblings(subject: Subject) -> Iterator[str]:
    """The other plugins of its distribution that do not lie in the very same module."""
    own = subject.point
    if own is None or own.dist is None:
        return
    for point in points().values():
        apart = not (point.module == own.module or own.module.startswith(f"{point.module}."))
        if apart and point.dist is not None and point.dist.name == own.dist.name:
            yield point.name


def _of_a_route(error: BootError) -> bool:
    return ": route " in str(error) or "routes failed" in str(error) or "routes gave" in str(error)


def _of_the_example(subject: Subject, error: BootError) -> bool:
    """Whether the error is one of settings, and the settings are the example's."""
    return subject.settings is None and subject.example is not None and not isinstance(error, PluginError)


def _settings_class(subject: Subject) -> type[Settings]:
    kind = getattr(subject.made_by, "Settings", None)
    if not isinstance(kind, type) or not issubclass(kind, Settings):
        raise NotNow("it has no `Settings` class")
    return kind


def _settings_classes(kind: type[Settings]) -> Iterator[type[Settings]]:
    """A settings class, and those of the tables within it."""
    yield kind
    for field in kind.model_fields.values():
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Settings) and part is not kind:
                yield from _settings_classes(part)


def _parts(annotation: Any) -> set[Any]:
    """Every class that an annotation is made of."""
    inner = get_args(annotation)
    return {part for one in inner for part in _parts(one)} if inner else {annotation}


def _secrets(subject: Subject) -> Iterator[str]:
    for value in subject.table().values():
        if isinstance(value, Secret):
            yield value.reveal()
